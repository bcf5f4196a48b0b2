"""Files of directions: safetensors with the card as JSON in the metadata."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from latentlab import cards
from latentlab.directions.direction import Direction
from latentlab.directions.response import Response
from latentlab.directions.styles import StyleChannels

KIND = cards.Kind("latentlab.direction", 1, "a direction", "save the direction again")

_CARD = (
    "space", "layers", "method", "attribute", "sigma", "intercept", "strength_range", "statistics",
    "generator", "scorer",
)  # fmt: skip


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
    tensors, card = cards.read(path, KIND)
    with cards.guard(path, KIND):
        fields = _parse_card(card)
        channels, response = _channels(tensors, card), card.get("response")  # which cards of earlier versions lack
        response = None if response is None else Response.from_dict(response)
        return Direction(tensors["vector"].numpy(), **fields, channels=channels, response=response)


def _channels(tensors: dict[str, Tensor], card: dict[str, Any]) -> StyleChannels | None:
    layers = card.get("channel_layers")
    if layers is None:
        return None
    if not isinstance(layers, list) or not all(isinstance(layer, str) for layer in layers):
        raise TypeError(f"channel_layers is {layers!r}")
    indices, scales = (tensors[f"channels.{name}"].numpy() for name in ("indices", "scales"))
    return StyleChannels(tuple(layers), indices.astype(np.int64), scales.astype(np.float32))


def _parse_card(card: dict[str, Any]) -> dict[str, Any]:
    """Check the fields of a card and their types."""
    card = {"strength_range": None, **card}  # which cards of earlier versions lack
    types: dict[str, Any] = {
        "space": str, "layers": (list, type(None)), "method": str, "attribute": str, "statistics": dict,
        "sigma": (int, float, type(None)), "intercept": (int, float, type(None)),
        "strength_range": (list, type(None)),
        "generator": (str, type(None)), "scorer": (str, type(None)),
    }  # fmt: skip
    for name in _CARD:
        if not isinstance(card[name], types[name]):
            raise TypeError(f"{name} is {card[name]!r}")
    if not all(isinstance(value, (int, float, str)) for value in card["statistics"].values()):
        raise TypeError("statistics are not numbers or words")
    layers = None if card["layers"] is None else tuple(int(layer) for layer in card["layers"])
    return {**{name: card[name] for name in _CARD}, "layers": layers}
