"""What is random in training: for each sample a function of the seed, of what is drawn, and of its number alone.

So nothing depends on how the samples of a step are divided among processes and passes, or on where training was
stopped and resumed.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Draws:
    """The randomness of some samples.

    Attributes
    ----------
    seed
        Seed of the training.
    numbers
        Number of each sample: how many were shown before it.
    """

    seed: int
    numbers: Sequence[int]

    def sources(self, what: str) -> list[torch.Generator]:
        """A random generator on the CPU for each sample, from which `what` is drawn."""
        kind = zlib.crc32(what.encode())
        found = []
        for number in self.numbers:
            state = np.random.SeedSequence([abs(self.seed), int(self.seed < 0), kind, number]).generate_state(1)
            found.append(torch.Generator().manual_seed(int(state[0])))
        return found

    def normal(self, what: str, *shape: int) -> Tensor:
        """Normal variables `(samples, *shape)` on the CPU."""
        return torch.stack([torch.randn(shape, generator=one) for one in self.sources(what)])

    def uniform(self, what: str, *shape: int) -> Tensor:
        """Uniform variables `(samples, *shape)` from 0, below 1, on the CPU."""
        return torch.stack([torch.rand(shape, generator=one) for one in self.sources(what)])
