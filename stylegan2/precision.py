"""Types that features may be computed in, by name."""

from __future__ import annotations

from typing import Literal, get_args

import torch

DType = Literal["float32", "bfloat16", "float16"]


def compute_dtype(name: str, device: torch.device) -> torch.dtype | None:
    """Return the `compute_dtype` of a synthesis network for a type's name; None, the weights' type, for float32.

    Raises
    ------
    ValueError
        If there is no such type, or it is float16 on a CPU, which is slow at it.
    """
    if name not in get_args(DType):
        raise ValueError(f"dtype must be {', '.join(get_args(DType))}, not {name!r}")
    if name == "float16" and device.type == "cpu":
        raise ValueError("float16 is for GPUs: a CPU is slow at it; take bfloat16")
    found: torch.dtype = getattr(torch, name)
    return None if found is torch.float32 else found
