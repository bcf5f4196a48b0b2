"""How far a found direction can be trusted: refits on resampled rows, fewer samples, and another finder beside it."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from latentlab.directions.direction import cosine
from latentlab.directions.finders import Classifier, Finder, check_labels, check_rows
from latentlab.directions.statistics import auc_deviation
from latentlab.errors import UserError
from latentlab.intervals import Interval
from latentlab.progress import Stage, stage_of

_FEWEST = 10  # rows that a learning curve goes down to
_Z = float(norm.ppf(0.975))


@dataclass(frozen=True)
class CurvePoint:
    """What a finder learns from fewer samples.

    Attributes
    ----------
    n
        Number of samples.
    auc
        AUC on the held-out rows.
    cosine
        Cosine to the direction that is learnt from all samples.
    """

    n: int
    auc: Interval
    cosine: Interval


@dataclass(frozen=True)
class Comparison:
    """Two decisions about the same held-out rows.

    Attributes
    ----------
    one, other
        Their AUCs.
    difference
        AUC of the one minus that of the other, with its interval.
    """

    one: float
    other: float
    difference: Interval

    @property
    def better(self) -> str:
        """'one' or 'other', where the interval of the difference excludes 0; else 'neither'."""
        if self.difference.low > 0:
            return "one"
        return "other" if self.difference.high < 0 else "neither"


def bootstrap_cosine(
    finder: Finder,
    x: NDArray[Any],
    y: NDArray[Any] | None,
    resamples: int = 50,
    level: float = 0.95,
    seed: int = 0,
    progress: bool | Stage = True,
) -> Interval:
    """Estimate how far a direction depends on the samples: its cosine to those learnt from resampled rows.

    Rows are drawn with replacement, within the classes where y are labels, and the finder is fitted to them (Efron
    1979). What it chooses by itself, such as the strength of a regulariser, is chosen once, on all rows: rows that
    were drawn twice would stand on both sides of a cross-validation.

    Parameters
    ----------
    finder
        Finder of one direction; it is not changed.
    x, y
        Rows `(n, dim)` of the finder's space, and what it takes as y.
    resamples
        How often rows are drawn.
    level
        Confidence level.
    seed
        Random seed of the drawing.
    progress
        True for a progress bar, False for none, or a `Stage` of your own.

    Returns
    -------
    Interval
        Mean cosine, between percentiles; n is the number of rows.

    Raises
    ------
    UserError
        If there are fewer than two resamples, the finder refuses x or y, or gives several directions.
    """
    if resamples < 2:
        raise UserError(f"a bootstrap takes two resamples at least, not {resamples}")
    x = check_rows(x, y)
    whole = _fitted(finder, x, y)
    again, rng = _settled(whole), np.random.default_rng(seed)
    found = np.empty(resamples)
    with stage_of(progress)("fits to resampled rows", "fit") as step:
        for k in range(resamples):
            rows = _resample(y, len(x), rng)
            found[k] = cosine(_direction(_fitted(again, x[rows], _take(y, rows))), _direction(whole))
            step(k + 1, resamples)
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(found.mean()), float(low), float(high), len(x))


def learning_curve(
    finder: Finder,
    x: NDArray[Any],
    y: NDArray[Any],
    held_out: tuple[NDArray[Any], NDArray[np.bool_]],
    halvings: int = 4,
    repeats: int = 10,
    seed: int = 0,
    progress: bool | Stage = True,
) -> tuple[CurvePoint, ...]:
    """Learn from all samples, half of them, a quarter, …, to see whether more of them would help.

    Parameters
    ----------
    finder
        Finder of one direction, with a decision function; it is not changed.
    x, y
        Rows `(n, dim)` of the finder's space, and what it takes as y: labels or scores.
    held_out
        Other rows `(m, dim)` and their boolean labels `(m,)`, by which directions are judged.
    halvings
        How often the number is halved, as long as ten rows are left.
    repeats
        How many parts of each size are drawn.
    seed
        Random seed of the drawing.
    progress
        True for a progress bar, False for none, or a `Stage` of your own.

    Returns
    -------
    tuple of CurvePoint
        From n rows downwards. The 95 % interval of an AUC includes the variance between the parts and that of the
        held-out rows (DeLong et al. 1988), that of a cosine the variance between the parts.

    Raises
    ------
    UserError
        If there are fewer than two repeats, the finder refuses x or y, gives several directions, or cannot be judged.
    """
    if repeats < 2:
        raise UserError(f"the spread between parts takes two of each size at least, not {repeats}")
    x = check_rows(x, y)
    labels = check_labels(held_out[1], "the held-out rows")
    rows_held = check_rows(held_out[0], labels)
    whole, rng = _judge(_fitted(finder, x, y)), np.random.default_rng(seed)
    decision = whole.decision_function(rows_held)
    half = _Z * auc_deviation(labels, decision)
    auc = _clipped(float(roc_auc_score(labels, decision)), half, len(labels))
    points = [CurvePoint(len(x), auc, Interval(1.0, 1.0, 1.0, 1))]
    sizes = [size for k in range(halvings) if (size := len(x) // 2 ** (k + 1)) >= _FEWEST]
    with stage_of(progress)("fits to fewer samples", "fit") as step:
        for k, size in enumerate(sizes):
            parts = np.empty((repeats, 3))
            for number, part in enumerate(parts, 1):
                rows = _part(y, len(x), size, rng)
                fitted = _judge(_fitted(finder, x[rows], _take(y, rows)))
                decision = fitted.decision_function(rows_held)
                part[:] = (
                    roc_auc_score(labels, decision),
                    auc_deviation(labels, decision) ** 2,
                    cosine(_direction(fitted), _direction(whole)),
                )
                step(k * repeats + number, len(sizes) * repeats)
            points.append(_point(size, parts, len(labels)))
    return tuple(points)


def compare_decisions(
    one: NDArray[Any],
    other: NDArray[Any],
    y: NDArray[np.bool_],
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Comparison:
    """Compare two decisions about the same held-out rows by their AUCs, with a paired bootstrap.

    Rows are drawn with replacement within the classes, the same ones for both, so that what makes a row hard for both
    cancels out.

    Parameters
    ----------
    one, other
        Decisions `(n,)`, the larger the more positive: `finder.decision_function(x)`, or `direction.coordinates(…)`;
        the two may be of different spaces.
    y
        Labels `(n,)` of these rows, on which neither was learnt.
    resamples
        How often rows are drawn.
    level
        Confidence level.
    seed
        Random seed of the drawing.

    Raises
    ------
    UserError
        If labels are not boolean or are of one class, or the decisions do not fit them or are not finite.
    """
    y = check_labels(y, "the held-out rows")
    one, other = (np.asarray(decision, dtype=np.float64) for decision in (one, other))
    for decision in (one, other):
        if decision.shape != y.shape or not np.isfinite(decision).all():
            raise UserError(f"decisions are one finite number for each of {len(y)} rows, not {decision.shape}")
    gain = _wins(one, y) - _wins(other, y)  # (positive rows, negative rows)
    rng = np.random.default_rng(seed)
    positive, negative = (rng.multinomial(size, np.full(size, 1 / size), resamples) for size in gain.shape)
    drawn = ((positive @ gain) * negative).sum(axis=1) / gain.size
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    difference = Interval(float(gain.mean()), float(low), float(high), len(y))
    return Comparison(float(roc_auc_score(y, one)), float(roc_auc_score(y, other)), difference)


def _wins(decision: NDArray[np.float64], y: NDArray[np.bool_]) -> NDArray[np.float32]:
    """1 where a positive row lies above a negative one, ½ where they tie, else 0; the mean is the AUC."""
    return ((np.sign(decision[y][:, None] - decision[~y][None]) + 1) / 2).astype(np.float32)


# --- fits ---------------------------------------------------------------------------------------------------


def _fitted(finder: Finder, x: NDArray[np.float64], y: NDArray[Any] | None) -> Finder:
    """A copy of the finder, fitted."""
    found = copy.copy(finder)
    found.fit(x, y)
    return found


def _settled(finder: Finder) -> Finder:
    settled: Callable[[], Finder] | None = getattr(finder, "settled", None)
    return finder if settled is None else settled()


def _direction(finder: object) -> NDArray[np.float64]:
    found = getattr(finder, "direction_", None)
    if found is None:
        raise UserError(f"{type(finder).__name__} gives several directions; this takes a finder of one")
    return np.asarray(found, dtype=np.float64)


def _judge(finder: Finder) -> Classifier:
    if not isinstance(finder, Classifier):
        raise UserError(f"{type(finder).__name__} has no decision_function, by which it could be judged")
    return finder


def _take(y: NDArray[Any] | None, rows: NDArray[np.intp]) -> NDArray[Any] | None:
    return None if y is None else np.asarray(y)[rows]


def _resample(y: NDArray[Any] | None, n: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Draw n rows with replacement, as many of each class as there are."""
    return np.concatenate([rng.choice(rows, len(rows)) for rows in _classes(y, n)])


