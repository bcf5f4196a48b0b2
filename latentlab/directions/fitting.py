"""Learn a direction from a sample table and judge it on rows that were held out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentlab import registry
from latentlab.directions.direction import Direction
from latentlab.directions.finders import Classifier, Finder, Target
from latentlab.directions.of_finders import directions_of
from latentlab.directions.statistics import DirectionStatistics, card_figures, evaluate
from latentlab.errors import UserError
from latentlab.samples.table import SampleTable, split
from latentlab.scorers.scores import check_classes
from latentlab.scorers.threshold import NEITHER, POSITIVE, Threshold


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
    table: SampleTable,
    attribute: str,
    method: str | Finder = "svm",
    name: str | None = None,
    test_share: float = 0.25,
    threshold: float | str | Threshold | None = None,
) -> Fit:
    """Learn the direction along which an attribute grows, and judge it on held-out rows.

    A finder that has no `decision_function` is not judged. Rows that a threshold of two numbers leaves between the
    classes count for the population's sigma and for finders that learn from scores, and for nothing else.

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
    threshold
        Score above which a row is positive: a number, 'median' or quantiles of the rows to learn from, see
        `latentlab.scorers.Threshold.parse`. By default the table's own; without one, a row is positive where the score
        is the largest of several or, alone, exceeds one half. Finders that learn from scores get them with the
        threshold at one half, see `Threshold.centre`.

    Raises
    ------
    UserError
        If there is no such score or method, or the rows lack one of the classes.
    """
    finder = registry.finders.load(method)() if isinstance(method, str) else method
    target = _target_of(finder)
    learn, judge = table, None
    if test_share != 0:
        train, test = split(table, test_share)
        learn, judge = table.subset(train), table.subset(test)
    if target is not None or isinstance(finder, Classifier):
        learn = learn.resolve(attribute, threshold)
    n_train = _fit_finder(finder, target, learn, attribute)
    held_out = None
    if judge is not None and isinstance(finder, Classifier):
        w, positive = _classes(replace(judge, threshold=learn.threshold), attribute, "the held-out rows")
        held_out = evaluate(finder, w, positive)
    statistics = card_figures(n_train, held_out)
    if target is not None and learn.threshold is not None:
        statistics["threshold"] = str(learn.threshold)
    first, *others = directions_of(
        finder,
        learn.w,
        attribute if name is None else name,
        statistics=statistics,
        generator=table.generator,
        scorer=table.scorer,
    )
    return Fit(first, held_out, tuple(others))


def _target_of(finder: Finder) -> Target:
    """What a finder learns from; UserError if it does not say."""
    target: Any = getattr(finder, "target", "nothing")
    if target not in ("labels", "scores", None):
        raise UserError(
            f"the finder {type(finder).__name__} must say what it learns from by its class attribute `target`: "
            f"'labels', 'scores' or None, not {target!r}"
        )
    found: Target = target
    return found


def _fit_finder(finder: Finder, target: Target, learn: SampleTable, attribute: str) -> int:
    """Fit a finder to what it learns from; the number of rows that it was given."""
    if target is None:
        finder.fit(learn.w, None)
        return len(learn)
    if target == "labels":
        w, positive = _classes(learn, attribute, "the training rows")
        finder.fit(w, positive)
        return len(w)
    scores = learn.column(attribute)
    finder.fit(learn.w, scores if learn.threshold is None else learn.threshold.centre(scores))
    return len(learn)


def _classes(rows: SampleTable, attribute: str, where: str) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """w and labels of the rows that are positive or negative; UserError if there are none of either."""
    labels = rows.labels(attribute)
    check_classes(labels, rows.column(attribute), where, attribute)
    kept = labels != NEITHER
    return rows.w[kept], labels[kept] == POSITIVE
