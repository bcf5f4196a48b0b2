"""Thresholds: the scores above which an image has an attribute, and below which it lacks it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from latentlab.errors import UserError
from latentlab.scorers.naming import hint
from stylegan2.describing import describe

POSITIVE, NEITHER, NEGATIVE = 1, 0, -1
_LONGEST = 1 << 16  # characters of thresholds as text


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
                f"q0.3,q0.7, not {describe(text)}"
            )
        return cls(numbers[0], numbers[-1], quantiles)

    def __str__(self) -> str:
        """Write it as `parse` reads it, to the last digit."""
        if self.quantiles and self.low == self.high == 0.5:
            return "median"
        numbers = [self.low] if self.low == self.high else [self.low, self.high]
        return ",".join(("q" if self.quantiles else "") + repr(number).removesuffix(".0") for number in numbers)

    def of(self, name: str) -> Threshold:
        """Threshold of the score `name`: itself, since it holds for each."""
        return self

    def check(self, names: tuple[str, ...]) -> None:
        """Accept all names, as it holds for each."""

    def resolve(self, scores: NDArray[Any]) -> Threshold:
        """Turn quantiles into those of `scores (n,)` other than NaN; a threshold in numbers is returned as it is.

        Raises
        ------
        UserError
            If it has quantiles and all scores are NaN.
        """
        if not self.quantiles:
            return self
        scores = np.asarray(scores, dtype=np.float64)
        if np.isnan(scores).all():
            raise UserError(f"the threshold {self} is one of the scores of a table, and none of its rows has a score")
        low, high = np.nanquantile(scores, [self.low, self.high]).tolist()
        return Threshold(low, high)

    def cut(self, scores: NDArray[Any]) -> NDArray[np.int8]:
        """Label scores of any shape: 1 for positive, −1 for negative, 0 for neither and NaN, in an array of that shape.

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
        """Map scores `(n,)` to [0, 1], in their order, so that the threshold, or the middle of two, lies at ½.

        Scores in [0, 1] are moved as logits; others become the logistic function of their distance from the threshold
        in standard deviations. NaN stays NaN. The threshold must be in numbers, see `resolve`.
        """
        from scipy.special import expit, logit  # whoever only labels does without it

        scores, middle = np.asarray(scores, dtype=np.float64), (self.low + self.high) / 2
        if np.nanmin(scores) >= 0 and np.nanmax(scores) <= 1 and 0 < middle < 1:
            centred: NDArray[np.float64] = expit(logit(scores) - logit(middle))
        else:
            centred = expit((scores - middle) / (np.nanstd(scores) or 1.0))
        return centred


HALF = Threshold(0.5, 0.5)
"""Threshold of a score that is alone and has none of its own."""


@dataclass(frozen=True)
class Thresholds:
    """A threshold for each of several scores.

    Attributes
    ----------
    by_name
        Names of scores and their thresholds.
    default
        Threshold of all other scores; None where they have none.

    Raises
    ------
    UserError
        If a name occurs twice, or has a comma or an equals sign, by which `parse_threshold` splits.
    """

    by_name: tuple[tuple[str, Threshold], ...]
    default: Threshold | None = None

    def __post_init__(self) -> None:
        for name, count in Counter(name for name, _ in self.by_name).items():
            if count > 1 or not name or set(name) & set(",="):
                raise UserError(
                    f"thresholds name each score once, by a name without comma and equals sign, not {describe(name)}"
                )

    def __str__(self) -> str:
        """Write them as `parse_threshold` reads them."""
        first = [] if self.default is None else [str(self.default)]
        return ",".join(first + [f"{name}={threshold}" for name, threshold in self.by_name])

    def of(self, name: str) -> Threshold | None:
        """Threshold of the score `name`; None if it has none."""
        return dict(self.by_name).get(name, self.default)

    def updated(self, name: str, threshold: Threshold) -> Thresholds:
        """Give the score `name` another threshold."""
        return Thresholds(tuple({**dict(self.by_name), name: threshold}.items()), self.default)

    def check(self, names: tuple[str, ...]) -> None:
        """Refuse thresholds of scores that are not among `names`; the UserError lists them."""
        known = set(names)
        for name, _ in self.by_name:
            if name not in known:
                raise UserError(f"a threshold is given for {name!r}, and no score is called so; {hint(names, name)}")


AnyThreshold: TypeAlias = Threshold | Thresholds
"""One threshold for all scores, or one for each."""
ThresholdLike: TypeAlias = float | str | AnyThreshold | Mapping[str, float | str | Threshold]
"""What `parse_threshold` reads."""


def parse_threshold(value: ThresholdLike) -> AnyThreshold:
    """Read a threshold for all scores, or one for each, as people write them.

    Parameters
    ----------
    value
        What `Threshold.parse` reads, for all scores; or one per score: as text, 'smiling=0.5,young=q0.3,q0.7', where
        that of all others may come first, 'median,young=0.5'; or as a mapping, `{"smiling": 0.5, "young": "median"}`.

    Raises
    ------
    UserError
        If it is none of these.
    """
    if isinstance(value, Threshold | Thresholds):
        return value
    if isinstance(value, Mapping):
        return Thresholds(tuple((name, Threshold.parse(one)) for name, one in value.items()))
    text = str(value)
    if len(text) > _LONGEST:
        raise UserError(f"thresholds of {len(text)} characters, and up to {_LONGEST} are read")
    first, *others = _parts(text)
    default = Threshold.parse(first) if first else None
    if not others:
        return Threshold.parse(first)
    return Thresholds(tuple((name.strip(), Threshold.parse(text)) for name, text in others), default)


def _parts(text: str) -> list[Any]:
    """Split 'A,x=B,C,y=D' into ['A', ('x', 'B,C'), ('y', 'D')]; the first is empty where a name comes first."""
    found: list[Any] = [""]
    for part in text.split(","):
        name, equals, number = part.partition("=")
        if equals:
            found.append((name, number))
        elif len(found) > 1:
            found[-1] = (found[-1][0], f"{found[-1][1]},{part}")
        else:
            found[0] = f"{found[0]},{part}" if found[0] else part
    return found


def threshold_for(threshold: AnyThreshold | None, name: str) -> Threshold | None:
    """Look up the threshold of the score `name`; None if it has none."""
    return None if threshold is None else threshold.of(name)


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


def combine(thresholds: Mapping[str, Threshold | None]) -> Thresholds | None:
    """Collect the thresholds of several scores by name; None if none has one."""
    known = tuple((name, threshold) for name, threshold in thresholds.items() if threshold is not None)
    return Thresholds(known) if known else None
