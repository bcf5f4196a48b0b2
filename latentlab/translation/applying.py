"""Applying a translator to images of any size, prepared as in its training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from torch import Tensor

from latentlab.errors import UserError
from latentlab.images import resize, resize_masks, save_image, to_pil
from latentlab.translation.data.mask_files import MaskFolder
from latentlab.translation.data.pixels import PixelFormat, Side, as_colour
from latentlab.translation.networks import Way
from latentlab.translation.sizes import Size
from latentlab.translation.translator import Translator

AppliedSize = Literal["training", "own"] | Size
"""Size at which images are translated: see `Application`."""

_SIDES: dict[Way, tuple[Side, Side]] = {"a2b": ("a", "b"), "b2a": ("b", "a")}


@dataclass(frozen=True)
class Application:
    """A translator, and how it is applied to images of any size.

    Attributes
    ----------
    translator
        The translator.
    way
        'a2b' or 'b2a'.
    size
        'training': images are resized as the training images were, but nothing is cropped, and translations are
        resized back to the image's own size. Nothing is resized if the training did not resize, or if the card does not
        say how it did. 'own': nothing is resized. A number resizes the shorter side to it, `(height, width)` resizes
        both sides, and translations keep that size.
    dropout, seed, strengths
        See `Translator`.
    """

    translator: Translator
    way: Way = "a2b"
    size: AppliedSize = "training"
    dropout: bool = True
    seed: int = 0
    strengths: Mapping[str, float] | None = None

    def __call__(self, image: Tensor, masks: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Translate an image.

        Parameters
        ----------
        image
            `(1, c, h, w)` in [-1, 1].
        masks
            `(1, n, h, w)` in {-1, 1} for InstaGAN, which translates the largest first, as in its training.

        Returns
        -------
        tuple of Tensor and (Tensor or None)
            Image `(1, c, h, w)` on the device of the translator, and translated masks in the order of `masks`.

        Raises
        ------
        UserError
            See `Translator`.
        """
        own = image.shape[2], image.shape[3]
        made, made_masks = self._translate(image, masks, self.given_size(*own))
        if self.size == "training":
            made = resize(made, *own)
            made_masks = None if made_masks is None else resize_masks(made_masks, *own)
        return made, made_masks

    def for_frames(self) -> Callable[[Tensor], Tensor]:
        """Return a function that translates video frames, `(1, 3, h, w)` in [-1, 1] whatever the translator's channels.

        Raises
        ------
        UserError
            The translator needs masks, or its images have 16 bits.
        """
        takes, gives = self.formats
        if self.translator.network(self.way).takes_masks:
            raise UserError(
                "this translator needs masks, and the frames of a video have none: take the frames as images, with the "
                "masks of each"
            )
        if takes.deep or gives.deep:
            raise UserError("images of this translator have 16 bits, and the frames of a video have 8")
        return lambda frame: as_colour(self(takes.from_pil(to_pil(frame)))[0])

    def _translate(self, image: Tensor, masks: Tensor | None, size: tuple[int, int]) -> tuple[Tensor, Tensor | None]:
        """Translate an image and its masks, resized to `size`."""
        device = next(iter(self.translator.network(self.way).parameters()), image).device
        given = resize(image.to(device), *size)
        if masks is None:
            return self.translator(given, self.way, None, self.dropout, self.seed, self.strengths)
        given_masks = resize_masks(masks.to(device), *size)
        order = _by_area(given_masks)
        made, made_masks = self.translator(
            given, self.way, given_masks[:, order], self.dropout, self.seed, self.strengths
        )
        return made, None if made_masks is None else made_masks[:, order.argsort()]

    def given_size(self, height: int, width: int) -> tuple[int, int]:
        """Return the height and width at which an image of this size is translated."""
        if self.size == "training":
            known = self.translator.augmentation
            return (height, width) if known is None else known.resized(height, width, known.size)
        if self.size == "own":
            return height, width
        if isinstance(self.size, tuple):
            return self.size
        scale = self.size / min(height, width)
        return round(height * scale), round(width * scale)

    @property
    def formats(self) -> tuple[PixelFormat, PixelFormat]:
        """Formats of the images that the translator takes and of those that it returns."""
        given, made = _SIDES[self.way]
        return self.translator.pixels(given), self.translator.pixels(made)

    def translate_file(self, path: Path, name: str, out: Path, masks: MaskFolder | None = None) -> None:
        """Write the translation of a file to OUT/NAME.png, and its translated masks to OUT/masks.

        Raises
        ------
        UserError
            The file or its masks cannot be read, or the translation cannot be written.
        """
        takes, gives = self.formats
        image = takes.read(path)
        made, made_masks = self(image, None if masks is None else masks.read(path, name))
        for k, mask in enumerate(() if made_masks is None else made_masks[0].cpu()):
            save_image(mask.expand(3, -1, -1), out / "masks" / f"{name}_{k}.png")
        gives.write(made.cpu(), out / f"{name}.png")


def _by_area(masks: Tensor) -> Tensor:
    """Return the order of `masks (1, n, h, w)` from the largest to the smallest, as in `largest_masks`."""
    return (masks > 0).sum(dim=(0, 2, 3)).argsort(descending=True, stable=True)
