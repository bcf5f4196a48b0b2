"""A residual on inner features: what an image has and no latent renders, kept while the latent is edited.

After Yao et al. 2022, "Feature-Style Encoder for Style-Based GAN Inversion", which replaces features of one layer; here
they are found for one image by descent, as an addition to those of its latent.
"""

from __future__ import annotations

import copy
import itertools
from typing import Any

import torch
from torch import Tensor, nn

from latentlab.errors import UserError

RESIDUAL = "residual"


def residual_name(resolution: int) -> str:
    """Name of the residual on the features of a resolution, among the parameters of `with_residual`."""
    return f"b{resolution}.{RESIDUAL}"


def is_residual(name: str) -> bool:
    """Whether a parameter is a residual of features."""
    return name.endswith(f".{RESIDUAL}")


def shared_copy(synthesis: nn.Module) -> Any:
    """A second set of modules over the same tensors: what is put into it leaves the original as it is."""
    shared = {id(tensor): tensor for tensor in itertools.chain(synthesis.parameters(), synthesis.buffers())}
    return copy.deepcopy(synthesis, shared)  # what the memo knows is not copied


def with_residual(synthesis: nn.Module, resolution: int) -> nn.Module:
    """A copy of a synthesis network, over the same tensors, that adds a residual to the features of a resolution.

    Parameters
    ----------
    synthesis
        Network whose blocks are called b4, b8, …, and give features `(b, c, r, r)`, alone or before other things.
    resolution
        Resolution of the features.

    Returns
    -------
    Module
        The copy; its parameter `residual_name(resolution)` is `(1, c, r, r)`, and 0.

    Raises
    ------
    UserError
        The network has no block of this resolution.
    """
    changed: nn.Module = shared_copy(synthesis)
    block = getattr(changed, f"b{resolution}", None)
    channels = getattr(getattr(synthesis, "config", None), "channels", None)
    if not isinstance(block, nn.Module) or channels is None:
        raise UserError(f"this generator has no features of {resolution} pixels to refine")
    reference = next(block.parameters())
    zero = torch.zeros(1, channels(resolution), resolution, resolution, device=reference.device)
    block.register_parameter(RESIDUAL, nn.Parameter(zero, requires_grad=False))
    block.register_forward_hook(_add)
    return changed


def _add(block: Any, given: object, made: Any) -> Any:
    if isinstance(made, tuple):
        features, *others = made
        return (features + block.residual.to(features.dtype), *others)
    return made + block.residual.to(made.dtype)


@torch.no_grad()
def size_of_features(synthesis: nn.Module, ws: Tensor, resolution: int) -> float:
    """Root mean square of the features of a resolution, as latents `(n, num_ws, w_dim)` render them."""
    found: list[Tensor] = []

    def note(block: object, given: object, made: Any) -> None:
        features = made[0] if isinstance(made, tuple) else made
        found.append(features.float().square().mean().sqrt())

    handle = synthesis.get_submodule(f"b{resolution}").register_forward_hook(note)
    try:
        synthesis(ws, noise_mode="const")
    finally:
        handle.remove()
    return float(found[0])
