"""Run a command line so that bad input ends in one line for the reader and an exit code, without a traceback."""

from __future__ import annotations

import io
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import typer

from latentlab.errors import UserError
from stylegan2.errors import CheckpointError, DeviceError

# A command line that cannot be parsed. Of click's family of errors (newer versions of typer hold their own
# copy of it) only this one's child has a public name.
_UsageError: Any = typer.BadParameter.__mro__[1]

_INTERRUPTED = 130


def single_line(text: str) -> str:
    """`text` without its line breaks: some messages contain those of another program."""
    return " ".join(text.splitlines())


def print_error(text: str) -> None:
    """Print one line on standard error, with the program's name in front."""
    print(f"latentlab: {single_line(text)}", file=sys.stderr)


@contextmanager
def _plain_warnings() -> Iterator[None]:
    """Show warnings for the user as one line, without the place in the code."""
    usual = warnings.formatwarning

    def shown(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> str:
        if category is UserWarning:
            return f"latentlab: {single_line(str(message))}\n"
        return usual(message, category, *place, **more)

    warnings.formatwarning = shown
    try:
        yield
    finally:
        warnings.formatwarning = usual


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


def _escape_unprintable() -> None:
    """Let the standard streams escape what their encoding lacks: a path is no reason to fail after the work is done."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def run_app(app: typer.Typer, arguments: list[str] | None = None) -> None:
    """Run a command line, by default the process's; the exit code is 2 for bad input, 130 after Ctrl-C."""
    _escape_unprintable()
    try:
        with _plain_warnings():
            code = app(arguments, standalone_mode=False)
        if code == _INTERRUPTED:  # newer versions of typer catch Ctrl-C themselves
            raise KeyboardInterrupt
        sys.exit(code)
    except _UsageError as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # a group without a command: typer shows its help, or holds it
            print(error.format_message(), end="")
            sys.exit(0)
        print_error(f"{error.format_message()} (see --help)")
        sys.exit(error.exit_code)
    except (UserError, CheckpointError, DeviceError) as error:
        print_error(str(error))
        sys.exit(2)
    except (KeyboardInterrupt, typer.Abort):
        print_error("interrupted; run the same command again to resume")
        sys.exit(_INTERRUPTED)
