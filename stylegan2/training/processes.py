"""What a step of a training needs of the processes beside it."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Processes(Protocol):
    """Processes that take a step together, each on its share of the samples.

    Attributes
    ----------
    rank, count
        Number of this process, from 0, and number of all.
    """

    @property
    def rank(self) -> int:
        """Number of this process."""

    @property
    def count(self) -> int:
        """Number of all."""

    def mean(self, x: Tensor) -> Tensor:
        """Mean of `x` over the processes, each of which gets it."""


class OneProcess:
    """A process alone."""

    rank, count = 0, 1

    def mean(self, x: Tensor) -> Tensor:
        """`x` itself."""
        return x
