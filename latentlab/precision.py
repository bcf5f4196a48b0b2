"""Precision of rendering by name: float32, bfloat16, or what the hardware is quick at."""

from __future__ import annotations

import time
from functools import cache
from typing import Literal, TypeAlias, get_args

import torch
import torch.nn.functional as F

from latentlab.errors import UserError
from stylegan2.devices import has_amx

Settled: TypeAlias = Literal["float32", "bfloat16"]
Precision: TypeAlias = Literal["auto", "float32", "bfloat16"]


# bfloat16 is taken below this share of float32's time. CPUs need half of it or twice as much, so noise decides nothing.
_QUICK = 0.8


def check_precision(name: str) -> None:
    """Refuse what is not a precision; UserError."""
    if name not in get_args(Precision):
        raise UserError(f"precision is auto, float32 or bfloat16, not {name!r}")


def settle(precision: Precision, device: torch.device | str, begun: Settled | None = None) -> Settled:
    """Return the precision to render in.

    Parameters
    ----------
    precision
        'auto' is that of the work that goes on or, if there is none, bfloat16 where the hardware is quick at it, and
        float32 elsewhere.
    device
        Device of the generator.
    begun
        Precision of the work that goes on, if there is any.
    """
    if precision != "auto":
        return precision
    if begun is not None:
        return begun
    return "bfloat16" if fast_dtype(device) is torch.bfloat16 else "float32"


def dtype_of(precision: Precision, device: torch.device | str) -> torch.dtype:
    """Type of a precision on a device."""
    return torch.bfloat16 if settle(precision, device) == "bfloat16" else torch.float32


def fast_dtype(device: torch.device | str) -> torch.dtype:
    """Return the type for work that need not be exact: half precision on an accelerator, and on CPUs quick at it.

    A CPU's names do not tell. Those with AMX are quick at bfloat16; of those with AVX-512 BF16 alone, some convolve in
    it twice as fast as in float32, and some only half as fast. So these are timed, once in a process, for 0.1 s.
    """
    if torch.device(device).type != "cpu":
        return torch.bfloat16
    return torch.bfloat16 if _cpu_is_quick_at_bfloat16() else torch.float32


@cache
def _cpu_is_quick_at_bfloat16() -> bool:
    if has_amx():
        return True
    has_bfloat16 = getattr(torch.cpu, "_is_avx512_bf16_supported", bool)  # torch has no public name for it
    return bool(has_bfloat16()) and _seconds(torch.bfloat16) < _QUICK * _seconds(torch.float32)


@torch.inference_mode()
def _seconds(dtype: torch.dtype) -> float:
    """Seconds of a convolution as generators have many, the least of five."""
    x = torch.zeros(1, 256, 32, 32, dtype=dtype, device="cpu").contiguous(memory_format=torch.channels_last)
    weight, times = torch.zeros(256, 256, 3, 3, dtype=dtype, device="cpu"), []
    for _ in range(5):
        begun = time.perf_counter()
        F.conv2d(x, weight, padding=1)
        times.append(time.perf_counter() - begun)
    return min(times)
