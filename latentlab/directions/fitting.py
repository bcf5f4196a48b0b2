"""Learn directions from a sample table and judge them on rows that were held out."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentlab import registry
from latentlab.directions.direction import Direction
from latentlab.directions.finders import Classifier, Finder, Target
from latentlab.directions.needs import fill_in, points_of, settle_space, space_of_samples
from latentlab.directions.of_finders import directions_of, space_of
from latentlab.directions.statistics import DirectionStatistics, card_figures, evaluate
from latentlab.directions.styles import StyleSpace
from latentlab.directions.teaching import SCORE
from latentlab.errors import UserError
from latentlab.rendering import Renderer
from latentlab.reprs import ShortRepr
from latentlab.samples.table import SampleTable, split
from latentlab.scorers.base import Scorer
from latentlab.scorers.scores import check_classes, check_score
from latentlab.scorers.threshold import NEITHER, POSITIVE, ThresholdLike


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
    threshold: ThresholdLike | None = None,
    renderer: Renderer | None = None,
    scorer: Scorer | None = None,
) -> Fit:
    """Learn the direction along which an attribute grows, and judge it on held-out rows.

    A finder of W learns in Z where the samples are of a generator without W. One that has no `decision_function` is not
    judged. Rows that a threshold of two numbers leaves between the classes count for the population's sigma and for
    finders that learn from scores, and for nothing else; rows without a score (NaN) count for the population's sigma
    alone, and their number is on the card.

    Parameters
    ----------
    table
        Samples; `latentlab.samples.split` decides which of them are held out.
    attribute
        Name of the score to learn from and to judge by. For a finder that learns from no score, what its components
        are called.
    method
        A finder's name ('svm', 'mean', 'ridge', …, or one that another package registers), or a finder. A given finder
        is fitted in place, so that its other results can be looked at afterwards.
    name
        Name of the attribute in the direction's card; by default its name in the table.
    test_share
        Share of the rows to hold out, from 0 to below 1. At 0 the direction is learnt on all rows and not judged.
    threshold
        Score above which a row is positive: a number, 'median' or quantiles of the rows to learn from, or one for each
        of several scores, see `latentlab.scorers.parse_threshold`. By default the table's own; without one, a row is
        positive where the score is the largest of several or, alone, exceeds one half. Finders that learn from scores
        get them with the threshold at one half, see `Threshold.centre`.
    renderer
        Generator of the samples, for finders of space s or z, and for those that look through the generator: it is
        given to a finder with a parameter `renderer` that is None.
    scorer
        Scorer of the samples, which is given to a finder with a parameter `scorer` that is None.

    Raises
    ------
    UserError
        If there is no such score or method, the rows lack one of the classes, the finder needs a network that is not
        given, or one is not that of the samples.
    """
    finder = _make(method)
    if _target_of(finder) is not None:
        check_score(table.names, attribute)
    data = _prepare(table, finder, test_share, renderer, scorer)
    return _fit(finder, data, attribute, threshold, name)


def fit_many(
    table: SampleTable,
    attributes: Sequence[str],
    method: str | Finder = "svm",
    test_share: float = 0.25,
    threshold: ThresholdLike | None = None,
    renderer: Renderer | None = None,
    scorer: Scorer | None = None,
) -> dict[str, Fit]:
    """Learn a direction for each of several attributes; what they have in common is worked out once.

    Parameters
    ----------
    table
        See `fit`.
    attributes
        Names of the scores to learn from.
    method, test_share, threshold, renderer, scorer
        See `fit`. A given finder stays as it is: copies of it are fitted.

    Returns
    -------
    dict
        What `fit` returns for each attribute.

    Raises
    ------
    UserError
        As `fit` says; or if there are no attributes, or one is given twice.
    """
    if not attributes or len(set(attributes)) < len(attributes):
        raise UserError(f"directions are learnt for attributes, each given once, not for {list(attributes)}")
    finder = _make(method)
    target = _target_of(finder)
    if target is not None:
        for attribute in attributes:
            check_score(table.names, attribute)
    data = _prepare(table, finder, test_share, renderer, scorer)
    if target == "scores" and hasattr(finder, "fit_many"):
        return _fit_together(finder, data, attributes, threshold)
    return {attribute: _fit(copy.copy(finder), data, attribute, threshold) for attribute in attributes}


@dataclass(frozen=True, eq=False, repr=False)
class Examples(ShortRepr):
    """What a finder learns an attribute from, and the rows that judge it: for `latentlab.directions.confidence`.

    Attributes
    ----------
    finder
        The finder, not fitted, with the networks that it needs.
    x, y
        Latents `(n, D)` of the rows to learn from in the finder's space, and what it takes as y: boolean labels or
        scores `(n,)`, or None.
    held_out
        Latents `(m, D)` and boolean labels `(m,)` of the held-out rows.
    """

    finder: Finder
    x: NDArray[Any]
    y: NDArray[Any] | None
    held_out: tuple[NDArray[Any], NDArray[np.bool_]]


def examples_for(
    table: SampleTable,
    attribute: str,
    method: str | Finder = "svm",
    test_share: float = 0.25,
    threshold: ThresholdLike | None = None,
    renderer: Renderer | None = None,
    scorer: Scorer | None = None,
) -> Examples:
    """Return the rows of a table as `fit` would give them to a finder.

    Raises
    ------
    UserError
        As `fit` says; or if no rows are held out.
    """
    finder = _make(method)
    check_score(table.names, attribute)
    data = _prepare(table, finder, test_share, renderer, scorer)
    if data.judge is None:
        raise UserError("a finder is judged by rows that are held out: hold out more than none of them")
    fill_in(finder, data.learn.table, attribute, renderer, scorer, data.styles)
    _, x, y = _taken(finder, data.learn, attribute, threshold)
    learn = _resolved(data.learn, attribute, threshold)
    judge = replace(data.judge, table=replace(data.judge.table, threshold=learn.table.threshold))
    return Examples(finder, x, y, _classes(judge, attribute, "the held-out rows"))


@dataclass(frozen=True, eq=False)
class _Rows:
    """Rows of a table, and their latents x in the finder's space, `(n, D)`."""

    table: SampleTable
    x: NDArray[Any]


