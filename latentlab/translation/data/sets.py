"""Folders opened as training sets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from latentlab.errors import UserError
from latentlab.translation.data.folders import Problem, Reading, masked_in, pairs_across, pairs_in, singles_in
from latentlab.translation.data.sources import Paired, Source, Unpaired
from latentlab.translation.data.transforms import Augmentation

Folders = Path | tuple[Path, Path]
"""A folder with the parts of a set, or the two folders of A and of B themselves."""


@dataclass(frozen=True)
class OpenedSet:
    """A training set, and the files that were left out of it."""

    source: Source
    problems: tuple[Problem, ...]


def sides_of(folders: Folders, part: str) -> tuple[Path, Path]:
    """Return the folders of A and of B: FOLDER/partA and FOLDER/partB, or the two that were given."""
    return folders if isinstance(folders, tuple) else (folders / f"{part}A", folders / f"{part}B")


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
    sides = sides_of(folders, part)
    if isinstance(folders, tuple) or all(side.is_dir() for side in sides):
        found = pairs_across(*sides, reading)
    else:
        found = pairs_in(folders / part if (folders / part).is_dir() else folders, reading)
    before, after = (files.with_channels(c) for files, c in zip((found.before, found.after), channels, strict=True))
    return OpenedSet(Paired(before, after, augmentation), found.problems)


def open_unpaired(
    folders: Folders,
    part: str,
    augmentation: Augmentation,
    instances: int,
    reading: Reading,
    channels: tuple[int, int] = (3, 3),
) -> OpenedSet:
    """Open images in two folders, with masks in those beside, whose names end in _seg, if `instances` is not 0.

    Raises
    ------
    UserError
        See `latentlab.translation.data.folders.singles_in`.
    """
    sides = sides_of(folders, part)
    if not isinstance(folders, tuple) and not all(side.is_dir() for side in sides):
        raise UserError(f"{folders} has no folders {sides[0].name} and {sides[1].name}: images of two kinds")
    a, b = ((masked_in if instances else singles_in)(side, reading) for side in sides)
    own, others = (one.files.with_channels(count) for one, count in zip((a, b), channels, strict=True))
    return OpenedSet(Unpaired(own, others, augmentation, instances), a.problems + b.problems)
