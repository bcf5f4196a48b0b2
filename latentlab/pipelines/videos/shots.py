"""Cuts of a video: where one frame shows something other than the frame before."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from latentlab.images import luma

Array = NDArray[np.float64]

_SMALL = 27, 48  # height and width at which frames are compared
# A cut changes frames by more than these levels of 255 in the mean, and by more than so many times what the frames
# around it change by in the median.
_LEAST, _TIMES = 15.0, 4.0
_AROUND = 12  # frames to either side


def thumbnail(frame: Tensor) -> Array:
    """Reduce a frame `(1, 3, h, w)` to what cuts are found by: `(27, 48)`, grey, in levels of 255."""
    small = F.interpolate(luma(frame.float()), _SMALL, mode="area")
    return np.asarray(127.5 * (small[0, 0].cpu().numpy() + 1), dtype=np.float64)


def find_cuts(thumbnails: Sequence[Array]) -> list[int]:
    """Find the first frame of each shot but the first one.

    A frame that differs from all before it and all after it, such as a flash, is not a cut.
    """
    change = np.array([_difference(a, b) for a, b in zip(thumbnails, thumbnails[1:], strict=False)])
    cuts = []
    for t in range(1, len(thumbnails)):
        near = np.delete(change[max(t - 1 - _AROUND, 0) : t + _AROUND], min(t - 1, _AROUND))
        usual = float(np.median(near)) if len(near) else 0.0
        if min(change[t - 1], _lasting(thumbnails, t)) > max(_LEAST, _TIMES * usual):
            cuts.append(t)
    return cuts


def _lasting(thumbnails: Sequence[Array], t: int) -> float:
    """How much of a change before frame `t` lasts for a frame: the least difference across it of two frames apart."""
    pairs = [(t - 1, t + 1), (t - 2, t)]
    differences = [_difference(thumbnails[a], thumbnails[b]) for a, b in pairs if a >= 0 and b < len(thumbnails)]
    return min(differences, default=np.inf)


def _difference(a: Array, b: Array) -> float:
    return float(np.abs(a - b).mean())


def shots_of(count: int, cuts: Sequence[int]) -> list[range]:
    """Frames of each shot of a video of `count` frames."""
    bounds = [0, *cuts, count]
    return [range(first, last) for first, last in zip(bounds, bounds[1:], strict=False) if last > first]
