"""Learn a direction from a sample table and judge it on rows that were held out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from latentlab import registry
from latentlab.directions.direction import Direction, directions_of
from latentlab.directions.finders import Classifier, Finder
from latentlab.directions.statistics import DirectionStatistics, card_figures, evaluate
from latentlab.errors import UserError
from latentlab.samples.table import SampleTable, split


@dataclass(frozen=True)
class Fit:
    """A learnt direction and its statistics.

    Attributes
    ----------
    direction
        Learnt direction; its card has the statistics too.
    held_out
        Statistics on rows that the direction was not learnt on; None if no rows were held out, or if the finder has
        no decision function.
    others
        Further directions, where the finder gives several components.
    """

    direction: Direction
    held_out: DirectionStatistics | None
    others: tuple[Direction, ...] = ()

    @property
    def directions(self) -> tuple[Direction, ...]:
        """All components; the first is `direction`."""
        return (self.direction, *self.others)


def fit(
    table: SampleTable, attribute: str, method: str | Finder = "svm", name: str | None = None, test_share: float = 0.25
) -> Fit:
    """Learn the direction along which an attribute grows, and judge it on held-out rows.

    A finder that has no `decision_function` is not judged.

    Parameters
    ----------
    table
        Samples; `latentlab.samples.split` decides which of them are held out.
    attribute
        Name of the score to learn from and to judge by.
    method
        A finder's name ('svm', 'mean', 'ridge', or one that another package registers), or a finder. A given finder
        is fitted in place, so that its other results can be looked at afterwards.
    name
        Name of the attribute in the direction's card; by default its name in the table.
    test_share
        Share of the rows to hold out, from 0 to below 1. At 0 the direction is learnt on all rows and not judged.

    Raises
    ------
    UserError
        If there is no such score or method, or the rows lack one of the classes.
    """
    finder = registry.finders.load(method)() if isinstance(method, str) else method
    learn, judge = table, None
    if test_share != 0:
        train, test = split(table, test_share)
        learn, judge = table.subset(train), table.subset(test)
    finder.fit(learn.w, _target_of(finder, learn, attribute))
    held_out = None
    if judge is not None and isinstance(finder, Classifier):
        held_out = evaluate(finder, judge.w, judge.is_positive(attribute))
    first, *others = directions_of(
        finder,
        learn.w,
        attribute if name is None else name,
        statistics=card_figures(len(learn), held_out),
        generator=table.generator,
        scorer=table.scorer,
    )
    return Fit(first, held_out, tuple(others))


def _target_of(finder: Finder, table: SampleTable, attribute: str) -> NDArray[Any] | None:
    """Labels or scores `(n,)` for the finder to learn from; None if it uses w alone."""
    target = getattr(finder, "target", "nothing")
    if target is None:
        return None
    if target == "labels":
        return table.is_positive(attribute)
    if target == "scores":
        return table.column(attribute)
    raise UserError(
        f"the finder {type(finder).__name__} must say what it learns from by its class attribute `target`: "
        f"'labels', 'scores' or None, not {target!r}"
    )
