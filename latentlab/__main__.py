"""`python -m latentlab`, and the command `latentlab`: the command line as a program."""

import signal

# Until the program can say that it was interrupted, Ctrl-C just ends it: an import would end in a traceback.
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from latentlab.cli import main

if __name__ == "__main__":
    main()
