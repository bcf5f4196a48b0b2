"""Independence of torch's process-wide defaults, which code around a library may have changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def plain_defaults() -> Iterator[None]:
    """Make what is built within of float32 on the CPU, whatever `torch.set_default_dtype` and `-_device` say.

    For functions that load networks, as their decorator: a network must not depend on what a program did before.
    """
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        with torch.device("cpu"):
            yield
    finally:
        torch.set_default_dtype(before)
