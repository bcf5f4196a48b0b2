"""`python -m latentlab`: the command line."""

from latentlab.cli import main

main()
