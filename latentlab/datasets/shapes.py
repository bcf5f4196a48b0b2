"""The two-shape set: squares and circles on one ground, with masks; whether a translation did it is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

Shape = Literal["square", "circle"]

_RISE = 0.6  # of the ground's colours, from the middle to an edge
_CONTRAST = 0.6  # least difference, in one channel, between a shape and the ground at each of its pixels


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
    """One to `most` shapes of a kind, of random sizes, places and colours, on `ground_of(side)`.

    Areas have the same distribution for both kinds, so that they differ in shape alone.
    """
    rng = np.random.default_rng((seed, kind == "circle"))
    picture = ground_of(side)[None]
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
        colour = _contrast(rng, ground_of(side)[:, mask])
        picture = torch.where(mask, colour.reshape(1, 3, 1, 1), picture)
        masks.append(torch.where(mask, 1.0, -1.0))
        if len(masks) == wanted:
            break
    return Scene(picture, torch.stack(masks)[None])


def ground_of(side: int) -> Tensor:
    """The ground of every picture, `(3, side, side)`: red rises to the right, green downwards, blue towards the corner.

    It is the same everywhere and not plain, for the sake of instance normalisation: that takes away a picture's mean,
    and with it the colour of a plain ground, and divides by its deviation, which on a plain ground is that of the
    shapes, whose contrast is then lost.
    """
    line = _RISE * (2 * (torch.arange(side) + 0.5) / side - 1)
    right, down = line.expand(side, side), line[:, None].expand(side, side)
    return torch.stack([right, down, -(right + down) / 2])


def _contrast(rng: np.random.Generator, ground: Tensor) -> Tensor:
    """A colour that differs from the ground `(3, n)` at each of its pixels."""
    while True:
        colour = torch.from_numpy(rng.uniform(-1, 1, 3)).float()
        if (ground - colour[:, None]).abs().amax(dim=0).min() > _CONTRAST:
            return colour
