"""The error that means: the input was wrong, and here is what to do."""


class UserError(ValueError):
    """Bad input. Its message says what was wrong, where, and what to do; the command line prints just that."""
