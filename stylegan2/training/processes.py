"""What a training step needs from the processes beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn


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
    """A single process."""

    rank, count = 0, 1

    def mean(self, x: Tensor) -> Tensor:
        """`x` itself."""
        return x


def average_gradients(weights: Sequence[nn.Parameter], processes: Processes) -> None:
    """Replace gradients by their means over the processes; a process without a gradient counts as 0."""
    if processes.count == 1:
        return
    flat = torch.cat([(w.grad if w.grad is not None else torch.zeros_like(w)).flatten() for w in weights])
    means = torch.split(processes.mean(flat), [w.numel() for w in weights])
    for weight, gradient in zip(weights, means, strict=True):
        # In the layout of the weight: a fused optimiser goes through both in the order of their memory.
        weight.grad = torch.empty_like(weight).copy_(gradient.reshape(weight.shape))
