"""The two-shape set: squares and circles on one ground, with masks, so that translations can be checked exactly."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab import images
from latentlab.datasets.manifest import claim_folder, part_of
from latentlab.progress import Stage, stage_of
from latentlab.reprs import ShortRepr

Shape = Literal["square", "circle"]

_RISE = 0.6  # of the ground's colours, from the middle to an edge
_CONTRAST = 0.6  # least difference, in one channel, between a shape and the ground at each of its pixels
_ATTEMPTS = 100  # to find places for the shapes of a scene


@dataclass(frozen=True, repr=False)
class Scene(ShortRepr):
    """An image and the masks of its shapes.

    Attributes
    ----------
    image
        `(1, 3, resolution, resolution)` in [-1, 1].
    masks
        `(1, n, resolution, resolution)` in {-1, 1}, one per shape; they do not overlap.
    """

    image: Tensor
    masks: Tensor


def make_shapes(
    count: int,
    out: Path,
    resolution: int,
    most: int = 3,
    seed: int = 0,
    held_out: float = 0.1,
    progress: bool | Stage = True,
) -> None:
    """Make the two-shape set: squares in OUT/trainA, circles in OUT/trainB, their masks in trainA_seg and trainB_seg.

    Parameters
    ----------
    count
        Number of scenes of each kind to train on.
    out
        Folder of the set.
    resolution
        Height and width of each scene.
    most
        Largest number of shapes in a scene.
    seed
        Random seed.
    held_out
        Share of `count` that is added for tests, in testA and testB.
    progress
        True for a progress bar, False for none, or a `Stage` of your own.

    Raises
    ------
    UserError
        `out` holds another set, or cannot be written.
    """
    key = {"kind": "shapes", "size": resolution, "count": count, "most": most, "seed": seed, "held_out": held_out}
    claim_folder(out, key)
    total = count + round(held_out * count)
    kinds: tuple[tuple[str, Shape], ...] = (("A", "square"), ("B", "circle"))
    with stage_of(progress)("drawing scenes") as step:
        for k in range(total):
            part = part_of(k, count)
            for side, kind in kinds:
                made = scene(kind, resolution, most, seed * 10**6 + k)
                for n, mask in enumerate(made.masks[0]):
                    images.save_image(mask.expand(3, -1, -1), out / f"{part}{side}_seg" / f"{k:06d}_{n}.png")
                images.save_image(made.image, out / f"{part}{side}" / f"{k:06d}.png")
            step(k + 1, total)


def scene(kind: Shape, resolution: int, most: int, seed: int) -> Scene:
    """Draw one to `most` shapes of a kind, of random sizes, places and colours, on `ground_of(resolution)`.

    Areas have the same distribution for both kinds, so that they differ in shape alone.
    """
    rng = np.random.default_rng((seed, kind == "circle"))
    image, ground = ground_of(resolution)[None], ground_of(resolution)
    ys, xs = np.mgrid[:resolution, :resolution] + 0.5
    masks: list[Tensor] = []
    taken = np.zeros((resolution, resolution), bool)
    wanted = int(rng.integers(1, most + 1))
    for _ in range(_ATTEMPTS):
        area = rng.uniform(0.02, 0.06) * resolution**2
        half = np.sqrt(area) / 2 if kind == "square" else np.sqrt(area / np.pi)
        x, y = rng.uniform(half + 1, resolution - half - 1, 2)
        inside = _square(xs - x, ys - y, half) if kind == "square" else _disc(xs - x, ys - y, half)
        if (inside & taken).any():
            continue
        taken |= _square(xs - x, ys - y, half + 2)  # shapes keep apart
        mask = torch.from_numpy(inside)
        colour = _contrast(rng, ground[:, mask])
        image = torch.where(mask, colour.reshape(1, 3, 1, 1), image)
        masks.append(torch.where(mask, 1.0, -1.0).float())
        if len(masks) == wanted:
            break
    return Scene(image, torch.stack(masks)[None])


def _square(dx: NDArray[np.float64], dy: NDArray[np.float64], half: float) -> NDArray[np.bool_]:
    return (np.abs(dx) <= half) & (np.abs(dy) <= half)


def _disc(dx: NDArray[np.float64], dy: NDArray[np.float64], radius: float) -> NDArray[np.bool_]:
    return np.asarray(dx**2 + dy**2 <= radius**2)


def ground_of(resolution: int) -> Tensor:
    """Return the ground of every scene, `(3, resolution, resolution)`.

    Red rises to the right, green downwards, blue towards the upper left corner. The ground is not plain because of
    instance normalisation: that removes the mean of an image, and with it the colour of a plain ground, and divides by
    the deviation, which on a plain ground is that of the shapes, whose contrast is then lost.
    """
    line = _RISE * (2 * (torch.arange(resolution, dtype=torch.float32, device="cpu") + 0.5) / resolution - 1)
    right, down = line.expand(resolution, resolution), line[:, None].expand(resolution, resolution)
    return torch.stack([right, down, -(right + down) / 2])


def _contrast(rng: np.random.Generator, ground: Tensor) -> Tensor:
    """Draw a colour that differs from the ground `(3, n)` at each of its pixels."""
    while True:
        colour = torch.from_numpy(rng.uniform(-1, 1, 3)).float()
        if (ground - colour[:, None]).abs().amax(dim=0).min() > _CONTRAST:
            return colour
