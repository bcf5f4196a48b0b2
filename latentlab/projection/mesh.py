"""The mesh: a pattern of one averaging cell, which a loss that compares averaged images cannot see.

Where images of 1024² are compared at 256², the pixels of each block of 4 × 4 are free as long as their mean stays. A
search drifts there, and what it leaves repeats from block to block: a screen door, plain to the eye at full size. It
may also lie in the colours alone, or not repeat at all: two further measures see that.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from latentlab.images import luma

# Pixels of a tile, within which the pattern is the same: small, since it differs between skin and background.
_TILE = 32


def mesh(images: Tensor, period: int) -> Tensor:
    """Measure the detail of the luma that repeats every `period` pixels: its mean square in each image.

    Detail is what a triangular filter of two periods takes away, which leaves none of the pattern and all of a slope.
    In tiles of 32 pixels it is folded: averaged over all cells of `period` × `period`.

    Parameters
    ----------
    images
        `(b, c, h, w)` in about [-1, 1].
    period
        Pixels of the image for each one of the comparison; 1 hides nothing.

    Returns
    -------
    Tensor
        `(b,)`; differentiable.
    """
    if period == 1:
        return images.new_zeros(len(images))
    return _folded(_detail(luma(images.float()), period)[:, 0], period)


def mesh_levels(images: Tensor, period: int) -> Tensor:
    """Return the root of `mesh` in levels of images of 8 bits, `(b,)`."""
    return 127.5 * mesh(images, period).sqrt()


def chroma_mesh_levels(images: Tensor, period: int) -> Tensor:
    """Measure the pattern in the colours alone, `(b,)`: that of what the channels differ by from the luma, in levels.

    Parameters are those of `mesh`; images of one channel have none.
    """
    if period == 1 or images.shape[1] == 1:
        return images.new_zeros(len(images))
    images = images.float()
    chroma = (images - luma(images)).flatten(0, 1)[:, None]  # (b * 3, 1, h, w)
    folded = _folded(_detail(chroma, period)[:, 0], period)
    return 127.5 * folded.reshape(len(images), -1).mean(dim=1).sqrt()


def finest_levels(images: Tensor) -> Tensor:
    """Measure the finest detail, whether it repeats or not, `(b,)`: the root mean square of the luma's, in levels.

    It is what each 2 × 2 pixels differ by from their mean, the finest bands of a Haar wavelet.
    """
    grey = luma(images.float())
    grey = grey[:, :, : grey.shape[2] // 2 * 2, : grey.shape[3] // 2 * 2]
    coarse = F.interpolate(F.avg_pool2d(grey, 2), scale_factor=2, mode="nearest")
    return 127.5 * (grey - coarse).square().mean(dim=(1, 2, 3)).sqrt()


def _folded(detail: Tensor, period: int) -> Tensor:
    """Mean square of `detail (b, h, w)` folded to one cell in each tile, `(b,)`."""
    tile = max(_TILE // period, 1) * period
    rows, columns = (min(tile, side // period * period) for side in detail.shape[1:])
    down, across = detail.shape[1] // rows, detail.shape[2] // columns
    cells = detail[:, : down * rows, : across * columns].reshape(
        len(detail), down, rows // period, period, across, columns // period, period
    )
    return cells.mean(dim=(2, 5)).square().mean(dim=(1, 2, 3, 4))


def _detail(grey: Tensor, period: int) -> Tensor:
    """What `grey (b, 1, h, w)` differs by from its average over a period, taken twice, which centres it."""
    border = period - 1
    smooth = F.avg_pool2d(F.avg_pool2d(grey, period, stride=1), period, stride=1)
    return grey[:, :, border : grey.shape[2] - border, border : grey.shape[3] - border] - smooth
