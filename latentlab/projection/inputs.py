"""Images as a projection or a tuning takes them, with masks where not all pixels count alike."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from latentlab.errors import UserError
from latentlab.images import CHANNELS, as_batch
from latentlab.rendering import check_channels, img_channels
from latentlab.reprs import ShortRepr
from stylegan2.protocol import Generator, image_size


@dataclass(frozen=True, eq=False, repr=False)
class MaskedImages(ShortRepr):
    """Images, and how much each of their pixels counts.

    Attributes
    ----------
    images
        `(n, 3, h, w)` in [-1, 1], of the shape of the generator's images, at any resolution; `(n, 1, h, w)` for a
        generator of grey images.
    mask
        `(n or 1, 1, h, w)` in 0 … 1, and not 0 everywhere in any image; None counts all pixels alike.

    Raises
    ------
    UserError
        If the shapes or the values are other than these, or not finite.
    """

    images: Tensor
    mask: Tensor | None = None

    def __post_init__(self) -> None:
        images, mask = self.images, self.mask
        if images.ndim != 4 or images.shape[1] not in CHANNELS or not images.numel():
            raise UserError(f"images must be (n, 3, h, w) with n at least 1, not {tuple(images.shape)}")
        if not images.isfinite().all():
            raise UserError("the images hold numbers that are not finite")
        if mask is None:
            return
        n, (h, w) = len(images), images.shape[2:]
        if mask.shape not in ((n, 1, h, w), (1, 1, h, w)):
            raise UserError(f"the mask must be ({n} or 1, 1, {h}, {w}) for these images, not {tuple(mask.shape)}")
        if not (mask.min() >= 0 and mask.max() <= 1 and mask.flatten(1).any(dim=1).all()):
            raise UserError("a mask must lie in 0 … 1, and not be 0 everywhere")

    @classmethod
    def of(cls, images: Tensor | MaskedImages) -> MaskedImages:
        """Images, a batch or a single one, without a mask; or masked images as they are."""
        return images if isinstance(images, MaskedImages) else cls(as_batch(images, channels=CHANNELS))

    @classmethod
    def for_generator(cls, images: Tensor | MaskedImages, generator: Generator) -> MaskedImages:
        """Images as `of` gives them, to be found among the generator's.

        Raises
        ------
        UserError
            They are not images, or the generator's have other channels or another shape.
        """
        check_channels(generator, "finding their latents")
        found = cls.of(images)
        found.check_fits(generator)
        return found

    def __len__(self) -> int:
        return len(self.images)

    def check_fits(self, generator: Generator) -> None:
        """Raise UserError unless the images have as many channels as the generator's, and their shape."""
        found, wanted = self.images.shape[1], img_channels(generator)
        if found != wanted:
            raise UserError(f"this generator makes images of {wanted} channels; those to reconstruct have {found}")
        (h, w), (height, width) = self.images.shape[2:], image_size(generator)
        if h * width != w * height:
            raise UserError(
                f"this generator makes images of {height}×{width} pixels (height × width); those to reconstruct are "
                f"{h}×{w}, which is another shape"
            )

    def on(self, device: torch.device) -> MaskedImages:
        """Images and a mask for each of them, on `device`."""
        images = self.images.to(device)
        mask = None if self.mask is None else self.mask.to(images).expand(len(images), -1, -1, -1)
        return MaskedImages(images, mask)

    def __getitem__(self, rows: list[int]) -> MaskedImages:
        """Some of the images, where each has its own mask."""
        return MaskedImages(self.images[rows], None if self.mask is None else self.mask[rows])
