"""The `latentlab` command. Bad input is told in one line, with exit code 2; nothing is lost."""

from latentlab.cli.app import main

__all__ = ["main"]
