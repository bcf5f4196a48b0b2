"""Finders in the space S: the few style channels that go with an attribute, from samples alone.

x is `(n, C)`: the styles of samples, each channel standardised over the population
(`latentlab.directions.StyleSpace.standardise`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentlab.directions.direction import Space
from latentlab.directions.finders import LinearFinder, Target, check_rows, check_training, score_logits
from latentlab.errors import UserError


def strongest(values: NDArray[np.float64], count: int, by: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """Keep the `count` values `(C,)` that are largest, without regard to sign, and set the others to 0.

    Parameters
    ----------
    values
        `(C,)`.
    count
        Number of values to keep.
    by
        `(C,)`: what the values are ranked by instead.

    Raises
    ------
    UserError
        If there are fewer than `count` values.
    """
    if not 1 <= count <= len(values):
        raise UserError(f"channels are chosen from 1 to all {len(values)}, not {count}")
    order = np.argsort(-np.abs(values if by is None else by), kind="stable")
    kept = np.zeros_like(values)
    kept[order[:count]] = values[order[:count]]
    return kept


class StyleCorrelation(LinearFinder):
    """The style channels that correlate most with the logit of the score, each moved by its correlation.

    As channels are in units of their standard deviation, one that tells more about the attribute moves further. The
    hyperplane is where the regression of the logit on the coordinate is zero.

    Parameters
    ----------
    channels
        Number of channels that move.

    Attributes
    ----------
    correlations_
        `(C,)`: correlation of each channel with the logit; 0 for constant channels.
    """

    target: Target = "scores"
    space: Space = "s"

    def __init__(self, channels: int = 10) -> None:
        self.channels = channels

    def fit(self, x: NDArray[Any], y: NDArray[Any]) -> StyleCorrelation:
        """Fit on standardised styles `x (n, C)` and scores `y (n,)` in [0, 1].

        Raises
        ------
        UserError
            If scores lie outside [0, 1], or all are equal.
        """
        logits = score_logits(y, "correlation with the logit")
        x = check_rows(x, logits)
        self.correlations_ = correlations(x, logits)
        self._set(strongest(self.correlations_, self.channels), 0.0)
        slope, offset = np.polyfit(x @ self.direction_, logits, 1)
        self.intercept_ = float(offset / slope)
        return self


class StyleZScore(LinearFinder):
    r"""The style channels that a few exemplars have in common and the population does not.

    Exemplars are the rows whose label is positive. Channels are ranked by :math:`|\mu| / \sigma`, with the mean and the
    standard deviation of their z-scores among the exemplars (Wu et al. 2021, StyleSpace, section 5), and moved by
    :math:`\mu`. It is made for ten to thirty exemplars that show the attribute clearly. The hyperplane lies halfway
    between the classes.

    Parameters
    ----------
    channels
        Number of channels that move.

    Attributes
    ----------
    relevances_
        `(C,)`: what channels are ranked by.
    """

    target: Target = "labels"
    space: Space = "s"

    def __init__(self, channels: int = 10) -> None:
        self.channels = channels

    def fit(self, x: NDArray[Any], y: NDArray[np.bool_]) -> StyleZScore:
        """Fit on standardised styles `x (n, C)` and boolean labels `y (n,)`.

        Raises
        ------
        UserError
            If a class has fewer than two rows, or a row is not finite.
        """
        x, y = check_training(x, y)
        mean, spread = x[y].mean(axis=0), x[y].std(axis=0)
        unbounded = np.where(mean == 0, 0.0, np.inf)  # of a channel that is the same in all exemplars
        self.relevances_ = np.divide(np.abs(mean), spread, out=unbounded, where=spread > 0)
        slope = strongest(mean, self.channels, by=self.relevances_)
        self._set(slope, -slope @ (mean + x[~y].mean(axis=0)) / 2)
        return self


def correlations(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pearson's correlation of each column of `x (n, C)` with `y (n,)`: `(C,)`, 0 for constant columns."""
    centred = y - y.mean()
    covariance = centred @ x  # x need not be centred
    spread = len(y) * x.std(axis=0) * y.std()
    known = spread > 1e-9 * spread.max(initial=0)
    return np.asarray(np.divide(covariance, spread, out=np.zeros(len(spread)), where=known))
