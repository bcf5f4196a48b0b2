"""The two-shape set: squares and circles on one grey ground, with masks; whether a translation did it is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

Shape = Literal["square", "circle"]

GROUND = 0.0
"""The ground's level in [-1, 1], in all three channels of every picture."""


@dataclass(frozen=True)
class Scene:
    """A picture and the masks of its shapes.

    Attributes
    ----------
    picture
        `(1, 3, side, side)` in [-1, 1].
    masks
        `(1, n, side, side)` in {-1, 1}, one a shape; they do not overlap.
    """

    picture: Tensor
    masks: Tensor


def scene(kind: Shape, side: int, most: int, seed: int) -> Scene:
    """One to `most` shapes of a kind, of random sizes, places and colours, on the grey of `GROUND`.

    Areas have the same distribution for both kinds, so that they differ in shape alone. All pictures have one
    ground: instance normalisation takes away a picture's mean, and with it the colour of a plain ground.
    """
    rng = np.random.default_rng((seed, kind == "circle"))
    picture = torch.full((1, 3, side, side), GROUND)
    ys, xs = np.mgrid[:side, :side] + 0.5
    masks: list[Tensor] = []
    taken = np.zeros((side, side), bool)
    wanted = int(rng.integers(1, most + 1))
    for _ in range(100):
        area = rng.uniform(0.02, 0.06) * side**2
        half = np.sqrt(area) / 2 if kind == "square" else np.sqrt(area / np.pi)
        x, y = rng.uniform(half + 1, side - half - 1, 2)
        if kind == "square":
            inside = (np.abs(xs - x) <= half) & (np.abs(ys - y) <= half)
        else:
            inside = (xs - x) ** 2 + (ys - y) ** 2 <= half**2
        if (inside & taken).any():
            continue
        near = (np.abs(xs - x) <= half + 2) & (np.abs(ys - y) <= half + 2)  # shapes keep apart
        taken |= near
        mask = torch.from_numpy(inside)
        picture = torch.where(mask, _contrast(rng).reshape(1, 3, 1, 1), picture)
        masks.append(torch.where(mask, 1.0, -1.0))
        if len(masks) == wanted:
            break
    return Scene(picture, torch.stack(masks)[None])


def _contrast(rng: np.random.Generator) -> Tensor:
    """A colour that differs from the ground's."""
    while True:
        colour = rng.uniform(-1, 1, 3)
        if np.abs(colour - GROUND).max() > 0.6:
            return torch.from_numpy(colour).float()
