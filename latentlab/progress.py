"""Progress of long work: a bar by default, nothing, or whatever the caller makes of (done, total).

Functions that take long have an argument `progress`: True for a bar, False for silence, or a `Stage` of your own::

    @contextmanager
    def stage(title, unit="image"):
        yield lambda done, total, note="": print(f"{title}: {done} of {total} {unit}s {note}")
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from stylegan2.describing import printable


class Step(Protocol):
    """A callback for progress: how much is done, how much there is, and a note such as the loss."""

    def __call__(self, done: int, total: int, note: str = "") -> object: ...


class Stage(Protocol):
    """A way to show stages: called with a title and what is counted, it gives a context that yields a `Step`."""

    def __call__(self, title: str, unit: str = "image") -> AbstractContextManager[Step]: ...


def stage_of(progress: bool | Stage) -> Stage:
    """Return the stage that an argument `progress` stands for: `bar` for True, `silent` for False, or itself.

    Raises
    ------
    TypeError
        If it is something else.
    """
    if isinstance(progress, bool):
        return bar if progress else silent
    if not callable(progress):
        raise TypeError(f"progress is True, False, or a stage (see latentlab.progress), not {progress!r}")
    return progress


def titled(progress: bool | Stage, shown: str) -> Stage:
    """Return a stage that shows the title `shown`, whatever it is called with."""

    def stage(title: str, unit: str = "image") -> AbstractContextManager[Step]:
        return stage_of(progress)(shown, unit)

    return stage


@contextmanager
def silent(title: str, unit: str = "image") -> Iterator[Step]:
    """Show nothing."""
    yield lambda done, total, note="": None


@contextmanager
def bar(title: str, unit: str = "image") -> Iterator[Step]:
    """Show a bar with its rate and the time that is left: on standard error, or as a widget in a notebook.

    What was done before the first call counts as done, but not for the rate.
    """
    from tqdm.auto import tqdm

    with tqdm(desc=f"{printable(title):<22}", unit=unit, dynamic_ncols=True) as line:

        def step(done: int, total: int, note: str = "") -> None:
            if line.total is None:
                line.reset(total)
                line.initial = line.n = done
            line.set_postfix_str(printable(note), refresh=False)
            line.update(done - line.n)

        yield step