def _part(y: NDArray[Any], n: int, size: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Draw about `size` rows without replacement, two at least of each class, which keep their shares."""
    return np.concatenate([rng.permutation(rows)[: max(2, round(len(rows) * size / n))] for rows in _classes(y, n)])


def _classes(y: NDArray[Any] | None, n: int) -> list[NDArray[np.intp]]:
    """Rows of each class, where y are labels; else all rows."""
    if y is None or np.asarray(y).dtype != bool:
        return [np.arange(n)]
    return [np.flatnonzero(y), np.flatnonzero(~np.asarray(y))]


# --- intervals ----------------------------------------------------------------------------------------------


def _clipped(value: float, half: float, n: int) -> Interval:
    """Interval of an AUC or a cosine, neither of which exceeds 1."""
    return Interval(value, max(-1.0, value - half), min(1.0, value + half), n)


def _point(size: int, parts: NDArray[np.float64], held: int) -> CurvePoint:
    """Summary of the repeats, rows of AUC, its variance by DeLong, and cosine."""
    auc, variance, cosines = parts.T
    spread = math.sqrt(np.var(auc, ddof=1) + variance.mean())
    angle = float(np.std(cosines, ddof=1))
    return CurvePoint(
        size,
        _clipped(float(auc.mean()), _Z * spread, held),
        _clipped(float(cosines.mean()), _Z * angle, len(parts)),
    )
