"""What formats that are also written share."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from stylegan2.checkpoints.format import State


def own_state(network: nn.Module) -> State:
    """Return the tensors of a network, on the CPU, each with memory of its own."""
    return {name: value.detach().cpu().contiguous().clone() for name, value in network.state_dict().items()}


def first_unmet(requirements: Mapping[str, bool]) -> str | None:
    """Return the first of the requirements, each by what it says, that is not met; None if all are."""
    return next((said for said, met in requirements.items() if not met), None)
