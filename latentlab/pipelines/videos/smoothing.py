"""Smoothing over time without a lag: what is seen of a face jitters from frame to frame."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

REACH = 3  # standard deviations to which the kernel reaches


def kernels(count: int, sigma: float) -> list[tuple[int, Array]]:
    """For each of `count` frames, the first of its neighbours and their weights; see `smooth`."""
    found = []
    reach = math.ceil(REACH * sigma)
    for t in range(count):
        first = max(t - reach, 0)
        away = np.arange(first, min(t + reach + 1, count), dtype=np.float64) - t
        near = np.exp(-((away / sigma) ** 2) / 2) if sigma > 0 else np.ones(1)
        # The value at t of the straight line that fits the neighbours best, for which the nearest count most.
        s0, s1, s2 = near.sum(), (near * away).sum(), (near * away**2).sum()
        spread = s0 * s2 - s1**2
        found.append((first, near * (s2 - away * s1) / spread if spread > 0 else near / s0))
    return found


def smooth(values: Array, sigma: float) -> Array:
    r"""Smooth `values (t, …)` over time with a Gaussian kernel of `sigma` frames, fitting a straight line under it.

    The kernel looks as far ahead as back, so that the result does not lag behind, and constant speeds are followed
    exactly, up to the first and last frame. Away from the ends no weight is negative: a sudden move is rounded and
    never overshot. Within three sigma of an end some weights are: a jump there may be overshot by a fifth of its height
    at most. A motion of f periods per frame keeps the share

    .. math:: \exp(-2 \pi^2 \sigma^2 f^2)

    of its height: at 25 frames a second and a sigma of 2, a nod of one second 88 %, one of half a second 60 %.
    Independent errors of the frames fall to 38 %, and what flickers, their second difference, to 3 %.
    """
    if not len(values):
        return np.array(values, dtype=np.float64)
    flat = values.reshape(len(values), -1)
    rows = [weights @ flat[first : first + len(weights)] for first, weights in kernels(len(values), sigma)]
    return np.asarray(np.stack(rows).reshape(values.shape), dtype=np.float64)
