"""Faces edited with several strengths, side by side in a file: the training data of a distilled editor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from latentlab import images
from latentlab.errors import UserError
from latentlab.files import images_in, read_json
from latentlab.translation.data.flaws import Flaws
from latentlab.translation.data.sources import Batch, digest_of
from latentlab.translation.data.transforms import Augmentation

_END_TO_END, _TO_AN_END = 0.5, 0.3


@dataclass(frozen=True)
class Strips:
    """Edited faces.

    Attributes
    ----------
    paths
        Files by attribute, each with a square face for each level, side by side.
    levels
        Strengths from -1 to 1, in order, 0 among them: at -1 a face does not have the attribute, at 0 it is as it was
        sampled, at 1 it has the attribute.
    augmentation
        Placement of the images.
    flaws
        Flaws of photos that a random sample is given.
    """

    paths: Mapping[str, tuple[Path, ...]]
    levels: tuple[float, ...]
    augmentation: Augmentation
    flaws: Flaws = Flaws()

    def __len__(self) -> int:
        return sum(map(len, self.paths.values()))

    def sample(self, index: int, rng: np.random.Generator | None) -> Batch:
        """See `Source`. At random, a face as it was sampled becomes any of the levels, or one end becomes the other.

        The ends are states, so that an edit by 1 leaves a face that has the attribute as it is.
        """
        attribute, path = self._file(index)
        last, middle = len(self.levels) - 1, self.levels.index(0.0)
        before, after = middle, last if index % 2 else 0
        if rng is not None:
            before, after = self._draw(rng)
        strip = images.load_image(path)
        size = strip.shape[2]
        faces = (strip[..., k * size : (k + 1) * size] for k in (before, after))
        placement = self.augmentation.place(size, size, rng)
        a, b = (placement.image(face) for face in faces)
        if rng is not None:
            a, b = self.flaws.draw(rng).pair(a, b)
        strengths = [self.levels[after] if name == attribute else 0.0 for name in self.paths]
        return {"a": a, "b": b, "strengths": torch.tensor([strengths])}

    def _draw(self, rng: np.random.Generator) -> tuple[int, int]:
        """Draw the levels of an edit: mostly from one end to the other, where there is most to learn."""
        last, middle = len(self.levels) - 1, self.levels.index(0.0)
        end = last * int(rng.integers(2))
        kind = rng.random()
        if kind < _END_TO_END:
            return last - end, end
        if kind < _END_TO_END + _TO_AN_END:
            return middle, end
        return middle, int(rng.choice([k for k in range(last + 1) if k != middle]))  # an edit by 0 teaches nothing

    def _file(self, index: int) -> tuple[str, Path]:
        """Return the attribute and the path of file `index`."""
        for name, paths in self.paths.items():
            if index < len(paths):
                return name, paths[index]
            index -= len(paths)
        raise IndexError(index)

    def describe(self) -> dict[str, Any]:
        """See `Source`."""
        return {
            "kind": "strips",
            "faces": {name: len(paths) for name, paths in self.paths.items()},
            "levels": list(self.levels),
            "flaws": asdict(self.flaws),
            "names": digest_of([f"{name}/{path.stem}" for name, paths in self.paths.items() for path in paths]),
        }


@dataclass(frozen=True)
class _Manifest:
    """What is used of the manifest of a set of strips."""

    kind: Literal["strips"]
    levels: tuple[float, ...]

    def __post_init__(self) -> None:
        if list(self.levels) != sorted(set(self.levels)) or not {-1.0, 0.0, 1.0} <= set(self.levels):
            raise UserError(f"levels rise from -1 to 1 and hold 0, unlike {self.levels[:9]}")


def strips_in(folder: Path, part: str, attributes: Sequence[str], augmentation: Augmentation) -> Strips:
    """Open FOLDER/part/NAME for each attribute; the manifest of the folder says which levels its strips have.

    Raises
    ------
    UserError
        The manifest is not that of a set of strips, or a folder has none.
    """
    try:
        manifest = read_json(folder / "manifest.json", _Manifest)
    except UserError as error:
        raise UserError(f"{folder} holds no strips of edited faces ({error}); `latentlab distil` makes them") from error
    paths = {name: tuple(images_in(folder / part / name)) for name in attributes}
    return Strips(paths, manifest.levels, augmentation)
