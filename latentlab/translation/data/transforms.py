"""From a picture as it lies on disk to what a network is trained on: resize, crop, flip, alike for all that belong.

Isola et al. 2017, section 6.2: resized to 286², cropped to 256² at random, mirrored at random. A tested picture is
resized only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from latentlab import images
from latentlab.errors import UserError


@dataclass(frozen=True)
class Augmentation:
    """What is done to a picture of a training set.

    Attributes
    ----------
    size
        Side of the square that comes out.
    load_size
        Side of the square that it is cut from, at a random place.
    flip
        Whether every other picture is mirrored.
    """

    size: int = 256
    load_size: int = 286
    flip: bool = True

    def __post_init__(self) -> None:
        if not 1 <= self.size <= self.load_size:
            raise UserError(f"pictures are loaded at their size at least: not {self.size} at {self.load_size}")

    @classmethod
    def of(cls, size: int) -> Augmentation:
        """The papers' proportions: 286 for 256."""
        return cls(size, round(size * 286 / 256))


@dataclass(frozen=True)
class Placement:
    """One draw of an augmentation: where the crop lies, and whether it is mirrored."""

    size: int
    load_size: int
    left: int
    top: int
    mirrored: bool

    @classmethod
    def draw(cls, augmentation: Augmentation, rng: np.random.Generator) -> Placement:
        """At random."""
        room = augmentation.load_size - augmentation.size
        left, top = (int(rng.integers(room + 1)) for _ in range(2))
        mirrored = augmentation.flip and bool(rng.integers(2))
        return cls(augmentation.size, augmentation.load_size, left, top, mirrored)

    @classmethod
    def plain(cls, size: int) -> Placement:
        """The whole picture as it is, at `size`."""
        return cls(size, size, 0, 0, False)

    def picture(self, picture: Tensor) -> Tensor:
        """`picture (b, c, h, w)` placed: `(b, c, size, size)`, resized bicubically."""
        return self._cut(images.resize(picture, self.load_size, self.load_size))

    def masks(self, masks: Tensor) -> Tensor:
        """`masks (b, n, h, w)` in {-1, 1} placed likewise, their edges hard."""
        return self._cut(images.resize_masks(masks, self.load_size, self.load_size))

    def _cut(self, x: Tensor) -> Tensor:
        x = x[:, :, self.top : self.top + self.size, self.left : self.left + self.size]
        return x.flip(3) if self.mirrored else x


def largest_masks(masks: Tensor, count: int) -> Tensor:
    """The `count` largest of `masks (1, n, h, w)`, the largest first; empty ones are left out, -1 fills up.

    Mo et al. 2019, section 2.3: instances are translated in the order of their areas.
    """
    areas = (masks > 0).flatten(2).sum(dim=2)[0]
    order = areas.argsort(descending=True, stable=True)[:count]
    order = order[areas[order] > 0]
    empty = masks.new_full((1, count - len(order), *masks.shape[2:]), -1.0)
    return torch.cat([masks[:, order], empty], dim=1)
