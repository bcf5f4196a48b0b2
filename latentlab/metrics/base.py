"""What every metric offers, and what metrics of single images share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from latentlab.metrics.intervals import Interval, mean_interval

T = TypeVar("T")


class Metric(ABC):
    """A quantity of edited or translated images, accumulated over batches.

    Your own metric subclasses this, or only has the three methods. The comparison (`latentlab compare
    --metrics NAME`) constructs it without arguments and reads the attributes below where there are any.

    Attributes
    ----------
    title
        Name for readers, such as 'Identity'.
    higher_is_better
        Whether larger values are better; None where the value is reported without a judgement.
    """

    title: str
    higher_is_better: bool | None = None

    @abstractmethod
    def update(self, before: Tensor, after: Tensor) -> None:
        """Add images.

        Parameters
        ----------
        before
            What is compared against: the images before the edit, the true answers, or a reference set;
            `(n, 3, h, w)` in [-1, 1].
        after
            What was made, `(n, 3, h, w)` in [-1, 1].
        """

    @abstractmethod
    def compute(self) -> Interval:
        """Return the value over all images so far, with its 95 % interval."""

    @abstractmethod
    def reset(self) -> None:
        """Forget all images."""


class ImageMetric(Metric):
    """A metric with a value for each image; `compute` gives their mean with its bootstrap interval.

    Attributes
    ----------
    unknown
        Why an image may have no value, such as 'no face is found'; empty where each has one.
    """

    unknown: str = ""

    def __init__(self) -> None:
        self._batches: list[NDArray[np.float64]] = []

    @abstractmethod
    def per_image(self, before: Tensor, after: Tensor) -> NDArray[np.float64]:
        """Return the values `(n,)` of the images, without adding them; NaN where there is none."""

    def update(self, before: Tensor, after: Tensor) -> None:
        """Add images; see `Metric.update`."""
        self.add_values(self.per_image(before, after))

    def add_values(self, values: NDArray[np.float64]) -> None:
        """Add images whose values `(n,)` are known, as `per_image` gives them."""
        self._batches.append(values)

    @property
    def values(self) -> NDArray[np.float64]:
        """Value of each image so far, `(n,)`; NaN where there is none."""
        return np.concatenate(self._batches) if self._batches else np.zeros(0)

    def compute(self) -> Interval:
        """Return the mean with its percentile bootstrap interval; images without a value are counted as missing."""
        found = mean_interval(self.values)
        return found if found.known else replace(found, why=self.unknown)

    def reset(self) -> None:
        """Forget all images."""
        self._batches = []


class RegionMetric(ImageMetric):
    """A metric of single images that can leave a region out, in which an edit may do as it likes."""

    @abstractmethod
    def per_image(self, before: Tensor, after: Tensor, region: Tensor | None = None) -> NDArray[np.float64]:
        """Return the values `(n,)` of the images, without adding them; see `update`."""

    def update(self, before: Tensor, after: Tensor, region: Tensor | None = None) -> None:
        """Add images.

        Parameters
        ----------
        before, after
            `(n, 3, h, w)` in [-1, 1].
        region
            `(n or 1, 1, h, w)` in 0 … 1: 1 where the edit may change the image; only the rest is compared. None
            compares the whole image.
        """
        self._batches.append(self.per_image(before, after, region))


class LastResult(Generic[T]):
    """Remembers the result of a function for the last tensor it was called with.

    Many edits are compared with the same images, whose features are then computed once. The tensor is recognised as an
    object: it must not be changed in place.

    Parameters
    ----------
    function
        Takes a tensor.
    """

    def __init__(self, function: Callable[[Tensor], T]) -> None:
        self._function = function
        self._last: tuple[Tensor, T] | None = None

    def __call__(self, images: Tensor) -> T:
        """Return the function's result."""
        if self._last is None or self._last[0] is not images:
            self._last = images, self._function(images)
        return self._last[1]


def as_array(values: Tensor) -> NDArray[np.float64]:
    """Convert a tensor to a float64 array."""
    return values.detach().double().cpu().numpy()