@dataclass(frozen=True, eq=False)
class _Data:
    """What the fits of a finder for several attributes have in common."""

    learn: _Rows
    judge: _Rows | None
    styles: StyleSpace | None
    renderer: Renderer | None
    scorer: Scorer | None


def _make(method: str | Finder) -> Finder:
    made: Finder = registry.finders.load(method)() if isinstance(method, str) else method
    return made


def _prepare(
    table: SampleTable, finder: Finder, test_share: float, renderer: Renderer | None, scorer: Scorer | None
) -> _Data:
    """Split the rows and compute their latents in the finder's space."""
    settle_space(finder, table)
    learn, judge = table, None
    if test_share != 0:
        train, test = split(table, test_share)
        learn, judge = table.subset(train), table.subset(test)
    space = space_of(finder)
    styles = space_of_samples(learn, space, renderer)
    held_out = None if judge is None else _Rows(judge, points_of(judge, space, renderer, styles))
    return _Data(_Rows(learn, points_of(learn, space, renderer, styles)), held_out, styles, renderer, scorer)


def _fit(finder: Finder, data: _Data, attribute: str, threshold: ThresholdLike | None, name: str | None = None) -> Fit:
    """Fit a finder, and judge it on the held-out rows."""
    fill_in(finder, data.learn.table, attribute, data.renderer, data.scorer, data.styles)
    learn, x, y = _taken(finder, data.learn, attribute, threshold)
    finder.fit(x, y)
    return _judged(finder, replace(data, learn=learn), attribute, name, len(x))


