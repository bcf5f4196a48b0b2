"""Make a network from a configuration and tensors of which neither is trusted."""

from __future__ import annotations

import torch

from stylegan2.checkpoints.format import Loaded
from stylegan2.checkpoints.kinds import Network, new_network
from stylegan2.errors import CheckpointError


def build(loaded: Loaded) -> Network:
    """Make the network, in eval mode and without gradients for its parameters.

    Raises
    ------
    CheckpointError
        Names or shapes are not those of the configuration, which is checked before any memory is taken.
    """
    _check(loaded)
    result = new_network(loaded.config)
    # What is missing are resample filters, which the configuration has made already.
    result.load_state_dict(loaded.state, strict=False)
    return result.eval().requires_grad_(False)


def _check(loaded: Loaded) -> None:
    if loaded.config.mapping_layers > len(loaded.state) + 8:
        raise CheckpointError(f"it is damaged: it declares {loaded.config.mapping_layers} mapping layers")
    try:
        with torch.device("meta"):
            expected = new_network(loaded.config).state_dict()
    except (RuntimeError, TypeError, ValueError, OverflowError) as error:
        raise CheckpointError(f"it is damaged: no network has the configuration {loaded.config}") from error
    absent = sorted(n for n in expected.keys() - loaded.state.keys() if not n.endswith("resample_filter"))
    surplus = sorted(loaded.state.keys() - expected.keys())
    for what, names in (("lacks", absent), ("has the unknown", surplus)):
        if names:
            shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
            raise CheckpointError(f"it is damaged or another architecture: it {what} {shown[:200]}")
    for name, tensor in loaded.state.items():
        if tensor.shape != expected[name].shape:
            raise CheckpointError(
                f"it is damaged or another architecture: {name} has the shape {tuple(tensor.shape)}, "
                f"not {tuple(expected[name].shape)}"
            )
