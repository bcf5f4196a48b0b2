"""Colour faces to the 64x64 grey input of the expression network, bit for bit as the `fer` library makes it.

That library works on 8-bit pixels and rounds after every step: the network's output moves by up to 0.035 if one
does not. So the steps here compute the same integers, and pass gradients on as if they had not rounded.
"""

from __future__ import annotations

import torch
from torch import Tensor

# OpenCV's luma weights (ITU-R BT.601) of red, green and blue, in units of 2^-15.
_LUMA = (9798, 19235, 3735)
_LUMA_BITS = 15
# OpenCV's bilinear weights have 11 bits; it drops 4 bits between the two axes.
_WEIGHT = 1 << 11


def grey_faces(faces: Tensor, side: int) -> Tensor:
    """The input of the network.

    Parameters
    ----------
    faces
        `(b, 3, h, w)` in [-1, 1], RGB; values beyond are clamped. On any device, with or without gradients.
    side
        Side of the result in pixels.

    Returns
    -------
    Tensor
        `(b, 1, side, side)` float32 in [-1, 1]. Differentiable in `faces`: the gradient is that of the same steps
        without rounding.
    """
    rows, columns = _taps(faces.shape[2], side), _taps(faces.shape[3], side)
    taps = faces[:, :, torch.cat(rows[:2]).to(faces.device)]  # (b, 3, 2 side, w)
    taps = taps[:, :, :, torch.cat(columns[:2]).to(faces.device)]  # (b, 3, 2 side, 2 side)
    pixels = _through(((taps.float().clamp(-1, 1) + 1) * 127.5))
    luma = _grey(pixels)  # (b, 2 side, 2 side)
    exact = _mix_exactly(luma, rows[2].to(faces.device), _inside(faces.shape[3], side, columns[2]).to(faces.device))
    smooth = _mix(luma, rows[2].to(faces.device), columns[2].to(faces.device))
    grey = smooth + (exact - smooth).detach()
    return (grey / 255 - 0.5).mul(2)[:, None]
