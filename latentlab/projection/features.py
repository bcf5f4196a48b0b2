"""A residual on inner features: what an image has and no latent renders, kept while the latent is edited.

After Yao et al. 2022, "Feature-Style Encoder for Style-Based GAN Inversion", which replaces features of one layer; here
they are found for one image by descent, as an addition to those of its latent.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from latentlab.errors import UserError

RESIDUAL, REFERENCE = "residual", "reference"

# Where an edit moves the features by this share of their size, half of the residual is left. Chosen on edits of photos
# of people whom benchmarks/projection.py leaves out: with less the person is lost, with more the old lips show through
# the new ones.
_MOVED = 0.8


def residual_name(resolution: int) -> str:
    """Name of the residual on the features of a resolution, among the parameters of `with_residual`."""
    return f"b{resolution}.{RESIDUAL}"


def reference_name(resolution: int) -> str:
    """Name of the features that a residual was found on, among the parameters of `with_residual`."""
    return f"b{resolution}.{REFERENCE}"


def is_residual(name: str) -> bool:
    """Whether a parameter is a residual of features."""
    return name.endswith(f".{RESIDUAL}")


def shared_copy(synthesis: nn.Module) -> Any:
    """A second set of modules over the same tensors: what is put into it leaves the original as it is."""
    shared = {id(tensor): tensor for tensor in itertools.chain(synthesis.parameters(), synthesis.buffers())}
    return copy.deepcopy(synthesis, shared)  # what the memo knows is not copied


def with_residual(synthesis: nn.Module, resolution: int, fades: bool = False) -> nn.Module:
    """A copy of a synthesis network, over the same tensors, that adds a residual to the features of a resolution.

    Parameters
    ----------
    synthesis
        Network whose blocks are called b4, b8, …, and give features `(b, c, r, r)`, alone or before other things.
    resolution
        Resolution of the features.
    fades
        Whether the residual fades where an edit of the latent moves the features away from a reference, those that it
        was found on: lips that were added to a closed mouth do not belong to a laughing one.

    Returns
    -------
    Module
        The copy; its parameter `residual_name(resolution)` and, if it fades, `reference_name(resolution)` are
        `(1, c, r, r)`, and 0.

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
    like = next(block.parameters())
    for name in (RESIDUAL, REFERENCE) if fades else (RESIDUAL,):
        zero = torch.zeros(1, channels(resolution), resolution, resolution, device=like.device)
        block.register_parameter(name, nn.Parameter(zero, requires_grad=False))
    block.register_forward_hook(_add)
    return changed


def _add(block: Any, given: object, made: Any) -> Any:
    features, *others = made if isinstance(made, tuple) else (made,)
    residual = block.residual
    if hasattr(block, REFERENCE):
        residual = residual * _left(features.float(), block.reference)
    added = features + residual.to(features.dtype)
    return (added, *others) if isinstance(made, tuple) else added


def _left(features: Tensor, reference: Tensor) -> Tensor:
    """Share of the residual that is left at each place, `(b, 1, r, r)`, as features have moved from the reference."""
    # Not quite 0 where nothing has moved: the root has no slope there, and drags follow slopes.
    moved = (features - reference).square().mean(dim=1, keepdim=True).clamp_min(1e-16).sqrt()
    share = moved / reference.square().mean().sqrt().clamp_min(1e-8)
    # Around what moves, too: a residual reaches beyond its place, and its end must not show.
    near = F.avg_pool2d(F.pad(F.max_pool2d(share, 3, 1, 1), (1, 1, 1, 1), mode="replicate"), 3, 1)
    return 1 / (1 + (near / _MOVED) ** 4)


@torch.no_grad()
def features_of(synthesis: nn.Module, ws: Tensor, resolution: int, replaced: Mapping[str, Tensor]) -> Tensor:
    """Features `(n, c, r, r)` of a resolution, before any residual, as latents `(n, num_ws, w_dim)` render them.

    `replaced` has weights and noise maps, by name, that replace the network's own.
    """
    found: list[Tensor] = []

    def note(block: object, given: object, made: Any) -> None:
        features = made[0] if isinstance(made, tuple) else made
        found.append(features.to(torch.float32, copy=True))  # the next block may work in place

    handle = synthesis.get_submodule(f"b{resolution}").register_forward_hook(note)
    try:
        functional_call(synthesis, dict(replaced), (ws,), {"noise_mode": "const"})
    finally:
        handle.remove()
    return found[0]
