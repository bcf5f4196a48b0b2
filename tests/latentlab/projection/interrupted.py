"""Runs that are killed in the middle of their work."""

from __future__ import annotations

import signal

from tests.processes import Program


def kill_at(code: str, argument: object, line: str) -> None:
    """Run `code` with an argument in a process of its own, and kill it when it has printed `line`.

    The code is to wait on its standard input after that line, so that it is always killed at the same place.
    """
    process = Program(code, argument)
    for printed in process.stdout:
        if printed.strip() == line:
            process.kill()
    assert process.wait() == -signal.SIGKILL, "it was over before it was killed"
