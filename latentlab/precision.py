"""Precision of rendering by name: float32, bfloat16, or what the hardware is built for."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

import torch

from latentlab.errors import UserError
from latentlab.perceptual import fast_dtype

Settled: TypeAlias = Literal["float32", "bfloat16"]
Precision: TypeAlias = Literal["auto", "float32", "bfloat16"]


def check_precision(name: str) -> None:
    """Refuse what is not a precision; UserError."""
    if name not in get_args(Precision):
        raise UserError(f"precision is auto, float32 or bfloat16, not {name!r}")


def settle(precision: Precision, device: torch.device | str, begun: Settled | None = None) -> Settled:
    """Return the precision to render in.

    Parameters
    ----------
    precision
        'auto' is that of the work that goes on or, if there is none, bfloat16 where the hardware is built for it, and
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
