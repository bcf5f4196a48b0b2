"""Flips, turns, shifts and scales: all of an image's at once, in one resampling without aliasing."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan2.training.augmentation.chances import Chances
from stylegan2.training.augmentation.resampling import MARGIN, enlarge, reduce
from stylegan2.training.augmentation.wavelets import off_centre

_SHIFT = 0.125  # share of a side


def blit(chances: Chances, inverse: Tensor, height: int, width: int) -> Tensor:
    """Flips, quarter turns and shifts by whole pixels, added to what comes after them.

    Parameters
    ----------
    chances
        The random numbers.
    inverse
        `(b, 3, 3)`: where a pixel of the result is looked up, so far; in pixels from the centre.
    height, width
        Sides of the images.

    Returns
    -------
    Tensor
        `(b, 3, 3)`.
    """
    flipped = chances.chosen(1 - 2 * chances.uniform(0, 2).floor(), 1)
    inverse = inverse @ _scale(flipped, torch.ones_like(flipped))
    turned = chances.chosen(chances.uniform(0, 4).floor(), 0)
    inverse = inverse @ _quarter_turns(turned)
    right, down = chances.uniform(-_SHIFT, _SHIFT) * width, chances.uniform(-_SHIFT, _SHIFT) * height
    moved = chances.chosen(torch.ones_like(right), 0)
    return inverse @ _shift(-(right.round() * moved), -(down.round() * moved))


def move(chances: Chances, inverse: Tensor, height: int, width: int) -> Tensor:
    """Scales, turns and shifts of any amount, added to what comes after them; parameters as in `blit`."""
    size = chances.chosen(chances.factor(0.2), 1)
    inverse = inverse @ _scale(1 / size, 1 / size)
    # A turn before the uneven scale and one after it: one of them at least has the probability p.
    either = 1 - (1 - chances.probability).sqrt()
    inverse = inverse @ _turn(-chances.chosen(chances.uniform(-math.pi, math.pi), 0, either))
    stretch = chances.chosen(chances.factor(0.2), 1)
    inverse = inverse @ _scale(1 / stretch, stretch)
    inverse = inverse @ _turn(-chances.chosen(chances.uniform(-math.pi, math.pi), 0, either))
    right, down = chances.normal(_SHIFT) * width, chances.normal(_SHIFT) * height
    moved = chances.chosen(torch.ones_like(right), 0)
    return inverse @ _shift(-right * moved, -down * moved)


def warp(images: Tensor, inverse: Tensor) -> Tensor:
    """Resample images.

    Each is enlarged by 2 with a smooth filter, looked up between pixels, and reduced with the same filter: what is
    looked up has no frequencies that would alias unless it is made much smaller. Beyond its border it is mirrored.

    Parameters
    ----------
    images
        `(b, c, h, w)`.
    inverse
        `(b, 3, 3)`: where each pixel of the result is looked up, in pixels from the centre.

    Returns
    -------
    Tensor
        `(b, c, h, w)`; images whose matrix is the identity are the same to the bit.
    """
    height, width = images.shape[2:]
    wide, high = width + 2 * MARGIN, height + 2 * MARGIN
    # The filter's centre is not in its middle, so what it enlarges comes to lie beside its place.
    aside = off_centre()
    to_pixels = inverse.new_tensor([[wide / 2, 0, -aside], [0, high / 2, -aside], [0, 0, 1]])
    from_pixels = inverse.new_tensor(
        [[2 / width, 0, 2 * aside / width], [0, 2 / height, 2 * aside / height], [0, 0, 1]]
    )
    places = (from_pixels @ inverse @ to_pixels)[:, :2]
    grid = F.affine_grid(places, [len(images), 1, 2 * high, 2 * wide], align_corners=False)
    looked_up: Tensor = _LookedUp.apply(enlarge(images), grid.to(images.dtype))
    changed = (inverse != torch.eye(3, device=inverse.device)).any(dim=2).any(dim=1)
    return torch.where(changed[:, None, None, None], reduce(looked_up), images)


# --- matrices `(b, 3, 3)` -----------------------------------------------------------------------------------


def _matrix(rows: list[list[Tensor]]) -> Tensor:
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)


def _scale(x: Tensor, y: Tensor) -> Tensor:
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    return _matrix([[x, zero, zero], [zero, y, zero], [zero, zero, one]])


def _shift(x: Tensor, y: Tensor) -> Tensor:
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    return _matrix([[one, zero, x], [zero, one, y], [zero, zero, one]])


def _turn(angle: Tensor) -> Tensor:
    return _turned(angle.cos(), angle.sin())


def _quarter_turns(number: Tensor) -> Tensor:
    """Turns by whole multiples of a right angle, exact."""
    cosine = (number == 0).to(number) - (number == 2).to(number)
    sine = (number == 1).to(number) - (number == 3).to(number)
    return _turned(cosine, sine)


def _turned(cosine: Tensor, sine: Tensor) -> Tensor:
    zero, one = torch.zeros_like(sine), torch.ones_like(sine)
    return _matrix([[cosine, -sine, zero], [sine, cosine, zero], [zero, zero, one]])


# --- looking up, and its transpose, which torch does not differentiate ---------------------------------------

_BILINEAR, _REFLECTED, _CORNERS = 0, 2, False


class _LookedUp(torch.autograd.Function):
    """Values of images between their pixels: linear in the images, to which alone gradients pass, of any order."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, grid: Tensor) -> Tensor:
        ctx.save_for_backward(grid)
        ctx.shape = images.shape
        return F.grid_sample(images, grid, "bilinear", "reflection", align_corners=_CORNERS)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (grid,) = ctx.saved_tensors
        return _Spread.apply(gradients[0], grid, ctx.shape), None


class _Spread(torch.autograd.Function):
    """The transpose: values are added to the pixels that they were looked up from."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, grid: Tensor, shape: torch.Size) -> Tensor:
        ctx.save_for_backward(grid)
        images = values.new_zeros(shape)
        found: Tensor = torch.ops.aten.grid_sampler_2d_backward(
            values.contiguous(), images, grid, _BILINEAR, _REFLECTED, _CORNERS, (True, False)
        )[0]
        return found

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (grid,) = ctx.saved_tensors
        return _LookedUp.apply(gradients[0], grid), None, None
