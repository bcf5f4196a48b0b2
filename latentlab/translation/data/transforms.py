"""Placement of training images: resized, cropped and mirrored, alike for an image and all that belongs to it.

Isola et al. 2017, section 6.2: resized to 286², cropped to 256² at random, mirrored at random. Test images are only
resized.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from latentlab import images
from latentlab.errors import UserError
from latentlab.schemas import checked
from latentlab.translation.sizes import Size, sides_of, size_name

Fit = Literal["stretch", "cover", "crop"]
"""How images of any size become images of one size: see `Augmentation`."""


@dataclass(frozen=True)
class Augmentation:
    """Placement of the images of a training set.

    Attributes
    ----------
    size
        Height and width of the placed images.
    load_size
        Height and width to which images are resized before they are cropped at a random place.
    flip
        Whether images are mirrored with even odds.
    fit
        'stretch' resizes to `load_size`, whatever the shape of the image; 'cover' resizes without a change of shape
        until both sides are at least `load_size`; 'crop' does not resize.
    """

    size: tuple[int, int] = (256, 256)
    load_size: tuple[int, int] = (286, 286)
    flip: bool = True
    fit: Fit = "stretch"

    def __post_init__(self) -> None:
        if self.fit not in get_args(Fit):
            raise UserError(f"images are placed by one of {', '.join(get_args(Fit))}, not {self.fit!r}")
        if self.fit == "crop" and self.load_size != self.size:
            raise UserError(f"images that are only cropped are not resized to {size_name(*self.load_size)} before")
        if not all(1 <= side <= loaded <= 1 << 15 for side, loaded in zip(self.size, self.load_size, strict=True)):
            raise UserError(
                f"images are resized to their final resolution or more before they are cropped: not to "
                f"{size_name(*self.load_size)} for {size_name(*self.size)}"
            )

    @classmethod
    def for_resolution(cls, resolution: Size, fit: Fit = "stretch", flip: bool = True) -> Augmentation:
        """Return the papers' augmentation in proportion, 286 for 256, unless `fit` says otherwise."""
        height, width = sides_of(resolution)
        enlarged = 1.0 if fit == "crop" else 286 / 256
        return cls((height, width), (round(height * enlarged), round(width * enlarged)), flip, fit)

    @classmethod
    def none(cls, resolution: Size, fit: Fit = "stretch") -> Augmentation:
        """Return an augmentation without anything random."""
        return cls(sides_of(resolution), sides_of(resolution), False, fit)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Augmentation:
        """Return the augmentation that `as_dict` described.

        Raises
        ------
        UserError
            `data` does not describe an augmentation.
        """
        return checked(data, cls, "this is no placement of images")

    def as_dict(self) -> dict[str, Any]:
        """Return the augmentation as JSON holds it."""
        found: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return found

    def why_not(self, height: int, width: int) -> str | None:
        """Return why an image cannot be placed, if it is smaller than what is cropped out of it."""
        if self.fit == "crop" and (height < self.size[0] or width < self.size[1]):
            return f"it is {size_name(height, width)}, and {size_name(*self.size)} are to be cropped out of it"
        return None

    def place(self, height: int, width: int, rng: np.random.Generator | None) -> Placement:
        """Place an image of this size: at random with `rng`; without it, in the middle and not mirrored.

        Raises
        ------
        UserError
            The image is too small.
        """
        if (reason := self.why_not(height, width)) is not None:
            raise UserError(f"an image cannot be placed: {reason}")
        loaded = self.resized(height, width, self.size if rng is None else self.load_size)
        down, across = loaded[0] - self.size[0], loaded[1] - self.size[1]
        if rng is None:
            return Placement(self.size, loaded, across // 2, down // 2, False)
        left, top = (int(rng.integers(room + 1)) for room in (across, down))
        return Placement(self.size, loaded, left, top, self.flip and bool(rng.integers(2)))

    def resized(self, height: int, width: int, least: tuple[int, int]) -> tuple[int, int]:
        """Return the height and width to which an image is resized before it is cropped, both at least `least`."""
        if self.fit == "stretch":
            return least
        if self.fit == "crop":
            return height, width
        scale = max(least[0] / height, least[1] / width)
        return max(round(height * scale), least[0]), max(round(width * scale), least[1])


@dataclass(frozen=True)
class Placement:
    """One placement of an image.

    Attributes
    ----------
    size
        Height and width of the placed image.
    load_size
        Height and width to which the image is resized before it is cropped.
    left, top
        Corner of the crop.
    mirrored
        Whether the crop is mirrored.
    """

    size: tuple[int, int]
    load_size: tuple[int, int]
    left: int
    top: int
    mirrored: bool

    def image(self, image: Tensor) -> Tensor:
        """Resize `image (b, c, h, w)` bicubically, and crop it to `size`."""
        return self._crop(images.resize(image, *self.load_size))

    def masks(self, masks: Tensor) -> Tensor:
        """Place `masks (b, n, h, w)` in {-1, 1} like their image, without soft edges."""
        return self._crop(images.resize_masks(masks, *self.load_size))

    def _crop(self, x: Tensor) -> Tensor:
        x = x[:, :, self.top : self.top + self.size[0], self.left : self.left + self.size[1]]
        return x.flip(3) if self.mirrored else x


def largest_masks(masks: Tensor, count: int) -> Tensor:
    """Return the `count` largest of `masks (1, n, h, w)`, in order; empty masks are left out, and -1 fills the rest.

    Mo et al. 2019, section 2.3: instances are translated in the order of their areas.
    """
    areas = (masks > 0).flatten(2).sum(dim=2)[0]
    order = areas.argsort(descending=True, stable=True)[:count]
    order = order[areas[order] > 0]
    empty = masks.new_full((1, count - len(order), *masks.shape[2:]), -1.0)
    return torch.cat([masks[:, order], empty], dim=1)
