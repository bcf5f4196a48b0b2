"""Progress of long work: the library calls back with (done, total), and the caller draws a bar, or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Step(Protocol):
    """A callback for progress: how much is done, how much there is, and a note such as the loss."""

    def __call__(self, done: int, total: int, note: str = "") -> object: ...


class Stage(Protocol):
    """A way to show stages: called with a title and what is counted, it gives a context that yields a `Step`."""

    def __call__(self, title: str, unit: str = "image") -> AbstractContextManager[Step]: ...


@contextmanager
def silent(title: str, unit: str = "image") -> Iterator[Step]:
    """Show nothing."""
    yield lambda done, total, note="": None


@contextmanager
def bar(title: str, unit: str = "image") -> Iterator[Step]:
    """Show a bar with its rate and the time that is left, on standard error.

    What was done before the first call counts as done, but not for the rate.
    """
    from tqdm import tqdm

    with tqdm(desc=f"{title:<22}", unit=unit, dynamic_ncols=True) as line:

        def step(done: int, total: int, note: str = "") -> None:
            if line.total is None:
                line.reset(total)
                line.initial = line.n = done
            line.set_postfix_str(note, refresh=False)
            line.update(done - line.n)

        yield step
