"""Folders opened as training sets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from latentlab.errors import UserError
from latentlab.translation.data.folders import (
    ImageFiles,
    Problem,
    Reading,
    masked_in,
    pairs_across,
    pairs_in,
    singles_in,
)
from latentlab.translation.data.pixels import PixelFormat
from latentlab.translation.data.sources import Paired, Source, Unpaired
from latentlab.translation.data.transforms import Augmentation

Folders = Path | tuple[Path, Path]
"""A folder with the parts of a set, or the two folders of A and of B themselves."""


@dataclass(frozen=True)
class OpenedSet:
    """A training set.

    Attributes
    ----------
    source
        The set.
    problems
        Files that were left out.
    pixels
        Pixel formats of what is given and of what it becomes.
    """

    source: Source
    problems: tuple[Problem, ...]
    pixels: tuple[PixelFormat, PixelFormat] = (PixelFormat(), PixelFormat())


def folders_of_part(folders: Folders, part: str) -> tuple[Path, Path]:
    """Return the folders of A and of B: FOLDER/partA and FOLDER/partB, or the two that were given.

    Other parts than 'train' lie beside the two that were given, under names with the part in place of 'train'.
    """
    if isinstance(folders, tuple):
        a, b = (folder.with_name(folder.name.replace("train", part)) for folder in map(Path, folders))
        return a, b
    return folders / f"{part}A", folders / f"{part}B"


def open_pairs(
    folders: Folders,
    part: str,
    augmentation: Augmentation,
    reading: Reading,
    channels: tuple[int, int] = (3, 3),
) -> OpenedSet:
    """Open pairs: of the same name in two folders, or side by side in FOLDER/part, or else in FOLDER itself.

    `channels` are those of what is given and of what it becomes.

    Raises
    ------
    UserError
        See `latentlab.translation.data.folders.pairs_in` and `pairs_across`.
    """
    sides = folders_of_part(folders, part)
    if isinstance(folders, tuple) or all(side.is_dir() for side in sides):
        found = pairs_across(*sides, reading, augmentation)
    else:
        found = pairs_in(folders / part if (folders / part).is_dir() else folders, reading, augmentation)
    before, after = _with_channels((found.before, found.after), channels, reading)
    return OpenedSet(Paired(before, after, augmentation), found.problems, (before.pixels, after.pixels))


def open_unpaired(
    folders: Folders,
    part: str,
    augmentation: Augmentation,
    instances: int,
    reading: Reading,
    channels: tuple[int, int] = (3, 3),
) -> OpenedSet:
    """Open images in two folders, with masks in the folders beside, whose names end in _seg, if `instances` is not 0.

    Raises
    ------
    UserError
        See `latentlab.translation.data.folders.singles_in`.
    """
    sides = folders_of_part(folders, part)
    if not isinstance(folders, tuple) and not all(side.is_dir() for side in sides):
        raise UserError(f"{folders} has no folders {sides[0].name} and {sides[1].name}: images of two kinds")
    a, b = ((masked_in if instances else singles_in)(side, reading, augmentation) for side in sides)
    own, others = _with_channels((a.files, b.files), channels, reading)
    source = Unpaired(own, others, augmentation, instances)
    return OpenedSet(source, a.problems + b.problems, (own.pixels, others.pixels))


def _with_channels(
    files: tuple[ImageFiles, ImageFiles], channels: tuple[int, int], reading: Reading
) -> tuple[ImageFiles, ImageFiles]:
    (a, b), (known_a, known_b) = files, reading.pixels or (None, None)
    return a.with_channels(channels[0], known_a), b.with_channels(channels[1], known_b)
