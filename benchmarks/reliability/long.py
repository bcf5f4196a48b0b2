"""Long runs: memory and throughput of the first and the last tenth of many samples, and of many photos."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import things
import tiny
from table import Table

import latentlab as ll
from latentlab.pipelines.photos.settings import photo_recipe
from latentlab.progress import Step, bar

MORE_MEMORY = 100_000_000  # bytes that the last tenth may have beyond the first
LESS_THROUGHPUT = 0.7  # share of the first tenth's that the last has to reach


@dataclass
class Course:
    """How far a run was, when, and with how much memory."""

    unit: str
    done: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)

    def note(self, done: int) -> None:
        """Note where the run is."""
        self.done.append(done)
        self.seconds.append(time.monotonic())
        self.memory.append(_resident())

    @contextmanager
    def stage(self, title: str, unit: str = "image") -> Iterator[Step]:
        """Show a bar, and note each step."""
        with bar(title, unit) as step:

            def both(done: int, total: int, note: str = "") -> None:
                self.note(done)
                step(done, total, note)

            yield both

    def tenth(self, k: int) -> tuple[float, float]:
        """Units a second, and median of the memory, of the k-th tenth."""
        done, seconds = np.array(self.done), np.array(self.seconds)
        first, last = done[0] + (done[-1] - done[0]) * k / 10, done[0] + (done[-1] - done[0]) * (k + 1) / 10
        rows = np.flatnonzero((done >= first) & (done <= last))
        rate = (done[rows[-1]] - done[rows[0]]) / max(seconds[rows[-1]] - seconds[rows[0]], 1e-9)
        return float(rate), float(np.median(np.array(self.memory)[rows]))

    def failures(self) -> list[str]:
        """What is not flat, in words."""
        (rate, memory), (last_rate, last_memory) = self.tenth(0), self.tenth(9)
        found = []
        if last_memory > memory + MORE_MEMORY:
            found.append(f"memory grows from {memory / 1e6:.0f} to {last_memory / 1e6:.0f} MB")
        if last_rate < LESS_THROUGHPUT * rate:
            found.append(f"throughput falls from {rate:.2f} to {last_rate:.2f} {self.unit}s a second")
        return found


def _resident() -> int:
    with open("/proc/self/status", encoding="ascii") as file:
        (line,) = (line for line in file if line.startswith("VmRSS:"))
    return 1024 * int(line.split()[1])


def samples(number: int, scratch: Path) -> Course:
    """Draw and score so many samples of a tiny generator."""
    course = Course("sample")
    components = ll.Components.load(tiny.generator(tiny.OF_COMMANDS), "attributes", device="cpu")
    ll.sample(components, ll.LabelSettings(number, 0, precision="float32"), scratch / "samples", 16, course.stage)
    return course


def photos(number: int, scratch: Path) -> dict[str, Course]:
    """Align, then project and edit the same small photo so many times, under as many names."""
    aligned, edited = Course("photo"), Course("photo")
    things.make(scratch)
    (scratch / "many").mkdir()
    paths = [scratch / "many" / f"{k:05d}.png" for k in range(number)]
    for path in paths:
        path.symlink_to(scratch / "photos" / "face0.png")
    components = ll.Components.load(scratch / things.NETWORK, detector="dlib68-aligned", device="cpu")
    recipe = photo_recipe(steps=2, tune=False)
    settings = ll.PhotoEditSettings(projection=recipe.projection, tuning=recipe.tuning)
    direction = ll.Direction.load(scratch / things.DIRECTION)
    with bar("editing photos", "photo") as step:
        jobs = ll.edit_photos(
            paths, direction, [-1.0, 1.0], components, settings, scratch / "edits", progress=False,
            on_checks=lambda photo: aligned.note(len(aligned.done) + 1),
        )  # fmt: skip
        for k, (path, result) in enumerate(jobs):
            if isinstance(result, ll.UserError):
                raise RuntimeError(f"{path.name} failed: {result}")
            edited.note(k + 1)
            step(k + 1, number)
    return {"photos, aligned": aligned, "photos, edited": edited}


def run_all(number_of_samples: int, number_of_photos: int) -> dict[str, Course]:
    """Do both."""
    with tempfile.TemporaryDirectory(prefix="reliability-") as scratch:
        found = {
            "samples": samples(number_of_samples, Path(scratch)),
            **photos(number_of_photos, Path(scratch)),
        }
    for name, course in found.items():
        for failure in course.failures():
            print(f"failure: long, {name}: {failure}")
    return found


def table(courses: dict[str, Course]) -> Table:
    """The figures, a row a run."""
    rows = []
    for name, course in courses.items():
        (rate, memory), (last_rate, last_memory) = course.tenth(0), course.tenth(9)
        rows.append(
            [
                f"{course.done[-1]} {name}",
                f"{rate:.2f}",
                f"{last_rate:.2f}",
                f"{memory / 1e6:.0f}",
                f"{last_memory / 1e6:.0f}",
            ]
        )
    head = ["run", "a second, first tenth", "last tenth", "memory, first tenth, MB", "last tenth"]
    return Table("Long runs", head, rows)
