"""Progress of long work: the library calls back with (done, total), and whoever listens draws the bar."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from tqdm import tqdm

# Called with (done, total).
Step = Callable[[int, int], object]
# Called with the title of a stage; its context gives the stage's Step.
Stage = Callable[[str], AbstractContextManager[Step]]


@contextmanager
def silent(title: str) -> Iterator[Step]:
    """A stage that shows nothing."""
    yield lambda done, total: None


@contextmanager
def bar(title: str) -> Iterator[Step]:
    """A stage shown as a bar with its pace and the time that is left, on standard error.

    What was done before the first call counts as done, but not for the pace.
    """
    with tqdm(desc=f"{title:<22}", unit="picture", dynamic_ncols=True) as line:

        def step(done: int, total: int) -> None:
            if line.total is None:
                line.reset(total)
                line.initial = line.n = done
            line.update(done - line.n)

        yield step
