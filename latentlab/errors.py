"""The error for bad input, which the command line prints without a traceback."""


class UserError(ValueError):
    """Bad input: the message says what was wrong, where, and what to do."""


def missing_package(need: str, *requirements: str) -> UserError:
    """Make the error for an optional package that is not installed.

    Parameters
    ----------
    need
        What cannot be done without it.
    requirements
        What pip has to install, as in the extras of setup.cfg: the packages themselves, since an extra of this
        distribution can only be named where its source lies.
    """
    words = " ".join(f'"{one}"' if set(one) & set("[]<>=") else one for one in requirements)
    return UserError(f"{need}: pip install {words}")
