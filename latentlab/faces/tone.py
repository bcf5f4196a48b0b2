"""The tone of a photo without colours of its own: grey, sepia, or another tint that follows the brightness."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from latentlab.images import luma, reduce
from latentlab.reprs import ShortRepr

# Root mean square, in levels of 255, of what colours a tone may leave unexplained, at a resolution at which the colours
# of faces are all there, and noise and the traces of compression, which grey photos have, too, are averaged away. Of
# 190 photos in colour the palest has 3.2; grey copies of them, 200 pixels wide, with noise of 8 levels in each channel
# have 2.4 at most.
_LEAST_COLOUR, _RESOLUTION = 2.5, 64
_DEGREE = 3  # of the polynomials: a tint goes to nothing towards black and white


@dataclass(frozen=True, eq=False, repr=False)
class Tone(ShortRepr):
    """Colours as a function of the brightness.

    Attributes
    ----------
    coefficients
        `(4, 3)`: polynomials of the luma in [-1, 1] that give how far red, green and blue lie from it.
    """

    coefficients: Tensor

    def apply(self, images: Tensor) -> Tensor:
        """Give `images (b, 3, h, w)` in [-1, 1] this tone in place of their colours."""
        grey = luma(images)
        return (grey + _colours(grey, self.coefficients.to(grey))).clamp(-1, 1)


def tone_of(image: Tensor) -> Tone | None:
    """Return the tone of an image; None for one that has colours.

    Parameters
    ----------
    image
        `(1, 3, h, w)` in [-1, 1].
    """
    grey = luma(image.double())
    chroma = (image.double() - grey).flatten(2)[0].T  # (h · w, 3)
    powers = _powers(grey.flatten())
    fit = torch.linalg.lstsq(powers.T @ powers + 1e-6 * torch.eye(_DEGREE + 1).to(powers), powers.T @ chroma)
    unexplained = (chroma - powers @ fit.solution).T.reshape(image.shape)
    left = 127.5 * reduce(unexplained, _RESOLUTION).square().mean().sqrt()
    return Tone(fit.solution.float()) if left < _LEAST_COLOUR else None


def _colours(grey: Tensor, coefficients: Tensor) -> Tensor:
    """What polynomials give for `grey (b, 1, h, w)`: `(b, 3, h, w)`."""
    return (_powers(grey[:, 0]) @ coefficients).movedim(-1, 1)


def _powers(x: Tensor) -> Tensor:
    return torch.stack([x**k for k in range(_DEGREE + 1)], dim=-1)
