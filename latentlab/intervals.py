"""A value with its confidence interval."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace


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
    why
        Why it is unknown, in a few words; empty where it is known or no reason is stated.
    """

    mean: float
    low: float
    high: float
    n: int
    missing: int = 0
    why: str = ""

    @property
    def known(self) -> bool:
        """Whether there is a value."""
        return not math.isnan(self.mean)

    def scaled(self, factor: float) -> Interval:
        """Multiply the value and the ends of the interval by a factor above 0, such as 100 for percent."""
        return replace(self, mean=factor * self.mean, low=factor * self.low, high=factor * self.high)

    def overlaps(self, other: Interval) -> bool:
        """Whether the two intervals have a value in common; False if either was not measured."""
        return self.low <= other.high and other.low <= self.high


UNKNOWN = Interval(float("nan"), float("nan"), float("nan"), 0)
"""Interval of a quantity that was not measured."""


def unknown_because(why: str) -> Interval:
    """Interval of a quantity that cannot be measured, with the reason, such as 'the images are too small'."""
    return replace(UNKNOWN, why=why)
