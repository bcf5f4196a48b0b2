"""The `latentlab` command. Bad input is reported in one line, with exit code 2; nothing is lost."""

from latentlab.cli.endings import one_line_endings

__all__ = ["main"]


def main() -> None:
    """Run the command line `latentlab`."""
    with one_line_endings():
        # Even this import takes long enough for Ctrl-C.
        from latentlab.cli.app import run

        run()
