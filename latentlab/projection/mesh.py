"""The mesh: a pattern of one averaging cell, which a loss that compares averaged images cannot see.

Where images of 1024² are compared at 256², the pixels of each block of 4 × 4 are free as long as their mean stays. A
search drifts there, and what it leaves repeats from block to block: a screen door, plain to the eye at full size. It
may also lie in the colours alone, or not repeat at all: two further measures see that. Where weights are tuned, a weave
of twice that period comes with it, which the comparison sees, but so faint that it does not count.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from latentlab.images import luma

# Pixels of a tile, within which the pattern is the same: small, since it differs between skin and background; but of
# some cells a side, since fewer leave too much of the detail that does not repeat.
_TILE, _CELLS = 32, 8


def mesh(images: Tensor, period: int) -> Tensor:
    """Measure the detail that repeats every `period` pixels: its mean square in each image, over all channels.

    Detail is what a triangular filter of two periods takes away, which leaves none of the pattern and all of a slope.
    In tiles of 32 pixels, or 8 periods, it is folded: averaged over all cells of `period` × `period`. So a pattern of
    half the period, or of another divisor, counts as well.

    Parameters
    ----------
    images
        `(b, c, h, w)` in about [-1, 1].
    period
        Pixels after which the pattern repeats, such as those for each one of the comparison; 1 is no pattern.

    Returns
    -------
    Tensor
        `(b,)`; differentiable.
    """
    if period == 1:
        return images.new_zeros(len(images))
    detail = _detail(images.float().flatten(0, 1)[:, None], period)[:, 0]  # (b * c, h, w)
    return _folded(detail, period).reshape(len(images), -1).mean(dim=1)


def mesh_levels(images: Tensor, period: int) -> Tensor:
    """Measure the pattern in the luma, `(b,)`: the root of its `mesh`, in levels of images of 8 bits."""
    return 127.5 * mesh(luma(images.float()), period).sqrt()


def chroma_mesh_levels(images: Tensor, period: int) -> Tensor:
    """Measure the pattern in the colours alone, `(b,)`: that of what the channels differ by from the luma, in levels.

    Parameters are those of `mesh`; images of one channel have none.
    """
    images = images.float()
    return 127.5 * mesh(images - luma(images), period).sqrt()


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
    tile = max(_TILE // period, _CELLS) * period
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
