"""Errors of commands: a line that cannot be parsed, and inputs among many that fail."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import typer

from latentlab.cli.endings import INTERRUPTED, print_error
from latentlab.errors import UserError

# A command line that cannot be parsed. Of click's family of errors (newer versions of typer hold their own
# copy of it) only this one's child has a public name.
_UsageError: Any = typer.BadParameter.__mro__[1]


@contextmanager
def noted(path: object, failures: list[str]) -> Iterator[None]:
    """Note why one input among many failed, and go on."""
    try:
        yield
    except UserError as error:
        failures.append(f"{path}: {str(error).removeprefix(f'{path}: ')}")


def end_with(failures: Iterable[object]) -> None:
    """Print a line for each input that failed; end with exit code 2 if there is one."""
    failed = [str(failure) for failure in failures]
    for failure in failed:
        print_error(failure)
    if failed:
        raise typer.Exit(2)


def run_app(app: typer.Typer, arguments: list[str]) -> None:
    """Run a command line and end the program; the exit code is 2 for one that cannot be parsed."""
    try:
        code = app(arguments, standalone_mode=False)
        if code == INTERRUPTED:  # newer versions of typer catch Ctrl-C themselves
            raise KeyboardInterrupt
        sys.exit(code)
    except _UsageError as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # a group without a command: typer shows its help, or holds it
            print(error.format_message(), end="")
            sys.exit(0)
        print_error(f"{error.format_message()} (see --help)")
        sys.exit(error.exit_code)
    except typer.Abort as error:
        raise KeyboardInterrupt from error
