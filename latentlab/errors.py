"""The error for bad input, which the command line prints without a traceback."""


class UserError(ValueError):
    """Bad input: the message says what was wrong, where, and what to do."""
