"""Thresholds: the scores above which an image has an attribute, and below which it lacks it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentlab.errors import UserError

POSITIVE, NEITHER, NEGATIVE = 1, 0, -1


@dataclass(frozen=True)
class Threshold:
    """Where a score makes an image positive: above `high` it is, below `low` it is negative, between them neither.

    With `low` equal to `high`, images at it are negative, and none is neither.

    Attributes
    ----------
    low, high
        Scores; or, with `quantiles`, shares of a table's scores, above 0 and below 1.
    quantiles
        Whether the two are quantiles, which `resolve` turns into the scores of a table.

    Raises
    ------
    UserError
        If they are not finite, not in order, or, as quantiles, not between 0 and 1.
    """

    low: float
    high: float
    quantiles: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low <= self.high):
            raise UserError(f"a threshold has finite numbers, the lower one first, not {self.low:g} and {self.high:g}")
        if self.quantiles and not 0 < self.low <= self.high < 1:
            raise UserError(f"quantiles lie above 0 and below 1, not at {self.low:g} and {self.high:g}")

    @classmethod
    def parse(cls, value: float | str | Threshold) -> Threshold:
        """Read a threshold as people write it.

        Parameters
        ----------
        value
            A number; two, as in '96,140'; 'median'; a quantile, as in 'q0.8'; or two, as in 'q0.3,q0.7'. Of two, images
            below the first are negative, above the second positive, and between them neither.

        Raises
        ------
        UserError
            If it is none of these.
        """
        if isinstance(value, Threshold):
            return value
        text = str(value).strip()
        parts = [part.strip() for part in ("q0.5" if text == "median" else text).split(",")]
        quantiles = all(part.startswith("q") for part in parts)
        try:
            numbers = [float(part.removeprefix("q") if quantiles else part) for part in parts]
        except ValueError:
            numbers = []
        if len(numbers) not in (1, 2):
            raise UserError(
                f"a threshold is a number such as 0.5, two such as 0.3,0.7, median, or quantiles such as q0.8 or "
                f"q0.3,q0.7, not {text!r}"
            )
        return cls(numbers[0], numbers[-1], quantiles)

    def __str__(self) -> str:
        """Write it as `parse` reads it, to the last digit."""
        if self.quantiles and self.low == self.high == 0.5:
            return "median"
        numbers = [self.low] if self.low == self.high else [self.low, self.high]
        return ",".join(("q" if self.quantiles else "") + repr(number).removesuffix(".0") for number in numbers)

    def resolve(self, scores: NDArray[Any]) -> Threshold:
        """Turn quantiles into those of `scores (n,)`; a threshold of numbers is returned as it is."""
        if not self.quantiles:
            return self
        low, high = np.quantile(np.asarray(scores, dtype=np.float64), [self.low, self.high]).tolist()
        return Threshold(low, high)

    def cut(self, scores: NDArray[Any]) -> NDArray[np.int8]:
        """Label scores of any shape: 1 for positive, −1 for negative, 0 for neither, in an array of that shape.

        Raises
        ------
        UserError
            If it has quantiles: which scores they are of is not known here.
        """
        if self.quantiles:
            raise UserError(
                f"the threshold {self} is one of a whole table of samples; give a number here, as the table's is"
            )
        scores = np.asarray(scores, dtype=np.float64)
        negative = scores <= self.low if self.low == self.high else scores < self.low
        return (scores > self.high).astype(np.int8) - negative.astype(np.int8)

    def centre(self, scores: NDArray[Any]) -> NDArray[np.float64]:
        """Map scores `(n,)` on [0, 1] so that the threshold, or the middle of two, comes to lie at ½, in their order.

        Scores in [0, 1] are moved as logits; others become the logistic function of their distance from the threshold
        in standard deviations. The threshold must have numbers, see `resolve`.
        """
        from scipy.special import expit, logit  # whoever only labels does without it

        scores, middle = np.asarray(scores, dtype=np.float64), (self.low + self.high) / 2
        if scores.min() >= 0 and scores.max() <= 1 and 0 < middle < 1:
            centred: NDArray[np.float64] = expit(logit(scores) - logit(middle))
        else:
            centred = expit((scores - middle) / (scores.std() or 1.0))
        return centred


HALF = Threshold(0.5, 0.5)
"""Threshold of a score that is alone and has none of its own."""


@dataclass(frozen=True)
class LabelCounts:
    """Numbers of images with each label.

    Attributes
    ----------
    positive, negative, neither
        Images that have the attribute, that lack it, and that a threshold of two numbers leaves out.
    """

    positive: int
    negative: int
    neither: int

    def __str__(self) -> str:
        text = f"{self.positive} positive, {self.negative} negative"
        return f"{text}, {self.neither} neither" if self.neither else text


def count_labels(labels: NDArray[np.int8]) -> LabelCounts:
    """Count labels: 1 positive, −1 negative, 0 neither."""
    return LabelCounts(*(int((labels == label).sum()) for label in (POSITIVE, NEGATIVE, NEITHER)))
