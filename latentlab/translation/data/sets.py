"""Folders opened as training sets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from latentlab.errors import UserError
from latentlab.translation.data.folders import OnProblem, Order, Problem, masked_in, pairs_in, singles_in
from latentlab.translation.data.sources import Paired, Source, Unpaired
from latentlab.translation.data.transforms import Augmentation


@dataclass(frozen=True)
class OpenedSet:
    """A training set, and the files that were left out of it."""

    source: Source
    problems: tuple[Problem, ...]


def open_pairs(
    folder: Path, part: str, augmentation: Augmentation, order: Order = "AB", on_problem: OnProblem = "error"
) -> OpenedSet:
    """Open pairs that lie side by side in FOLDER/part, or in FOLDER itself where it has no such part.

    Raises
    ------
    UserError
        See `latentlab.translation.data.folders.pairs_in`.
    """
    place = folder / part if (folder / part).is_dir() else folder
    found = pairs_in(place, order, on_problem)
    return OpenedSet(Paired(found.before, found.after, augmentation), found.problems)


def open_unpaired(
    folder: Path, part: str, augmentation: Augmentation, instances: int = 0, on_problem: OnProblem = "error"
) -> OpenedSet:
    """Open images in FOLDER/partA and partB, with masks in partA_seg and partB_seg if `instances` is not 0.

    Raises
    ------
    UserError
        See `latentlab.translation.data.folders.singles_in`.
    """
    places = [folder / f"{part}{side}" for side in "AB"]
    if not all(place.is_dir() for place in places):
        raise UserError(f"{folder} has no folders {places[0].name} and {places[1].name}: images of two kinds")
    a, b = ((masked_in if instances else singles_in)(place, on_problem) for place in places)
    return OpenedSet(Unpaired(a.files, b.files, augmentation, instances), a.problems + b.problems)
