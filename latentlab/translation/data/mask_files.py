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
    """The masks in a folder, or beside pictures.

    Attributes
    ----------
    place
        Where they are, in words.
    own
        Masks of each picture by its name, and by the way in which their files are named.
    strays
        Files that belong to no picture, and why.
    unread
        Files that cannot be read, and why.
    named
        How the mask of a picture NAME could be named there.
    """

    place: str
    own: Mapping[str, Mapping[str, tuple[Masks, ...]]]
    strays: tuple[tuple[Path, str], ...]
    unread: tuple[tuple[Path, str], ...] = ()
    named: tuple[str, ...] = ("NAME.png", "NAME_0.png")

    @classmethod
    def open(cls, folder: Path, pictures: Iterable[str], recursive: bool = False) -> MaskFolder:
        """Assign the files of a folder, and if `recursive` of its subfolders, to pictures of these names.

        A file belongs to the picture of exactly its name; otherwise, as NAME_mask.png, or as NAME_0.png, NAME_1.png, …
        with one instance each, to the picture NAME. Polygons are taken from JSON files of labelme, named like their
        picture, and of COCO, which name the pictures inside; such a file may stand in place of the folder.

        Raises
        ------
        UserError
            There is no such folder or no mask in it.
        """
        known, found = frozenset(pictures), _Found()
        place = _innermost(folder)
        root = place if place.is_dir() else place.parent
        for path in _files(place, recursive):
            if path.suffix.lower() == ".json":
                found.add_outlines(path, name_in(root, path), {name: name for name in known}, strict=True)
                continue
            owner, way, number = _owner(name_in(root, path), known)
            if owner is None:
                found.strays.append((path, f"there is no image {way}"))
            else:
                found.add(owner, way, number, MaskImage(path))
        return cls(f"in {folder.name}", found.ordered(), tuple(found.strays), tuple(found.unread))

    @classmethod
    def beside(cls, pictures: Mapping[str, Path]) -> MaskFolder:
        """Find the masks that lie beside pictures, given by name: NAME_mask.png, and JSON files as in `open`.

        Other JSON files are nobody's.
        """
        found = _Found()
        for place, way in sorted(_places(pictures).items()):
            files = sorted(files_in(place, False))
            for path in files:
                owner = way + path.stem.removesuffix(_MASK)
                if path.suffix.lower() in SUFFIXES and path.stem.endswith(_MASK) and owner in pictures:
                    found.add(owner, _MASK, 0, MaskImage(path))
            documents = [path for path in files if path.suffix.lower() == ".json"]
            if documents:
                known = {name.removeprefix(way): name for name in pictures if name.startswith(way)}
                for path in documents:
                    found.add_outlines(path, path.stem, known, strict=False)
        named = "NAME_mask.png", "NAME.json"
        return cls("beside it", found.ordered(), tuple(found.strays), tuple(found.unread), named)

    @classmethod
    def for_files(cls, folder: Path | None, pictures: Mapping[str, Path], recursive: bool = False) -> MaskFolder:
        """Assign the files of a folder to pictures by name, given the others that lie beside these; see `open`.

        Without a folder, these are the masks beside the pictures.
        """
        if folder is None:
            return cls.beside(pictures)
        names = set(pictures)
        for way, parent in {(name.rpartition("/")[0], path.parent) for name, path in pictures.items()}:
            names |= {f"{way}/{other.stem}" if way else other.stem for other in images_in(parent)}
        return cls.open(folder, names, recursive)

    def without_masks(self, pictures: Mapping[str, Path]) -> dict[str, Path]:
        """Return the pictures that are no masks of others."""
        masks = {one.path for ways in self.own.values() for some in ways.values() for one in some}
        return {name: path for name, path in pictures.items() if path not in masks}

    @property
    def unread_told(self) -> str:
        """What to add to a message about a mask that is missing: the first file that cannot be read."""
        return f"; {self.unread[0][0].name} cannot be used: {self.unread[0][1]}" if self.unread else ""

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
            named = " or ".join(one.replace("NAME", name) for one in self.named)
            raise UserError(f"{picture}: it has no mask {named} {self.place}{self.unread_told}")
        if len(ways) > 1:
            names = " and ".join(masks[0].path.name for masks in ways.values())
            raise UserError(f"{picture}: its masks {self.place} are named in two ways, {names}; keep one")
        return next(iter(ways.values()))


class _Found:
    """Masks as they are found, see `MaskFolder`."""

    def __init__(self) -> None:
        self.own: dict[str, dict[str, list[tuple[int, Masks]]]] = {}
        self.strays: list[tuple[Path, str]] = []
        self.unread: list[tuple[Path, str]] = []

    def add(self, owner: str, way: str, number: int, masks: Masks) -> None:
        self.own.setdefault(owner, {}).setdefault(way, []).append((number, masks))

    def add_outlines(self, path: Path, name: str, known: Mapping[str, str], strict: bool) -> None:
        """Add the polygons of a file that is called `name`; `known` has the names of pictures by those in the file."""
        try:
            read = read_outlines(path, name)
        except UserError as error:
            if strict or name in known:
                self.unread.append((path, str(error).removeprefix(f"{path}: ").removeprefix(f"{path} ")))
            return
        assigned = outlines_of(read, known.keys())
        for own, polygons in assigned.items():
            self.add(known[own], path.name, 0, polygons)
        if not assigned and strict:
            self.strays.append((path, "there is no image that it has polygons for"))

    def ordered(self) -> dict[str, dict[str, tuple[Masks, ...]]]:
        return {
            name: {way: tuple(one for _, one in sorted(masks, key=_by_number)) for way, masks in ways.items()}
            for name, ways in self.own.items()
        }


def _places(pictures: Mapping[str, Path]) -> dict[Path, str]:
    """Return the folders of pictures, and those above as far as the names tell, with how names in them begin."""
    found: dict[Path, str] = {}
    for name, path in pictures.items():
        place, way = path.parent, name.rpartition("/")[0]
        while place not in found:
            found[place] = f"{way}/" if way else ""
            if not way:
                break
            place, way = place.parent, way.rpartition("/")[0]
    return found


def _innermost(folder: Path) -> Path:
    """Return the folder below which all files lie, as archives have one."""
    while folder.is_dir():
        inner = [path for path in folder.iterdir() if not path.name.startswith(".")]
        if len(inner) != 1 or not inner[0].is_dir():
            break
        folder = inner[0]
    return folder


def _files(folder: Path, recursive: bool) -> list[Path]:
    if folder.suffix.lower() == ".json" and folder.is_file():
        return [folder]
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder} of masks, nor a JSON file of that name")
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
