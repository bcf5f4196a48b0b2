"""Photos of faces with and without an attribute: aligned, split by person, and written as in `labelled_faces`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Set
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from latentlab.datasets.labelled_faces import PHOTO_RESOLUTION, LabelledFacesSettings, Labeller
from latentlab.errors import UserError
from latentlab.faces import align_files
from latentlab.faces.detectors import FaceDetector
from latentlab.files import check_distinct_stems
from latentlab.images import save_image
from latentlab.progress import Stage, stage_of
from latentlab.reprs import ShortRepr
from latentlab.scorers.attributes.data import Labels, load_labels, split

_SHARES = (0.8, 0.2)  # of the persons in labelled photos: to train on, held out


@dataclass(frozen=True)
class RealFaces:
    """Photos of faces with labels.

    Attributes
    ----------
    folder
        Folder of the photos.
    labels
        CSV with the columns image, identity, and one of 0 and 1 for every attribute.
    attribute
        Column that separates the domains.
    """

    folder: Path
    labels: Path
    attribute: str


# --- photos to edit -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class WrittenPhotos:
    """Photos that can be edited, and those that cannot.

    Attributes
    ----------
    names
        Names of the faces that were written.
    left_out
        Photos that were left out, by name, with the reasons.
    """

    names: tuple[str, ...]
    left_out: dict[str, str]


def write_photos(
    paths: Iterable[Path],
    folder: Path,
    detector: FaceDetector,
    labeller: Labeller,
    excluded: Set[bytes] = frozenset(),
    progress: bool | Stage = True,
) -> WrittenPhotos:
    """Align the faces of photos that are of the source domain, and write them to `folder`.

    Parameters
    ----------
    paths
        The photos.
    folder
        Where the faces are written.
    detector, labeller
        What finds faces, and what decides on their domain.
    excluded
        Digests of photos to leave out, see `training_digests`.
    progress
        True for a progress bar, False for none, or a `Stage` of your own.

    Raises
    ------
    UserError
        If fewer than two can be edited.
    """
    names: list[str] = []
    left_out: dict[str, str] = {}
    paths = sorted(paths)
    with stage_of(progress)("aligning photos") as step:
        for k, (path, found) in enumerate(align_files(paths, detector, PHOTO_RESOLUTION)):
            if isinstance(found, UserError):
                left_out[path.name] = str(found).removeprefix(f"{path}: ")
            elif _digest(path) in excluded:
                left_out[path.name] = "it shows a person of the training set"
            elif labeller.in_target(found[0].image)[0]:
                left_out[path.name] = "it is of the target domain already"
            else:
                save_image(found[0].image, folder / f"{path.stem}.png")
                names.append(path.stem)
            step(k + 1, len(paths))
    if len(names) < 2:
        reasons = "; ".join(f"{name}: {why}" for name, why in list(left_out.items())[:3])
        more = f"; and {len(left_out) - 3} more" if len(left_out) > 3 else ""
        raise UserError(
            f"{len(names)} of {len(paths)} photos can be edited, and two are needed ({reasons or 'none'}{more})"
        )
    return WrittenPhotos(tuple(names), left_out)


# --- labelled photos ----------------------------------------------------------------------------------------


def training_digests(real: RealFaces, settings: LabelledFacesSettings) -> frozenset[bytes]:
    """Return digests of the photos of all persons that the training set may show, whatever the files are called."""
    labels = load_labels(real.labels, real.folder)
    train, _ = split(labels.persons, _SHARES, settings.seed)
    paths = (real.folder / labels.files[row] for row in train)
    return frozenset(_digest(path) for path in paths if path.exists())


def _digest(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()


@dataclass(frozen=True, eq=False, repr=False)
class LabelledRows(ShortRepr):
    """Labels of photos, and which of them have the attribute.

    Attributes
    ----------
    labels
        All labels.
    positive
        `(n,)`: whether the person of a row has the attribute.
    """

    labels: Labels
    positive: NDArray[np.bool_]


def read_real(real: RealFaces) -> LabelledRows:
    """Read the labels of photos.

    Raises
    ------
    UserError
        If they cannot be read, lack the attribute, or name two photos with the same stem.
    """
    labels = load_labels(real.labels, real.folder)
    check_distinct_stems(labels.files)
    if real.attribute not in labels.names:
        raise UserError(f"{real.labels} has no column {real.attribute}; it has {', '.join(labels.names)}")
    return LabelledRows(labels, labels.values[:, labels.names.index(real.attribute)])


def write_real(
    real: RealFaces, folder: Path, settings: LabelledFacesSettings, detector: FaceDetector, stage: Stage
) -> tuple[str, ...]:
    """Align labelled photos: some to learn from and, of other people, some to edit and some to compare with.

    Returns
    -------
    tuple of str
        Names of those to be edited, which lie in FOLDER/held_out.

    Raises
    ------
    UserError
        As `read_real` says; or if there are too few photos of a domain.
    """
    rows = read_real(real)
    in_target = rows.positive if settings.towards == "positive" else ~rows.positive
    train, held = split(rows.labels.persons, _SHARES, settings.seed)
    parts = {
        "set/trainA": (train[~in_target[train]], settings.faces),
        "set/trainB": (train[in_target[train]], settings.faces),
        "held_out": (held[~in_target[held]], settings.held_out),
        "set/testB": (held[in_target[held]], settings.held_out),
    }
    for part, (chosen, wanted) in parts.items():  # known before any is aligned
        if len(chosen) < wanted:
            raise UserError(f"{real.labels} lists {len(chosen)} photos for {part}, and {wanted} are needed")
    names: dict[str, list[str]] = {part: [] for part in parts}
    for part, (chosen, wanted) in parts.items():
        failed = 0
        paths = (real.folder / rows.labels.files[row] for row in chosen)
        with stage(f"aligning {part}") as step:
            for path, found in align_files(paths, detector, PHOTO_RESOLUTION):
                if isinstance(found, UserError):
                    failed += 1
                    continue
                save_image(found[0].image, folder / part / f"{path.stem}.png")
                names[part].append(path.stem)
                step(len(names[part]), wanted)
                if len(names[part]) == wanted:
                    break
        if len(names[part]) < wanted:
            more = f" ({failed} of its photos could not be read, or show none)" if failed else ""
            raise UserError(f"{real.folder} gives {len(names[part])} faces for {part}, and {wanted} are needed{more}")
    return tuple(names["held_out"])
