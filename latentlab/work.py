"""Work on many items that do not depend on each other: in this process, or on the workers of a cluster.

A job says how a process prepares itself (`make`), and what it then does with one item. `run` does that here, one item
after the other; within `latentlab.cluster(...)` the items go to workers. Jobs know nothing of either, and write what
they make themselves, whole or not at all: so it does not matter who works on an item, or how often.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, TypeVar

from latentlab.progress import Stage, Step, silent

Here = TypeVar("Here")
Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Lost:
    """What takes the place of an item's result where two workers ended while working on it.

    Attributes
    ----------
    reason
        Why, without a full stop.
    """

    reason: str


Made: TypeAlias = Callable[[Any], Any]


class Workers(Protocol):
    """Processes that work on items side by side."""

    def __call__(self, make: Callable[[None], Made], items: Iterable[Any]) -> Iterator[tuple[int, Any]]:
        """Yield the number of each item and its result, as they are done; an item may be lost, see `Lost`."""
        ...


_WORKERS: ContextVar[Workers | None] = ContextVar("workers", default=None)


@contextmanager
def working_on(workers: Workers) -> Iterator[None]:
    """Give the items of every `run` in the block to these workers."""
    token = _WORKERS.set(workers)
    try:
        yield
    finally:
        _WORKERS.reset(token)


def run(
    make: Callable[[Here | None], Callable[[Item], Result]], items: Iterable[Item], here: Here
) -> Iterator[tuple[int, Result | Lost]]:
    """Yield the number of each item, from 0, and its result: in their order here, and on workers as they are done.

    Parameters
    ----------
    make
        Called once in each process that works; what it returns is called with one item after the other. It is sent to
        workers with all that it holds, and so are the items and their results.
    items
        The items; they are taken as workers become free, so there may be any number of them.
    here
        What `make` gets in this process, such as its progress bar; on workers it gets None.

    Raises
    ------
    Exception
        The first that `make`, or the work on an item, raises anywhere.
    """
    workers = _WORKERS.get()
    if workers is not None:
        yield from workers(make, items)
        return
    work = make(here)
    for number, item in enumerate(items):
        yield number, work(item)


def stage_of_workers(stage: Stage) -> Stage:
    """Return a stage over all items of a job whose items show stages of their own in this process, and none elsewhere.

    It is `stage` where the items go to workers, and shows nothing where they are done here.
    """
    return silent if _WORKERS.get() is None else stage


def counted(results: Iterable[Result], total: int, step: Step) -> Iterator[Result]:
    """Yield what `run` gives, and tell `step` how many of all there are so far."""
    step(0, total)
    for done, result in enumerate(results, 1):
        step(done, total)
        yield result


def share_out(
    make: Callable[[None], Callable[[Item], object]], items: Collection[Item], stage: Stage, title: str
) -> None:
    """Have workers, if there are any, do in advance what is found done later; whoever needs the rest does it itself.

    Parameters
    ----------
    make, items
        See `run`; results are ignored.
    stage, title
        What shows how many of the items are done, and the title that says what is done with them.

    Raises
    ------
    Exception
        The first that is raised on a worker.
    """
    if _WORKERS.get() is not None:
        with stage(title) as step:
            for _ in counted(run(make, items, None), len(items), step):
                pass


def in_order(results: Iterator[tuple[int, Result]]) -> Iterator[tuple[int, Result]]:
    """Yield what `run` gives in the order of the items, and hold back what is done too early."""
    early: dict[int, Result] = {}
    following = 0
    for number, result in results:
        early[number] = result
        while following in early:
            yield following, early.pop(following)
            following += 1
