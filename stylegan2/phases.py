"""The transposed 3×3 convolution of stride 2 in bfloat16 on a CPU with AMX, as its four phases in a plain convolution.

Pixels of the output in even rows and columns come from 2×2 taps, those in odd ones from one row or column of taps or
from a single tap. Padded with zeros to 2×2, the four phases are one convolution to four times as many channels. It has
16 products where 9 are needed, and yet takes half the time: transposed convolutions do not reach the speed that AMX's
matrix units give to plain ones. On CPUs with AVX-512 BF16 alone they do, and the phases would take twice the time.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan2.derived import derived
from stylegan2.devices import has_amx

_PHASES = tuple((p, q) for p in (0, 1) for q in (0, 1))
_LEAST_CHANNELS = 128  # with fewer, joining the phases costs more than is saved (benchmarks/convolutions.py)


def pays(x: Tensor, weight: Tensor) -> bool:
    """Whether `convolve_transposed` is the faster way: bfloat16, 3×3, weights without gradients, a CPU with AMX."""
    half = x.device.type == "cpu" and x.dtype == weight.dtype == torch.bfloat16 and not torch.compiler.is_compiling()
    fits = weight.shape[2:] == (3, 3) and x.shape[1] >= _LEAST_CHANNELS
    return half and fits and has_amx() and not (weight.requires_grad and torch.is_grad_enabled())


def convolve_transposed(x: Tensor, weight: Tensor) -> Tensor:
    """Compute `F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)`, differentiable in x any number of times.

    Parameters
    ----------
    x
        `(b, i, h, w)`.
    weight
        `(o, i, 3, 3)`. No gradient passes to it.

    Returns
    -------
    Tensor
        `(b, o, 2h + 1, 2w + 1)` in the channels_last layout.
    """
    y: Tensor = _Transposed.apply(x, weight)
    return y


class _Transposed(torch.autograd.Function):
    """`_convolved`, whose gradient is a convolution of stride 2."""

    @staticmethod
    def forward(x: Tensor, weight: Tensor) -> Tensor:
        return _convolved(x, weight)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.weight = inputs[1]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return F.conv2d(gradients[0], ctx.weight.transpose(0, 1), stride=2), None


def _convolved(x: Tensor, weight: Tensor) -> Tensor:
    (b, _, h, w), o = x.shape, len(weight)
    found = F.conv2d(x, derived("phases", _phases, weight), padding=1)  # (b, 4o, h + 1, w + 1)
    y = torch.empty((b, o, 2 * h + 1, 2 * w + 1), dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
    for (p, q), part in zip(_PHASES, torch.split(found, o, dim=1), strict=True):
        y[:, :, p::2, q::2] = part[:, :, : h + 1 - p, : w + 1 - q]
    return y


def _phases(weight: Tensor) -> Tensor:
    """The taps of the four phases, one after the other, `(4o, i, 2, 2)`."""
    o, i = weight.shape[:2]
    taps = weight.reshape(-1, 9) @ _places(weight.dtype)  # (o · i, 16)
    return taps.view(o, i, 4, 2, 2).permute(2, 0, 1, 3, 4).reshape(4 * o, i, 2, 2)


@cache
def _places(dtype: torch.dtype) -> Tensor:
    """Where each of the 9 taps goes among the 4 phases of 2×2 taps, `(9, 16)`.

    Row m of the convolution sees rows m - 1 and m of x. Row 2m of the output takes the taps 2 and 0 of these; row
    2m + 1 takes tap 1 of row m. So do columns.
    """
    rows = torch.zeros(3, 2, 2, dtype=torch.float32, device="cpu")  # (tap, phase, row)
    rows[2, 0, 0] = rows[0, 0, 1] = rows[1, 1, 1] = 1
    both = torch.einsum("ypk,xql->yxpqkl", rows, rows)
    return both.reshape(9, 16).to(dtype)
