"""Independence of torch's process-wide defaults, which a program around a library may have changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def plain_defaults() -> Iterator[None]:
    """Make float32 and the CPU the defaults of what runs within, and restore the process's own ones.

    A decorator of functions that load networks or optimise something: what they give must not depend on
    `torch.set_default_dtype` and `torch.set_default_device`. Tensors that name their type or device keep it.
    """
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        if torch.get_default_device().type == "cpu":  # no context, which every call of torch would pass through
            yield
        else:
            with torch.device("cpu"):
                yield
    finally:
        torch.set_default_dtype(before)
