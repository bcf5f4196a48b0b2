"""Labelled faces: images in a folder and a CSV of their attributes, split so that no identity is in two parts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab import images
from latentlab.csv_files import path_in, read_records
from latentlab.errors import UserError
from latentlab.progress import Stage, stage_of
from latentlab.reprs import ShortRepr
from latentlab.scorers.attributes.network import RESOLUTION
from latentlab.scorers.crop import FaceCrop
from stylegan2.describing import printable

MARGIN = 4  # pixels beyond each border of the network's input, for random shifts


@dataclass(frozen=True, repr=False)
class Labels(ShortRepr):
    """Attributes of labelled images.

    Attributes
    ----------
    files, persons
        Names of the n images, and the identity in each.
    names
        Names of the k attributes.
    values
        `(n, k)` bool.
    """

    files: tuple[str, ...]
    persons: tuple[str, ...]
    names: tuple[str, ...]
    values: NDArray[np.bool_]


def load_labels(path: Path, folder: Path) -> Labels:
    """Load a CSV with the columns `image`, `identity`, and one with 0 or 1 for each attribute.

    Raises
    ------
    UserError
        If the file is missing, has other columns or holds other values, or an image does not lie in the `folder`.
        Names the line.
    """
    rows = read_records(path, ("image", "identity"))
    if not rows:
        raise UserError(f"{path} has no images")
    names = tuple(name for name in rows[0][1] if name not in ("image", "identity"))
    if not names:
        raise UserError(f"{path} needs a column for an attribute beside image and identity")
    for line, row in rows:
        if wrong := [name for name in names if row[name] not in ("0", "1")]:
            raise UserError(f"{path}, line {line}: {printable(wrong[0][:60])} is not 0 or 1")
        path_in(folder, row["image"], f"{path}, line {line}")
    values = np.array([[row[name] == "1" for name in names] for _, row in rows])
    return Labels(tuple(row["image"] for _, row in rows), tuple(row["identity"] for _, row in rows), names, values)


def load_faces(folder: Path, labels: Labels, crop: FaceCrop, progress: bool | Stage = True) -> Tensor:
    """Load all images as the network sees them, with a margin of `MARGIN` pixels: `(n, 3, 72, 72)` uint8.

    The margin repeats the border of the crop. `progress` is True for a progress bar, False for none, or a `Stage` of
    your own.

    Raises
    ------
    UserError
        If an image is missing or cannot be read.
    """

    def one(name: str) -> Tensor:
        face = crop.cut(images.load_image(folder / name), RESOLUTION)
        return images.to_bytes(torch.nn.functional.pad(face, [MARGIN] * 4, mode="replicate"))

    found = []
    with ThreadPoolExecutor() as pool, stage_of(progress)("reading") as step:
        for image in pool.map(one, labels.files):
            found.append(image)
            step(len(found), len(labels.files))
    return torch.cat(found)


def split(persons: tuple[str, ...], shares: tuple[float, ...], seed: int) -> list[NDArray[np.intp]]:
    """Split rows at random into parts of the given `shares`, all images of a person in one part.

    Returns
    -------
    list
        Row numbers of each part.

    Raises
    ------
    UserError
        If a part would be empty.
    """
    unique = sorted(set(persons))
    order = np.random.default_rng(seed).permutation(len(unique))
    ends = np.round(np.cumsum(shares) * len(unique)).astype(int)
    part_of = {unique[person]: int(np.searchsorted(ends, place, side="right")) for place, person in enumerate(order)}
    parts = np.array([part_of[person] for person in persons])
    found = [np.flatnonzero(parts == k) for k in range(len(shares))]
    if not all(len(part) for part in found):
        raise UserError(f"{len(unique)} persons are too few to split into {len(shares)} parts")
    return found
