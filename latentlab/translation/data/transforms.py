"""Augmentation of training images: resize, crop and flip, alike for an image and all that belongs to it.

Isola et al. 2017, section 6.2: resized to 286², cropped to 256² at random, mirrored at random. Test images are only
resized.
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
    """Augmentation of the images of a training set.

    Attributes
    ----------
    resolution
        Height and width of the augmented images.
    load_resolution
        Height and width to which images are resized before they are cropped at a random place.
    flip
        Whether images are mirrored with even odds.
    """

    resolution: int = 256
    load_resolution: int = 286
    flip: bool = True

    def __post_init__(self) -> None:
        if not 1 <= self.resolution <= self.load_resolution:
            raise UserError(
                f"images are resized to their final resolution or more before they are cropped: not to "
                f"{self.load_resolution} for {self.resolution}"
            )

    @classmethod
    def for_resolution(cls, resolution: int) -> Augmentation:
        """Return the papers' augmentation in proportion: 286 for 256."""
        return cls(resolution, round(resolution * 286 / 256))

    @classmethod
    def none(cls, resolution: int) -> Augmentation:
        """Return an augmentation that only resizes."""
        return cls(resolution, resolution, flip=False)


@dataclass(frozen=True)
class Placement:
    """One draw of an augmentation: where the crop lies, and whether it is mirrored."""

    resolution: int
    load_resolution: int
    left: int
    top: int
    mirrored: bool

    @classmethod
    def draw(cls, augmentation: Augmentation, rng: np.random.Generator) -> Placement:
        """Draw a placement at random."""
        room = augmentation.load_resolution - augmentation.resolution
        left, top = (int(rng.integers(room + 1)) for _ in range(2))
        mirrored = augmentation.flip and bool(rng.integers(2))
        return cls(augmentation.resolution, augmentation.load_resolution, left, top, mirrored)

    @classmethod
    def plain(cls, resolution: int) -> Placement:
        """Return the placement of the whole image as it is."""
        return cls(resolution, resolution, 0, 0, False)

    def image(self, image: Tensor) -> Tensor:
        """Resize `image (b, c, h, w)` bicubically and crop it to `(b, c, resolution, resolution)`."""
        return self._crop(images.resize(image, self.load_resolution, self.load_resolution))

    def masks(self, masks: Tensor) -> Tensor:
        """Place `masks (b, n, h, w)` in {-1, 1} like their image, without soft edges."""
        return self._crop(images.resize_masks(masks, self.load_resolution, self.load_resolution))

    def _crop(self, x: Tensor) -> Tensor:
        x = x[:, :, self.top : self.top + self.resolution, self.left : self.left + self.resolution]
        return x.flip(3) if self.mirrored else x


def largest_masks(masks: Tensor, count: int) -> Tensor:
    """Return the `count` largest of `masks (1, n, h, w)`, in order; empty masks are left out, and -1 fills up.

    Mo et al. 2019, section 2.3: instances are translated in the order of their areas.
    """
    areas = (masks > 0).flatten(2).sum(dim=2)[0]
    order = areas.argsort(descending=True, stable=True)[:count]
    order = order[areas[order] > 0]
    empty = masks.new_full((1, count - len(order), *masks.shape[2:]), -1.0)
    return torch.cat([masks[:, order], empty], dim=1)
