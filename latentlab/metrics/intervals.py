"""Confidence intervals of means, shares and statistics over images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, bootstrap, norm


@dataclass(frozen=True)
class Interval:
    """A mean, or another statistic, with its confidence interval.

    Attributes
    ----------
    mean
        The value; NaN where nothing was measured.
    low, high
        Ends of the interval.
    n
        Number of images it is taken over.
    missing
        Number of images without a value (NaN), such as those in which no face was found. They are left out of the
        mean and are reported beside it.
    """

    mean: float
    low: float
    high: float
    n: int
    missing: int = 0

    def overlaps(self, other: Interval) -> bool:
        """Whether the two intervals have a value in common; False if either was not measured."""
        return self.low <= other.high and other.low <= self.high


UNKNOWN = Interval(float("nan"), float("nan"), float("nan"), 0)
"""Interval of a quantity that was not measured."""


def mean_interval(
    values: Sequence[float] | NDArray[Any], level: float = 0.95, resamples: int = 2000, seed: int = 0
) -> Interval:
    """Compute the mean of `values (n,)` with its percentile bootstrap interval (Efron 1979).

    The interval of a single value, or of values that are all equal, has no width. NaNs are left out and counted.
    """
    array = np.asarray(values, dtype=np.float64)
    known = array[~np.isnan(array)]
    missing = len(array) - len(known)
    if len(known) == 0:
        return Interval(float("nan"), float("nan"), float("nan"), 0, missing)
    mean = float(known.mean())
    if known.min() == known.max():
        return Interval(mean, mean, mean, len(known), missing)
    found = bootstrap(
        (known,),
        np.mean,
        confidence_level=level,
        n_resamples=resamples,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Interval(mean, float(found.low), float(found.high), len(known), missing)


def share_interval(flags: Sequence[bool] | NDArray[np.bool_], level: float = 0.95) -> Interval:
    """Compute the share of true `flags (n,)` with Wilson's interval, which has a width even at shares of 0 and 1."""
    array = np.asarray(flags, dtype=bool)
    if len(array) == 0:
        return UNKNOWN
    found = binomtest(int(array.sum()), len(array)).proportion_ci(level, method="wilson")
    return Interval(float(array.mean()), float(found.low), float(found.high), len(array))


def statistic_interval(
    statistic: Callable[..., float],
    *samples: NDArray[np.float64],
    level: float = 0.95,
    resamples: int = 200,
    seed: int = 0,
) -> Interval:
    """Compute a statistic of whole samples, such as a distance of two sets, with its normal bootstrap interval.

    The interval is the statistic ± z · its standard deviation over resampled rows (Efron and Tibshirani 1993, section
    13.3). Distances grow when rows are drawn twice, so percentiles of resampled ones could lie above the value itself.

    Parameters
    ----------
    statistic
        Function of the samples.
    samples
        `(n, …)` each; rows are drawn from each independently.
    level
        Confidence level.
    resamples
        How often rows are drawn.
    seed
        Random seed of the drawing.
    """
    rng = np.random.default_rng(seed)
    value = float(statistic(*samples))
    drawn = [statistic(*(x[rng.integers(len(x), size=len(x))] for x in samples)) for _ in range(resamples)]
    half = float(norm.ppf(0.5 + level / 2) * np.nanstd(drawn, ddof=1))
    return Interval(value, value - half, value + half, len(samples[0]))
