"""Wavelet filters: smooth low-pass filters that lose nothing, and bands that add up to the image."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# Daubechies' least asymmetric wavelets ("symlets") with 2 and with 6 vanishing moments: low-pass, of norm 1.
SYM2 = (-0.12940952255092145, 0.22414386804185735, 0.836516303737469, 0.48296291314469025)
SYM6 = (
    0.015404109327027373,
    0.0034907120842174702,
    -0.11799011114819057,
    -0.048311742585633,
    0.4910559419267466,
    0.787641141030194,
    0.3379294217276218,
    -0.07263752278646252,
    -0.021060292512300564,
    0.04472490177066578,
    0.0017677118642428036,
    -0.007800708325034148,
)
BANDS = 4


def off_centre() -> float:
    """How far the low-pass filter's centre lies behind its middle, in pixels of the lower resolution."""
    taps = np.array(SYM6)
    centre = float(taps @ np.arange(len(taps))) / float(taps.sum())
    return (centre - (len(taps) - 1) / 2) / 2


def band_filters() -> Tensor:
    """Filters `(4, 43)` of four octaves, the lowest first, which add up to the identity.

    With the low-pass filter H, P(z) = H(z) H(1/z) / 2 and 1 - P(z) split a signal in two; the lower part is split
    again, by filters stretched by 2 and by 4.
    """
    low: NDArray[np.float64] = np.convolve(SYM2, SYM2[::-1]) / 2  # (7,)
    high = -low
    high[len(low) // 2] += 1
    found, lower = [], np.ones(1)
    for octave in range(BANDS - 1):
        found.append(np.convolve(lower, _stretched(high, 2**octave)))
        lower = np.convolve(lower, _stretched(low, 2**octave))
    found.append(lower)
    longest = len(lower)
    return torch.from_numpy(np.stack([np.pad(one, (longest - len(one)) // 2) for one in found[::-1]])).float()


def _stretched(taps: NDArray[np.float64], factor: int) -> NDArray[np.float64]:
    """Taps with zeros between them."""
    found = np.zeros((len(taps) - 1) * factor + 1)
    found[::factor] = taps
    return found
