"""Weights between those that were tuned on several photos."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from latentlab.errors import UserError
from latentlab.projection.deltas import DOWN, UP, WeightDelta


def mixed_delta(deltas: Sequence[WeightDelta | None], shares: Sequence[float]) -> WeightDelta | None:
    r"""Add up changes of one generator's weights, each weighted by its share; exact also for changes of low rank.

    .. math:: \sum_k a_k\,U_k D_k = [a_1 U_1 \dots a_n U_n]\,[D_1; \dots; D_n]

    Parameters
    ----------
    deltas
        Changes of the same generator; None for one that changes nothing, as for images that nothing was tuned on.
    shares
        One share for each.

    Returns
    -------
    WeightDelta or None
        The change; None where nothing changes.

    Raises
    ------
    UserError
        If features were refined at different resolutions.
    """
    parts = [(delta, share) for delta, share in zip(deltas, shares, strict=True) if delta is not None and share]
    if not parts:
        return None
    check_features_agree([delta for delta, _ in parts])
    names = {name.removesuffix(UP).removesuffix(DOWN) for delta, _ in parts for name in delta.tensors}
    tensors: dict[str, Tensor] = {}
    for name in sorted(names):
        tensors |= _mixed(name, [(delta.tensors, share) for delta, share in parts])
    return WeightDelta(tensors, parts[0][0].generator)


def check_features_agree(deltas: Sequence[WeightDelta]) -> None:
    """Refuse deltas whose features were refined at different resolutions, between which there is nothing; UserError."""
    resolutions = sorted({delta.refined for delta in deltas if delta.refined is not None})
    if len(resolutions) > 1:
        raise UserError(
            f"features of different photos were refined at {' and '.join(map(str, resolutions))} pixels: "
            "tune these photos by the same settings"
        )


def _mixed(name: str, parts: Sequence[tuple[dict[str, Tensor], float]]) -> dict[str, Tensor]:
    """The change of one weight: thin factors side by side, or a whole one where any is whole."""
    wholes = [share * tensors[name].float() for tensors, share in parts if name in tensors]
    factors = [
        (share * tensors[name + UP].float(), tensors[name + DOWN].float())
        for tensors, share in parts
        if name + UP in tensors
    ]
    if not wholes:
        return {
            name + UP: torch.cat([up for up, _ in factors], dim=1),
            name + DOWN: torch.cat([down for _, down in factors]),
        }
    products = [(up @ down).reshape(wholes[0].shape) for up, down in factors]
    return {name: torch.stack([*wholes, *products]).sum(dim=0)}
