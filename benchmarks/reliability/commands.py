"""The command line as a process of its own: begun, killed after a while, or run to its end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 600  # seconds after which a command hangs


@dataclass(frozen=True)
class Ended:
    """How a process ended: exit code, or less than 0 for a signal; what it printed; seconds that it took."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def lines(self) -> list[str]:
        """Lines on standard error, the last state of each progress bar left out."""
        return [line for line in self.err.splitlines() if line.strip() and "\r" not in line]


def environment(**changes: str) -> dict[str, str]:
    """The environment of commands: this repository's packages, and one thread, which gives the same bits everywhere."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "STYLEGAN2_KEEP_MEMORY": "0", **changes}


def command(words: Sequence[object]) -> list[str]:
    """The whole command line of `latentlab WORDS`."""
    return [sys.executable, "-m", "latentlab", *map(str, words)]


def start(
    words: Sequence[object], folder: Path, prefix: Sequence[str] = (), env: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Begin `latentlab WORDS` in a folder, behind the words of another program if there are any; see `end`."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(
            [*prefix, *command(words)], cwd=folder, env=dict(env or environment()), stdin=subprocess.DEVNULL,
            stdout=out, stderr=err, start_new_session=True,
        )  # fmt: skip
        process.stdout, process.stderr = os.fdopen(os.dup(out.fileno()), "rb"), os.fdopen(os.dup(err.fileno()), "rb")
    return process


def end(process: subprocess.Popen[bytes], after: float = PATIENCE, by: int = signal.SIGKILL) -> Ended:
    """Wait for a process; after so many seconds send it a signal, if it still runs."""
    begun = time.monotonic()
    for seconds, sent in ((after, by), (PATIENCE, signal.SIGKILL)):
        try:
            process.wait(seconds)
            break
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, sent)
    process.wait()
    texts = []
    for stream in (process.stdout, process.stderr):
        assert stream is not None
        with stream:
            stream.seek(0)
            texts.append(stream.read().decode("utf-8", "replace"))
    return Ended(process.returncode, *texts, seconds=time.monotonic() - begun)


def run(
    words: Sequence[object],
    folder: Path,
    after: float = PATIENCE,
    by: int = signal.SIGKILL,
    prefix: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
) -> Ended:
    """Run `latentlab WORDS` in a folder; see `start` and `end`."""
    return end(start(words, folder, prefix, env), after, by)
