"""Long work in a thread of its own: it reports what it does, and ends soon after it is cancelled."""

from __future__ import annotations

import threading
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
    """How far a piece of work has got.

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
    """The result of a piece of work."""

    result: T


class Report:
    """What work calls to tell how far it has got; every call raises `Cancelled` once the work is to end."""

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

    def tell(self, update: Update | Finished[object] | BaseException) -> None:
        """Pass on what is known of the work outside it: its place in a queue, its result, or what it raised."""
        self._updates.put(update)

    def next(self) -> Update | Finished[object]:
        """Wait for the next update and pass over those that are outdated; raises what the work raised."""
        found = self._updates.get()
        while isinstance(found, Update) and not self._updates.empty():
            found = self._updates.get()
        if isinstance(found, BaseException):
            raise found
        return found


@dataclass(frozen=True, eq=False)
class _Piece:
    """A visitor's work in the queue, and the thread that does it once it is the first."""

    visitor: str
    report: Report
    thread: threading.Thread


class Works:
    """The work of all visitors, one piece at a time: first come, first served."""

    def __init__(self) -> None:
        self._queue: list[_Piece] = []  # the first is at work; it leaves only once its thread is done with it
        self._lock = threading.Lock()

    def follow(self, visitor: str, work: Callable[[Report], T]) -> Iterator[Update | Finished[T]]:
        """Do a visitor's work in a thread, and yield its place in the queue, how far it is and, last, its result.

        The first update comes at once. The work ends, or never starts, once nobody asks for the next update any more.

        Raises
        ------
        Cancelled
            If it was cancelled; whatever else the work raises is raised, too.
        """
        report = Report()
        thread = threading.Thread(target=lambda: self._do(piece, work), daemon=True)
        piece = _Piece(visitor, report, thread)
        try:
            with self._lock:
                self._queue.append(piece)
                self._tell_from(len(self._queue) - 1)
            while True:
                found = report.next()
                yield found  # type: ignore[misc]
                if isinstance(found, Finished):
                    return
        finally:
            with self._lock:
                self._cancel(piece)

    def do(self, visitor: str, work: Callable[[], T]) -> T:
        """Do a visitor's work that reports nothing, and return its result; raises as `follow` does."""
        *_, last = self.follow(visitor, lambda report: work())
        assert isinstance(last, Finished)
        return last.result

    def cancel(self, visitor: str) -> bool:
        """Cancel a visitor's work; what waits never starts. False where there is none."""
        with self._lock:
            pieces = [piece for piece in self._queue if piece.visitor == visitor]
            for piece in pieces:
                self._cancel(piece)
        return bool(pieces)

    def close(self, seconds: float = 20.0) -> None:
        """Cancel all work, and wait for its end: threads that a program leaves behind crash in their networks."""
        with self._lock:
            first = self._queue[:1]
            for piece in self._queue.copy():
                self._cancel(piece)
        for piece in first:
            piece.thread.join(seconds)

    def _do(self, piece: _Piece, work: Callable[[Report], object]) -> None:
        """Do the work in this thread; its result, or what it raised, is passed on after the next one may start."""
        outcome: Finished[object] | BaseException
        try:
            outcome = Finished(work(piece.report))
        except BaseException as error:  # which the thread that waits for it raises
            outcome = error
        with self._lock:
            self._leave(piece)
        piece.report.tell(outcome)

    # --- what is done under the lock ------------------------------------------------------------------------

    def _cancel(self, piece: _Piece) -> None:
        """Let the work end at its next report; one that waits leaves the queue."""
        piece.report.cancel()
        if piece in self._queue and piece.thread.ident is None:
            self._leave(piece)
            piece.report.tell(Cancelled())

    def _leave(self, piece: _Piece) -> None:
        place = self._queue.index(piece)
        del self._queue[place]
        self._tell_from(place)

    def _tell_from(self, place: int) -> None:
        """Tell those from a place on that they moved up to it, and start the work that came to be the first."""
        for k, piece in enumerate(self._queue[place:], place):
            piece.report.tell(Update(f"waiting: {k} before you" if k else "starting …"))
        if place == 0 and self._queue:
            self._queue[0].thread.start()