def _taken(
    finder: Finder, learn: _Rows, attribute: str, threshold: ThresholdLike | None
) -> tuple[_Rows, NDArray[Any], NDArray[Any] | None]:
    """The rows with their threshold, and the latents x and the y that the finder takes of them."""
    target = _target_of(finder)
    if target is not None or isinstance(finder, Classifier):
        learn = _resolved(learn, attribute, threshold)
    if target is None:
        return learn, learn.x, None
    if target == "labels":
        return learn, *_classes(learn, attribute, "the training rows")
    known = _scored(learn, attribute)
    return learn, learn.x[known], _centred(learn.table, attribute)[known]


def _fit_together(
    finder: Any, data: _Data, attributes: Sequence[str], threshold: ThresholdLike | None
) -> dict[str, Fit]:
    """Fit a finder that learns from scores for several attributes at once, as far as they have the same rows."""
    learn = {attribute: _resolved(data.learn, attribute, threshold) for attribute in attributes}
    known = {attribute: _scored(rows, attribute) for attribute, rows in learn.items()}
    found = {}
    for rows in {mask.tobytes(): mask for mask in known.values()}.values():
        group = [attribute for attribute in attributes if np.array_equal(known[attribute], rows)]
        y = np.stack([_centred(learn[attribute].table, attribute)[rows] for attribute in group], axis=1)
        for attribute, fitted in zip(group, finder.fit_many(data.learn.x[rows], y), strict=True):
            found[attribute] = _judged(fitted, replace(data, learn=learn[attribute]), attribute, None, len(y))
    return {attribute: found[attribute] for attribute in attributes}


def _judged(finder: Finder, data: _Data, attribute: str, name: str | None, n_train: int) -> Fit:
    """Judge a fitted finder on the held-out rows, and make its directions."""
    table, held_out = data.learn.table, None
    if data.judge is not None and isinstance(finder, Classifier):
        judge = replace(data.judge, table=replace(data.judge.table, threshold=table.threshold))
        held_out = evaluate(finder, *_classes(judge, attribute, "the held-out rows"))
    statistics = card_figures(n_train, held_out)
    if _target_of(finder) is not None:
        statistics |= _labelling(table, attribute)
    first, *others = directions_of(
        finder,
        data.learn.x,
        attribute if name is None else name,
        statistics=statistics,
        generator=table.generator,
        scorer=table.scorer,
        styles=data.styles,
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


def _resolved(rows: _Rows, attribute: str, threshold: ThresholdLike | None) -> _Rows:
    """The rows with a threshold of the attribute in numbers."""
    return replace(rows, table=rows.table.resolve(attribute, threshold))


def _scored(rows: _Rows, attribute: str) -> NDArray[np.bool_]:
    """Which rows have a score, `(n,)`; UserError if there are none."""
    known = ~rows.table.missing(attribute)
    if not known.any():
        raise UserError(f"none of the {len(known)} training rows has a score of {attribute}: draw more samples")
    return known


def _centred(table: SampleTable, attribute: str) -> NDArray[Any]:
    """Scores `(n,)`, with the threshold at one half if there is one."""
    scores, threshold = table.column(attribute), table.threshold_for(attribute)
    return scores if threshold is None else threshold.centre(scores)


def _classes(rows: _Rows, attribute: str, where: str) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Latents and labels of the rows that are positive or negative; UserError if there are none of either."""
    labels = rows.table.labels(attribute)
    check_classes(labels, rows.table.column(attribute), where, attribute)
    kept = labels != NEITHER
    return rows.x[kept], labels[kept] == POSITIVE


def _labelling(learn: SampleTable, attribute: str) -> dict[str, int | str]:
    """Entries of the card: the score, the threshold of its labels, and how many rows lack it."""
    threshold, unscored = learn.threshold_for(attribute), int(learn.missing(attribute).sum())
    entries: dict[str, int | str] = {SCORE: attribute}
    if threshold is not None:
        entries["threshold"] = str(threshold)
    return entries | ({"n_without_score": unscored} if unscored else {})
