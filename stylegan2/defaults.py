"""Independence of torch's process-wide defaults and random generators, which belong to the program around a library."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def plain_defaults() -> Iterator[None]:
    """Make float32 and the CPU the defaults for what runs within, and restore the process's own ones.

    A decorator for functions that load networks or optimise something: what they return must not depend on
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


@contextmanager
def own_draws() -> Iterator[None]:
    """Leave torch's global random generators as they were: what runs within may draw from them and seed them.

    A decorator for functions that build, load or train networks: torch draws weights and dropout from its global
    generators, and what a program draws afterwards must not depend on that. Those of CUDA are kept where it is in use.
    """
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()  # type: ignore[no-untyped-call]
    with torch.random.fork_rng(devices=devices):
        yield
