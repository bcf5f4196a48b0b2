"""What decides, for each image, which augmentations it gets and how strong they are."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

import torch
from torch import Tensor

_NUMBERS = 24  # more than a group of augmentations draws


class Chances:
    """Random numbers for each image, from a generator of its own, and the probability of an augmentation.

    Numbers are drawn on the CPU, the same whatever comes of them, and used one after the other on the images' device.

    Parameters
    ----------
    probability
        From 0 to 1; a tensor on the device, which is not read, or a number.
    rngs
        A generator on the CPU for each image.
    device
        Device of the images.
    """

    def __init__(self, probability: Tensor | float, rngs: Sequence[torch.Generator], device: torch.device) -> None:
        self.probability = torch.as_tensor(probability, device=device)
        self._uniform = torch.stack([torch.rand(_NUMBERS, generator=one) for one in rngs]).to(device)
        self._normal = torch.stack([torch.randn(_NUMBERS, generator=one) for one in rngs]).to(device)
        self._used = [0, 0]

    def uniform(self, least: float = 0.0, most: float = 1.0) -> Tensor:
        """A number from least to most for each image, `(b,)`."""
        self._used[0] += 1
        return least + (most - least) * self._uniform[:, self._used[0] - 1]

    def normal(self, deviation: float = 1.0) -> Tensor:
        """A normal variable for each image, `(b,)`."""
        self._used[1] += 1
        return deviation * self._normal[:, self._used[1] - 1]

    def factor(self, octaves: float) -> Tensor:
        """A positive factor for each image, `(b,)`, whose logarithm is normal with a deviation of so many octaves."""
        return (self.normal(octaves) * log(2)).exp()

    def chosen(self, value: Tensor, otherwise: float, probability: Tensor | None = None) -> Tensor:
        """`value (b,)` for the images that get an augmentation, and what changes nothing for all others."""
        wanted = self.uniform() < (self.probability if probability is None else probability)
        return torch.where(wanted, value, torch.full_like(value, otherwise))
