"""Progress of long work: the library calls back with (done, total), and whoever listens draws the bar."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Step(Protocol):
    """Called with how much is done of how much, and perhaps a word on how well."""

    def __call__(self, done: int, total: int, note: str = "") -> object: ...


class Stage(Protocol):
    """Called with the title of a stage and what is counted in it; its context gives the stage's Step."""

    def __call__(self, title: str, unit: str = "image") -> AbstractContextManager[Step]: ...


@contextmanager
def silent(title: str, unit: str = "image") -> Iterator[Step]:
    """A stage that shows nothing."""
    yield lambda done, total, note="": None


@contextmanager
def bar(title: str, unit: str = "image") -> Iterator[Step]:
    """A stage shown as a bar with its pace and the time that is left, on standard error.

    What was done before the first call counts as done, but not for the pace.
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
