"""Long work in a thread of its own: it reports what it does, and ends soon after it is cancelled."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Generic, TypeVar

from torch import Tensor

from latentlab.progress import Step

T = TypeVar("T")


class Cancelled(Exception):
    """The work was cancelled."""


@dataclass(frozen=True)
class Update:
    """How far a work is.

    Attributes
    ----------
    title
        What it does.
    done, total
        How much is done, and how much there is.
    unit, note
        What is counted, and a word on it, such as the loss.
    image
        `(1, 3, h, w)`: what it made last; None where it made none.
    """

    title: str = ""
    done: int = 0
    total: int = 0
    unit: str = ""
    note: str = ""
    image: Tensor | None = field(default=None, repr=False)

    def __str__(self) -> str:
        counted = f": {self.done} of {self.total} {self.unit}s" if self.total else ""
        return f"{self.title}{counted}" + (f", {self.note}" if self.note else "")


@dataclass(frozen=True)
class Finished(Generic[T]):
    """The result of a work."""

    result: T


class Report:
    """What a work calls to tell how far it is; every call raises `Cancelled` once the work is to end."""

    def __init__(self) -> None:
        self._updates: SimpleQueue[Update | Finished[object] | BaseException] = SimpleQueue()
        self._cancelled = threading.Event()
        self._last = Update()

    def cancel(self) -> None:
        """Let the work end at its next call."""
        self._cancelled.set()

    @contextmanager
    def stage(self, title: str, unit: str = "image") -> Iterator[Step]:
        """A `latentlab.progress.Stage`."""
        self._put(Update(title, unit=unit, image=self._last.image))

        def step(done: int, total: int, note: str = "") -> None:
            self._put(Update(title, done, total, unit, note, self._last.image))

        yield step

    def show(self, image: Tensor) -> None:
        """Show an image `(1, 3, h, w)` beside what was told last."""
        last = self._last
        self._put(Update(last.title, last.done, last.total, last.unit, last.note, image))

    def _put(self, update: Update) -> None:
        if self._cancelled.is_set():
            raise Cancelled
        self._last = update
        self._updates.put(update)

    def run(self, work: Callable[[Report], object]) -> None:
        """Do the work in this thread; its result, or what it raised, is passed on."""
        try:
            self._updates.put(Finished(work(self)))
        except BaseException as error:  # which the thread that waits for it raises
            self._updates.put(error)

    def next(self) -> Update | Finished[object]:
        """Wait for the next update and pass over those that are outdated; raises what the work raised."""
        found = self._updates.get()
        while isinstance(found, Update) and not self._updates.empty():
            found = self._updates.get()
        if isinstance(found, BaseException):
            raise found
        return found


class Works:
    """The work of each visitor, of whom each has one at a time."""

    def __init__(self) -> None:
        self._reports: dict[str, Report] = {}
        self._threads: set[threading.Thread] = set()
        self._lock = threading.Lock()

    def follow(self, visitor: str, work: Callable[[Report], T]) -> Iterator[Update | Finished[T]]:
        """Do a visitor's work in a thread, and yield how far it is and, last, its result.

        An earlier work of the visitor is cancelled, and so is this one where nobody asks for the next update any more.

        Raises
        ------
        Cancelled
            If it was cancelled; whatever else the work raises.
        """
        report = Report()
        with self._lock:
            before, self._reports[visitor] = self._reports.get(visitor), report
        if before is not None:
            before.cancel()
        thread = threading.Thread(target=report.run, args=(work,), daemon=True)
        with self._lock:
            self._threads = {one for one in self._threads if one.is_alive()} | {thread}
            thread.start()
        try:
            while True:
                found = report.next()
                yield found  # type: ignore[misc]
                if isinstance(found, Finished):
                    return
        finally:
            report.cancel()
            with self._lock:
                if self._reports.get(visitor) is report:
                    del self._reports[visitor]

    def cancel(self, visitor: str) -> bool:
        """Cancel a visitor's work; False where there is none."""
        with self._lock:
            report = self._reports.get(visitor)
        if report is not None:
            report.cancel()
        return report is not None

    def close(self, seconds: float = 20.0) -> None:
        """Cancel all work, and wait for its end: threads that a program leaves behind crash in their networks."""
        with self._lock:
            reports, threads = list(self._reports.values()), list(self._threads)
        for report in reports:
            report.cancel()
        end = time.monotonic() + seconds
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))
