"""What a method costs: time that survives a stop, and memory."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import torch

from latentlab.files import read_json, remove, write_json
from latentlab.progress import Stage, Step

_SAVE_SECONDS = 5.0


@dataclass(frozen=True)
class Seconds:
    """What a file of seconds holds.

    Attributes
    ----------
    seconds
        The seconds.
    """

    seconds: Annotated[float, msgspec.Meta(ge=0)]


class Stopwatch:
    """Seconds spent on a piece of work, summed over all runs that it took.

    Parameters
    ----------
    path
        File of the seconds; for a killed run, the time up to its last note is counted.
    """

    def __init__(self, path: Path):
        self._path = path
        self._before = read_json(path, Seconds).seconds if path.exists() else 0.0
        self._begun = self._noted = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds so far."""
        return self._before + time.monotonic() - self._begun

    def note(self) -> None:
        """Write the seconds to the file."""
        self._noted = time.monotonic()
        write_json(self._path, {"seconds": self.seconds})

    def forget(self) -> None:
        """Remove the file: the work is done, and its seconds are written elsewhere."""
        remove(self._path)

    def watching(self, stage: Stage) -> Stage:
        """Wrap a stage so that its steps also write the seconds from time to time."""

        @contextmanager
        def watched(title: str, unit: str = "image") -> Iterator[Step]:
            with stage(title, unit) as step:

                def noted(done: int, total: int, note: str = "") -> None:
                    step(done, total, note)
                    if time.monotonic() - self._noted > _SAVE_SECONDS:
                        self.note()

                yield noted

        return watched


class PeakMemory:
    """Peak memory of the process and, where there is one, of the CUDA device, from now on, in GB.

    Linux can reset the peak (clear_refs(5)); elsewhere it is the peak since the process began.
    """

    def __init__(self) -> None:
        if sys.platform == "linux":
            with suppress(OSError):  # a container may forbid it
                Path("/proc/self/clear_refs").write_text("5")
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()

    def gigabytes(self) -> dict[str, float]:
        """Return 'memory_gigabytes' where the system reports it and, with CUDA, 'device_gigabytes'."""
        peak = _peak_bytes()
        found = {} if peak is None else {"memory_gigabytes": peak / 1e9}
        if torch.cuda.is_available():
            found["device_gigabytes"] = torch.cuda.max_memory_allocated() / 1e9
        return found


def _peak_bytes() -> float | None:
    if sys.platform == "linux":
        lines = Path("/proc/self/status").read_text().splitlines()
        return next((1024 * float(line.split()[1]) for line in lines if line.startswith("VmHWM:")), None)
    if sys.platform == "win32":
        return None
    import resource  # Windows has none

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak if sys.platform == "darwin" else peak * 1024)
