"""Processes that need not import torch again: forks of a server that has imported what most programs need.

In all else they are processes: they have streams, an exit code and the environment of the test, and can be killed.
Tests of how a program starts, of what it reads of its environment then, or of how the interpreter ends take
`subprocess`.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

_CONTEXT: Any = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    ["torch", "torchvision", "lpips", "scipy.stats", "sklearn.svm", "pyarrow.parquet", "matplotlib.figure", "latentlab"]
)
_SECONDS = 300
COMMAND = "from latentlab.cli import main; main()"
"""A program that is the command line."""


class Program:
    """A process that runs source text, as `python -c` does.

    Parameters
    ----------
    code
        The text.
    arguments
        What it finds in `sys.argv` from the second place on.

    Attributes
    ----------
    stdin, stdout
        Text streams to it and from it.
    """

    def __init__(self, code: str, *arguments: object) -> None:
        (its_input, to_it), (from_it, its_output) = (_CONTEXT.Pipe(duplex=False) for _ in range(2))
        words = [str(argument) for argument in arguments]
        self._process = _CONTEXT.Process(target=_on_pipes, args=(code, words, dict(os.environ), its_input, its_output))
        self._process.start()
        self.stdin = os.fdopen(os.dup(to_it.fileno()), "w", encoding="utf-8")
        self.stdout = os.fdopen(os.dup(from_it.fileno()), encoding="utf-8")
        for end in (its_input, to_it, from_it, its_output):
            end.close()

    def kill(self) -> None:
        """Send SIGKILL."""
        self._process.kill()

    def wait(self) -> int:
        """Close the streams, wait for the end, and return the exit code: minus the signal where it was killed."""
        self.stdin.close()
        self.stdout.close()
        return _end(self._process)


def run_code(code: str, *arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run source text to its end in a process that has nothing on its standard input; return what became of it."""
    words = [str(argument) for argument in arguments]
    with tempfile.TemporaryDirectory() as folder:
        written = [Path(folder) / name for name in ("stdout", "stderr")]
        for path in written:
            path.touch()
        process = _CONTEXT.Process(target=_on_files, args=(code, words, dict(os.environ), cwd or Path.cwd(), written))
        process.start()
        ended = _end(process)
        return subprocess.CompletedProcess(words, ended, *(path.read_text("utf-8") for path in written))


def run_command(*words: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command line of `latentlab` in a process, see `run_code`."""
    return run_code(COMMAND, *words, cwd=cwd)


def _end(process: Any) -> int:
    process.join(_SECONDS)
    if process.exitcode is None:
        process.kill()
        raise TimeoutError(f"a process had not ended after {_SECONDS} seconds")
    return process.exitcode


def _on_pipes(code: str, words: list[str], environment: dict[str, str], stdin: Any, stdout: Any) -> None:
    for number, end in enumerate((stdin, stdout)):
        os.dup2(end.fileno(), number)
        end.close()
    _execute(code, words, environment)


def _on_files(code: str, words: list[str], environment: dict[str, str], cwd: Path, written: list[Path]) -> None:
    for number, path in enumerate(written, 1):
        os.dup2(os.open(path, os.O_WRONLY), number)
    os.chdir(cwd)
    _execute(code, words, environment)


def _execute(code: str, words: list[str], environment: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.argv = ["-c", *words]
    try:
        exec(compile(code, "<program>", "exec"), {"__name__": "__main__"})
    except Exception:
        traceback.print_exc()
        sys.exit(1)
