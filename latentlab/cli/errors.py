"""What becomes of an error in a command: one line for the reader, and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import typer

from latentlab.errors import UserError
from stylegan2 import CheckpointError

P = ParamSpec("P")


def one_line(text: str) -> str:
    """`text` without its line breaks: some messages hold those of another program."""
    return " ".join(text.splitlines())


def told(command: Callable[P, None]) -> Callable[P, None]:
    """`command`, ending with exit code 2 after bad input and 130 after Ctrl-C, without a traceback."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except (UserError, CheckpointError) as error:
            print(f"latentlab: {one_line(str(error))}", file=sys.stderr)
            raise typer.Exit(2) from None
        except KeyboardInterrupt:
            print("\nlatentlab: interrupted; the same command goes on from here", file=sys.stderr)
            raise typer.Exit(130) from None

    return run
