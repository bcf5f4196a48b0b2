"""Files of directions: safetensors with the card as JSON in the metadata."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import torch
from torch import Tensor

from latentlab import cards
from latentlab.directions.direction import Direction, Space, Statistic
from latentlab.directions.response import Response
from latentlab.directions.styles import StyleChannels
from latentlab.errors import UserError
from latentlab.filling import check_fits

KIND = cards.Kind("latentlab.direction", 1, "a direction", "save the direction again")

_CARD = (
    "space", "layers", "method", "attribute", "sigma", "intercept", "strength_range", "statistics",
    "generator", "scorer",
)  # fmt: skip


@dataclass(frozen=True)
class _Card:
    """The card of a direction; those of earlier versions lack what has a default."""

    space: Space
    layers: tuple[Annotated[int, msgspec.Meta(ge=0, lt=1 << 10)], ...] | None
    method: str
    attribute: str
    sigma: float | None
    intercept: float | None
    statistics: dict[str, bool | Statistic]
    generator: str | None
    scorer: str | None
    strength_range: tuple[float, float] | None = None
    channel_layers: tuple[str, ...] | None = None
    response: Response | None = None


def save(direction: Direction, path: str | Path) -> None:
    """Write a direction; see `Direction.save`."""
    tensors = {"vector": torch.from_numpy(direction.vector)}
    card = {name: getattr(direction, name) for name in _CARD}
    card["response"] = None if direction.response is None else direction.response.to_dict()
    channels = direction.channels
    if channels is not None:
        card["channel_layers"] = list(channels.layers)
        tensors |= {
            "channels.indices": torch.from_numpy(channels.indices),
            "channels.scales": torch.from_numpy(channels.scales),
        }
    cards.write(path, KIND, tensors, card)


def load(path: str | Path) -> Direction:
    """Load what `save` wrote; see `Direction.load`."""
    tensors, card = cards.read(path, KIND, _Card)
    with cards.guard(path, KIND):
        vector = tensors["vector"]
        if vector.dtype != torch.float32:
            raise UserError(f"its vector has numbers of type {vector.dtype}")
        known = {name: getattr(card, name) for name in (*_CARD, "response")}
        return Direction(vector.numpy(), **known, channels=_channels(tensors, card.channel_layers))


def _channels(tensors: dict[str, Tensor], layers: tuple[str, ...] | None) -> StyleChannels | None:
    if layers is None:
        return None
    own = {name: tensors[f"channels.{name}"] for name in ("indices", "scales")}
    check_fits(own, {"indices": torch.zeros(len(layers), dtype=torch.int64), "scales": torch.zeros(len(layers))})
    return StyleChannels(layers, own["indices"].numpy(), own["scales"].numpy())
