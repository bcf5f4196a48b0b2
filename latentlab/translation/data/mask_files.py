"""Which masks belong to which picture, by the names of their files; the same rule for training and for applying."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from latentlab import images
from latentlab.errors import UserError
from latentlab.files import SUFFIXES, files_in, images_in, name_in
from latentlab.translation.data.masks import MaskImage
from latentlab.translation.data.outlines import outlines_of, read_outlines

_NUMBERED = re.compile(r"(?P<name>.+)_(?P<number>\d+)")
_MASK = "_mask"


class Masks(Protocol):
    """A file with masks of a picture."""

    @property
    def path(self) -> Path:
        """The file."""

    def read(self, height: int, width: int) -> Tensor:
        """Read the masks for a picture of a given size, `(n, h, w)` in {-1, 1}."""


@dataclass(frozen=True)
class MaskFolder:
    """The masks in a folder.

    Attributes
    ----------
    folder
        The folder.
    own
        Masks of each picture by its name, and by the way in which their files are named.
    strays
        Files that belong to no picture, and why.
    """

    folder: Path
    own: Mapping[str, Mapping[str, tuple[Masks, ...]]]
    strays: tuple[tuple[Path, str], ...]

    @classmethod
    def open(cls, folder: Path, pictures: Iterable[str], recursive: bool = False) -> MaskFolder:
        """Assign the files of a folder, and if `recursive` of its subfolders, to pictures of these names.

        A file belongs to the picture of exactly its name; otherwise, as NAME_mask.png, or as NAME_0.png, NAME_1.png, …
        with one instance each, to the picture NAME. Polygons are taken from JSON files of labelme, named like their
        picture, and of COCO, which name the pictures inside.

        Raises
        ------
        UserError
            There is no such folder or no mask in it, or a JSON file cannot be read.
        """
        known, strays = frozenset(pictures), []
        own: dict[str, dict[str, list[tuple[int, Masks]]]] = {}
        for path in _files(folder, recursive):
            if path.suffix.lower() == ".json":
                outlines = outlines_of(read_outlines(path, name_in(folder, path)), known)
                for name, polygons in outlines.items():
                    own.setdefault(name, {}).setdefault(path.name, []).append((0, polygons))
                if not outlines:
                    strays.append((path, "there is no image that it has polygons for"))
                continue
            owner, way, number = _owner(name_in(folder, path), known)
            if owner is None:
                strays.append((path, f"there is no image {way}"))
            else:
                own.setdefault(owner, {}).setdefault(way, []).append((number, MaskImage(path)))
        ordered = {
            name: {way: tuple(one for _, one in sorted(masks, key=_by_number)) for way, masks in ways.items()}
            for name, ways in own.items()
        }
        return cls(folder, ordered, tuple(strays))

    @classmethod
    def for_files(cls, folder: Path, pictures: Mapping[str, Path], recursive: bool = False) -> MaskFolder:
        """Assign the files of a folder to pictures by name, given the others that lie beside these; see `open`."""
        names = set(pictures)
        for way, parent in {(name.rpartition("/")[0], path.parent) for name, path in pictures.items()}:
            names |= {f"{way}/{other.stem}" if way else other.stem for other in images_in(parent)}
        return cls.open(folder, names, recursive)

    def read(self, picture: Path, name: str) -> Tensor:
        """Read the masks of a picture that is called `name`, `(1, n, h, w)` in {-1, 1}.

        Raises
        ------
        UserError
            The picture has no masks, masks named in two ways, or one that cannot be used. Names the picture and the
            mask.
        """
        width, height = images.size_of(picture)
        read = []
        for one in self._masks_of(picture, name):
            try:
                read.append(one.read(height, width))
            except UserError as error:
                raise UserError(f"{picture}: its mask {str(error).replace(str(one.path), one.path.name)}") from error
        return torch.cat(read)[None]

    def _masks_of(self, picture: Path, name: str) -> tuple[Masks, ...]:
        ways = self.own.get(name, {})
        if not ways:
            raise UserError(f"{picture}: it has no mask {name}.png or {name}_0.png in {self.folder.name}")
        if len(ways) > 1:
            names = " and ".join(masks[0].path.name for masks in ways.values())
            raise UserError(f"{picture}: its masks in {self.folder.name} are named in two ways, {names}; keep one")
        return next(iter(ways.values()))


def _files(folder: Path, recursive: bool) -> list[Path]:
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder} of masks")
    found = sorted(path for path in files_in(folder, recursive) if path.suffix.lower() in SUFFIXES | {".json"})
    if not found:
        raise UserError(f"there is no mask in {folder}: neither an image nor polygons of labelme or COCO")
    return found


def _owner(stem: str, pictures: frozenset[str]) -> tuple[str | None, str, int]:
    """Return the picture that a mask of this name belongs to, how it is named, and its number; or the missing name."""
    if stem in pictures:
        return stem, "alone", 0
    if stem.removesuffix(_MASK) in pictures:
        return stem.removesuffix(_MASK), _MASK, 0
    numbered = _NUMBERED.fullmatch(stem)
    if numbered and numbered["name"] in pictures:
        return numbered["name"], "numbered", int(numbered["number"])
    return None, numbered["name"] if numbered else stem.removesuffix(_MASK), 0


def _by_number(numbered: tuple[int, Masks]) -> int:
    return numbered[0]
