"""Folders of training sets: each has a manifest, which says how the set is made.

A set that was stopped half made is continued: what is there is kept, and a folder whose manifest describes another set
is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
from torch import Tensor

from latentlab import images
from latentlab.files import read_json, write_json
from latentlab.resuming import check_same
from latentlab.schemas import Count

MANIFEST = "manifest.json"


def claim_folder(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write the manifest of a training set.

    Raises
    ------
    UserError
        The folder holds another training set (names what differs, with both values), or cannot be written.
    """
    path = folder / MANIFEST
    if path.exists():
        check_same(folder, "a training set", read_json(path, dict[str, Any]), manifest)
    write_json(path, manifest)


@dataclass(frozen=True)
class SeedLog:
    """Which seeds a set has taken so far.

    Attributes
    ----------
    used
        Seeds of its images, in their order.
    tried
        Number of seeds that were tried.
    """

    used: tuple[Annotated[int, msgspec.Meta(ge=0, lt=2**32)], ...] = ()
    tried: Count = 0

    def __post_init__(self) -> None:
        if len(self.used) > self.tried:
            raise ValueError(f"of {self.tried} seeds {len(self.used)} cannot be used")

    @classmethod
    def of(cls, path: Path) -> SeedLog:
        """Read the file of a stopped run, or begin; UserError if it is broken."""
        return read_json(path, cls) if path.exists() else cls()


def part_of(index: int, training: int) -> str:
    """Return the part of a set that sample `index` belongs to, 'train' for the first `training` ones, then 'test'."""
    return "train" if index < training else "test"


def centre_square(image: Tensor, resolution: int) -> Tensor:
    """Crop `image (1, 3, h, w)` to its middle square and resize it: `(1, 3, resolution, resolution)`."""
    return images.resize(_cropped(image), resolution, resolution)


def centre_square_of_masks(masks: Tensor, resolution: int) -> Tensor:
    """Crop and resize masks `(1, n, h, w)` like `centre_square`, keeping their edges hard."""
    return images.resize_masks(_cropped(masks), resolution, resolution)


def _cropped(x: Tensor) -> Tensor:
    height, width = x.shape[2:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return x[:, :, top : top + side, left : left + side]
