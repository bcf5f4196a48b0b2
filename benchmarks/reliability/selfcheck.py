"""Readers that do what no reader may: the campaign is worth something only if each of them is caught."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from limits import Limits, Outcome, Reader, attempt

from latentlab.errors import UserError


def _spins(path: Path) -> None:
    while True:
        pass


def _allocates(path: Path) -> object:
    # Forgiven afterwards: what counts is what it had at most.
    return [np.ones(1 << 20) for _ in range(100)] and None


def _crashes(path: Path) -> None:
    os.abort()


def _writes(path: Path) -> None:
    Path("PWNED").write_text("x")


def _writes_elsewhere(path: Path) -> None:
    path.with_name("PWNED").write_text("x")


def _prints_a_traceback(path: Path) -> None:
    sys.stderr.write("Traceback (most recent call last):\n")


def _runs(path: Path) -> None:
    exec("x = 1")


def _imports(path: Path) -> None:
    import antigravity  # noqa: F401 (a module of the standard library that opens a browser)


def _raises(path: Path) -> None:
    raise KeyError(path.name)


def _says_nothing(path: Path) -> None:
    raise UserError("something is wrong")


def _says_escapes(path: Path) -> None:
    raise UserError(f"{path.name} \x1b[31m is wrong")


def _says_much(path: Path) -> None:
    raise UserError(path.name * 1000)


def _refuses(path: Path) -> None:
    raise UserError(f"{path} is wrong")


CASES: dict[str, tuple[Reader, str]] = {
    "reads": (lambda path: path.read_bytes(), "value"),
    "refuses": (_refuses, "refused"),
    "spins": (_spins, "hung"),
    "waits": (lambda path: time.sleep(3600), "hung"),
    "allocates": (_allocates, "memory"),
    "crashes": (_crashes, "crashed"),
    "segfaults": (lambda path: signal.raise_signal(signal.SIGSEGV), "crashed"),
    "exits": (lambda path: sys.exit(0), "raised"),
    "leaves a file": (_writes, "touched"),
    "writes beside": (_writes_elsewhere, "touched"),
    "reads elsewhere": (lambda path: Path("/etc/passwd").read_bytes(), "touched"),
    "runs a command": (lambda path: subprocess.run(["true"]), "touched"),
    "runs a shell": (lambda path: os.system("true"), "touched"),
    "connects": (lambda path: socket.socket(), "touched"),
    "runs code": (_runs, "touched"),
    "imports": (_imports, "touched"),
    "prints a traceback": (_prints_a_traceback, "printed"),
    "raises": (_raises, "raised"),
    "names no file": (_says_nothing, "message"),
    "sends escapes": (_says_escapes, "message"),
    "says much": (_says_much, "message"),
}
# Lower than those of the campaign: what counts is that they hold.
_LIMITS = Limits(cpu=1, wall=60.0, spare=200_000_000)
_LIMITS_OF = {"waits": replace(_LIMITS, wall=0.5)}


def run(scratch: Path) -> dict[str, tuple[Outcome, str]]:
    """Try all of them: what came out and what should have, by name."""
    path, cwd = scratch / "input.bin", scratch / "cwd"
    cwd.mkdir()
    path.write_bytes(b"0123456789")
    found = {
        name: (attempt(read, path, 10, cwd, _LIMITS_OF.get(name, _LIMITS)), wanted)
        for name, (read, wanted) in CASES.items()
    }
    return found
