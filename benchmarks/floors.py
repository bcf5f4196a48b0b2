"""The floor of a piece of work: its bare convolutions, run again alone, and how many operations they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest.mock import patch

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from stylegan2 import phases, winograd


class Convolutions(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Collects the convolutions that run below it, forward and backward, to be run again alone.

    Attributes
    ----------
    calls
        The convolutions, each with its own inputs.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: list[Callable[[], object]] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        """See `TorchDispatchMode`."""
        if func.overloadpacket in (torch.ops.aten.convolution, torch.ops.aten.convolution_backward):
            kept = [x.detach() if isinstance(x, torch.Tensor) else x for x in args]
            self.calls.append(lambda: func(*kept))
        return func(*args, **(kwargs or {}))

    def __call__(self) -> None:
        """Run all of them."""
        for call in self.calls:
            call()

    def operations(self) -> int:
        """Additions and multiplications of all of them, by the definition of a convolution."""
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            self()
        return int(counter.get_total_flops())


@contextmanager
def by_definition() -> Iterator[None]:
    """Leave every convolution to torch, whose own are the floor: no products are saved."""

    def never(*tensors: torch.Tensor) -> bool:
        return False

    with patch.object(winograd, "pays", never), patch.object(phases, "pays", never):
        yield
