"""The part of an image that a classifier sees."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from latentlab.errors import UserError
from latentlab.images import as_batch

MIN_RESOLUTION = 64


@dataclass(frozen=True)
class FaceCrop:
    """A square box around the face, in fractions of the image.

    Attributes
    ----------
    top
        Upper edge, as a fraction of the image's height.
    left, size
        Left edge and side length, as fractions of the image's width.
    """

    top: float
    left: float
    size: float

    def __post_init__(self) -> None:
        if not (0 <= self.top < 1 and 0 <= self.left < 1 and 0 < self.size <= 1 - self.left):
            raise ValueError(f"a crop lies within the image, unlike {self}")

    def cut(self, images: Tensor, resolution: int) -> Tensor:
        """Cut the box out of each image and resize it.

        Shrinking averages over all pixels (a triangle filter), so an image has nearly the same crop at every
        resolution. Interpolating between the nearest pixels instead, as OpenCV does, reads only three in a
        hundred pixels at 1024x1024.

        Parameters
        ----------
        images
            `(b, 3, h, w)` or, for one, `(3, h, w)`, h and w at least 64.
        resolution
            Width and height of the result in pixels.

        Returns
        -------
        Tensor
            `(b, 3, resolution, resolution)` float32; differentiable in `images`.

        Raises
        ------
        UserError
            If the images are too small, or the box reaches beyond them.
        """
        images = as_batch(images, "images of faces")
        height, width = images.shape[-2:]
        if min(height, width) < MIN_RESOLUTION:
            raise UserError(
                f"a face is scored on images (batch, 3, height, width) of at least {MIN_RESOLUTION}x{MIN_RESOLUTION}, "
                f"not {tuple(images.shape)}"
            )
        top, left, size = round(self.top * height), round(self.left * width), round(self.size * width)
        if top + size > height:
            raise UserError(f"the face box {self} reaches beyond images of {width}x{height}")
        box = images[:, :, top : top + size, left : left + size].float()
        filters = _triangle(size, resolution).to(box.device)  # (resolution, size)
        return filters @ box @ filters.T


# In FFHQ's framing the eyes are 0.244 of the width apart, at 0.475 of the height. On 1,000 labelled CelebA
# images brought into that framing, the centred square of 44/64 gave a smile AUC of 0.959 and the best
# accuracy, 0.898, of the boxes tried; sides from 40/64 to 52/64 come within 0.01 of the AUC. In 64ths the
# box falls on whole pixels at every power of two.
FFHQ_FACE = FaceCrop(top=10 / 64, left=10 / 64, size=44 / 64)

# Where FFHQ's framing lies in CelebA's aligned images of 178x218 and of half of that: there the eyes are 39/178 of
# the width apart, in the middle, at 0.514 of the height.
CELEBA_FRAMING = FaceCrop(top=18 / 109, left=4.5 / 89, size=80 / 89)


def _triangle(size: int, resolution: int) -> Tensor:
    """Weights `(resolution, size)` of a linear resize: plain interpolation to enlarge, averaging to shrink."""
    scale = size / resolution
    centres = (torch.arange(resolution, dtype=torch.float64, device="cpu")[:, None] + 0.5) * scale  # (resolution, 1)
    positions = torch.arange(size, dtype=torch.float64, device="cpu")[None] + 0.5  # (1, size)
    filters = (1 - (positions - centres).abs() / max(scale, 1.0)).clamp_min(0)
    return (filters / filters.sum(1, keepdim=True)).float()
