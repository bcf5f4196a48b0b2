"""Independence of torch's process-wide defaults, which a program around a library may have changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch


@contextmanager
def plain_defaults() -> Iterator[None]:
    """Make float32 and the CPU the defaults of what runs within, and restore the process's own ones.

    A decorator of functions that load networks or optimise something: what they give must not depend on
    `torch.set_default_dtype` and `torch.set_default_device`. Tensors that name their type or device keep it.
    """
    before = torch.get_default_dtype()
    elsewhere = torch.get_default_device().type != "cpu"
    torch.set_default_dtype(torch.float32)
    try:
        with torch.device("cpu") if elsewhere else nullcontext():
            yield
    finally:
        torch.set_default_dtype(before)
