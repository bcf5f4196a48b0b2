"""Make a network from a configuration and tensors, neither of which is trusted."""

from __future__ import annotations

import torch
from torch import Tensor

from stylegan2.checkpoints.format import Loaded
from stylegan2.checkpoints.kinds import Network, new_network
from stylegan2.config import DiscriminatorConfig, GeneratorConfig
from stylegan2.describing import printable
from stylegan2.errors import CheckpointError
from stylegan2.layers import resample_buffer

_FILTER = "resample_filter"


def build(loaded: Loaded) -> Network:
    """Make the network, in eval mode and without gradients for its parameters.

    It takes the tensors as they are: memory for its own is never allocated.

    Raises
    ------
    CheckpointError
        Names or shapes are not those of the configuration, or a value is not finite.
    """
    result = _empty(loaded)
    expected = result.state_dict()
    _check(loaded.state, expected)
    state = {name: value.detach().float().contiguous() for name, value in loaded.state.items()}
    if isinstance(loaded.config, (GeneratorConfig, DiscriminatorConfig)):
        # Files may lack the resample filters, which the configuration has.
        for name in expected.keys() - state.keys():
            state[name] = resample_buffer(loaded.config.resample_filter)
    result.load_state_dict(state, assign=True)
    return result.eval().requires_grad_(False)


def _empty(loaded: Loaded) -> Network:
    """Make the network without memory for its tensors."""
    mapping_layers = getattr(loaded.config, "mapping_layers", 0)
    if mapping_layers > len(loaded.state) + 8:
        raise CheckpointError(f"it is damaged: it declares {mapping_layers} mapping layers")
    try:
        with torch.device("meta"):
            return new_network(loaded.config)
    except (RuntimeError, TypeError, ValueError, OverflowError) as error:
        raise CheckpointError("it is damaged: no network has its configuration") from error


def _check(state: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    absent = sorted(n for n in expected.keys() - state.keys() if not n.endswith(_FILTER))
    surplus = sorted(state.keys() - expected.keys())
    for what, names in (("lacks", absent), ("has the unknown", surplus)):
        if names:
            shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
            raise CheckpointError(f"it is damaged or another architecture: it {what} {printable(shown[:200])}")
    for name, tensor in state.items():
        if tensor.shape != expected[name].shape:
            raise CheckpointError(
                f"it is damaged or another architecture: {name} has the shape {tuple(tensor.shape)}, "
                f"not {tuple(expected[name].shape)}"
            )
        if not _is_finite(tensor):
            raise CheckpointError(f"it is damaged: {name} has values that are not finite, with which no image is made")


def _is_finite(tensor: Tensor) -> bool:
    # A sum takes a quarter of the time. It overflows where finite values are huge, too, which the exact test decides.
    return bool(tensor.sum().isfinite()) or bool(tensor.isfinite().all())
