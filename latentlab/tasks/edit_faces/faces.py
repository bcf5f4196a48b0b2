"""The faces of a comparison of edits: drawn, labelled, parted, and written as the folders that translators learn from.

samples/    codes and scores of the generator's faces
set/        trainA of the source domain, trainB of the target, testB held out
held_out/   the faces to edit, of 256 pixels, as they would be cut out of photos
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Set
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab import images
from latentlab.errors import UserError
from latentlab.faces import align_files
from latentlab.faces.regions import mouth_region
from latentlab.progress import Stage, Step
from latentlab.rendering import Renderer
from latentlab.samples import SampleSettings, SampleStore, SampleTable, concatenate, draw_samples
from latentlab.scorers import is_positive, score_pictures
from latentlab.scorers.attributes.data import Labels, read_labels, split
from latentlab.tasks.edit_faces.lab import EditLab
from latentlab.tasks.edit_faces.settings import EditSettings
from latentlab.translation.data.folders import images_in

PHOTO_SIDE = 256
_DRAWN_AT_ONCE, _MOST_DRAWN = 192, 9600
_SHARES = (0.8, 0.2)  # of the persons in real pictures: to train on, held out


@dataclass(frozen=True, eq=False)
class Domains:
    """The generator's faces of the two domains, in the order of their seeds.

    Attributes
    ----------
    source, target
        Rows to learn from.
    held_source, held_target
        Rows held out.
    """

    source: SampleTable
    target: SampleTable
    held_source: SampleTable
    held_target: SampleTable


@dataclass(frozen=True)
class RealFaces:
    """Photos of faces with labels.

    Attributes
    ----------
    folder
        Of the photos.
    labels
        A CSV with the columns image, identity, and one of 0 and 1 for every attribute.
    attribute
        The one that tells the domains.
    """

    folder: Path
    labels: Path
    attribute: str


def renderer_for(settings: EditSettings, lab: EditLab) -> Renderer:
    """The generator at its least resolution that is not below the task's size."""
    return Renderer(lab.generator, min(side for side in lab.generator.resolutions if side >= settings.size))


def draw_domains(settings: EditSettings, lab: EditLab, folder: Path, stage: Stage) -> Domains:
    """Draw and label seeds until there are enough faces of both domains.

    Raises
    ------
    UserError
        One domain is so rare that it does not come together.
    """
    wanted = settings.faces + settings.held_out
    render = renderer_for(settings, lab)
    tables: list[SampleTable] = []
    arrived = np.zeros(0, bool)
    with stage("drawing samples") as step:
        while min(arrived.sum(), (~arrived).sum()) < wanted:
            if _DRAWN_AT_ONCE * len(tables) >= _MOST_DRAWN:
                raise UserError(
                    f"of {_MOST_DRAWN} faces only {min(arrived.sum(), (~arrived).sum())} are of the rarer domain of "
                    f"{settings.attribute}, and {wanted} are needed: ask for fewer faces, or for another attribute"
                )
            of = SampleSettings(
                lab.generator.fingerprint,
                lab.scorer.fingerprint,
                lab.scorer.names,
                psi=settings.psi,
                seed_start=settings.seed_start + len(tables) * _DRAWN_AT_ONCE,
                samples=_DRAWN_AT_ONCE,
                resolution=render.resolution,
            )
            store = SampleStore.open(folder / "samples" / f"{len(tables):03d}", of)
            tables.append(draw_samples(lab.generator, lab.scorer, store, render=render))
            positive = concatenate(tables).is_positive(settings.attribute)
            arrived = positive if settings.towards == "positive" else ~positive
            step(min(int(min(arrived.sum(), (~arrived).sum())), wanted), wanted)
    table = concatenate(tables)
    source, target = (table.subset(np.flatnonzero(rows)[:wanted]) for rows in (~arrived, arrived))
    first, last = np.arange(settings.faces), np.arange(settings.faces, wanted)
    return Domains(source.subset(first), target.subset(first), source.subset(last), target.subset(last))


@torch.no_grad()
def write_samples(rows: SampleTable, part: Path, settings: EditSettings, lab: EditLab, step: Step) -> None:
    """Pictures of rows in the folder `part`."""
    render = renderer_for(settings, lab)
    for k, (seed, ws) in enumerate(zip(rows.seeds, rows.ws(lab.generator.num_ws).split(1), strict=True)):
        path = part / f"{seed:06d}.png"
        if not path.exists():
            images.save_image(render(ws.to(lab.generator.w_avg.device)).clamp(-1, 1).cpu(), path)
        step(k + 1, len(rows))


@torch.no_grad()
def write_held_out(rows: SampleTable, folder: Path, lab: EditLab, step: Step) -> tuple[str, ...]:
    """Generated faces as photos, from which methods have to begin; their names."""
    names = []
    for k, (seed, ws) in enumerate(zip(rows.seeds, rows.ws(lab.generator.num_ws).split(1), strict=True)):
        names.append(f"{seed:06d}")
        path = folder / f"{names[-1]}.png"
        if not path.exists():
            picture = lab.generator.synthesis(ws.to(lab.generator.w_avg.device)).clamp(-1, 1).cpu()
            images.save_image(images.reduce(picture, PHOTO_SIDE), path)
        step(k + 1, len(rows))
    return tuple(names)


def write_masks(part: Path, lab: EditLab, step: Step) -> None:
    """The mask of the mouth of every picture in `part`, in `part`_seg; an empty one where no face is found."""
    paths = images_in(part)
    for k, path in enumerate(paths):
        out = part.with_name(f"{part.name}_seg") / f"{path.stem}_0.png"
        if not out.exists():
            picture = images.load_image(path)
            region = mouth_of(picture, lab, picture.shape[3])
            mask = torch.zeros(1, 1, *picture.shape[2:]) if region is None else region
            images.save_image((2 * mask - 1).expand(-1, 3, -1, -1), out)
        step(k + 1, len(paths))


def mouth_of(picture: Tensor, lab: EditLab, size: int) -> Tensor | None:
    """The mouth in `picture (1, 3, h, h)` as a region `(1, 1, size, size)`, 1 within; None where no face is found."""
    found = lab.detector(picture)
    if not found or found[0].landmarks.shape != (68, 2):
        return None
    return mouth_region(found[0].landmarks * size / picture.shape[3], size)


# --- photos -------------------------------------------------------------------------------------------------


def write_photos(
    paths: Iterable[Path],
    folder: Path,
    settings: EditSettings,
    lab: EditLab,
    step: Step,
    learnt: Set[bytes] = frozenset(),
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Faces of photos that are of the source domain, aligned, in `folder`; their names, and why others were left out.

    Photos in `learnt`, see `pictures_to_learn_from`, are left out, too.

    Raises
    ------
    UserError
        Fewer than two are left.
    """
    names, left_out = [], {}
    paths = sorted(paths)
    for k, (path, found) in enumerate(align_files(paths, lab.detector, PHOTO_SIDE)):
        if isinstance(found, UserError):
            left_out[path.name] = str(found)
        elif _digest(path) in learnt:
            left_out[path.name] = "it shows a person of the training set"
        elif in_target(settings, lab, found[0].image):
            left_out[path.name] = "it is of the target domain already"
        elif path.stem in names:
            left_out[path.name] = "another photo has its name"
        else:
            images.save_image(found[0].image, folder / f"{path.stem}.png")
            names.append(path.stem)
        step(k + 1, len(paths))
    if len(names) < 2:
        reasons = "; ".join(f"{name}: {why}" for name, why in list(left_out.items())[:3])
        raise UserError(f"of {len(paths)} photos {len(names)} can be edited, and two are needed ({reasons or 'none'})")
    return tuple(names), left_out


def in_target(settings: EditSettings, lab: EditLab, picture: Tensor) -> bool:
    """Whether the labelling scorer sees a face in the target domain already."""
    scores = score_pictures(lab.scorer, picture.to(lab.generator.w_avg.device))
    positive = is_positive(scores, lab.scorer.names, settings.attribute)[0]
    return bool(positive) == (settings.towards == "positive")


def pictures_to_learn_from(real: RealFaces, settings: EditSettings) -> frozenset[bytes]:
    """What tells the pictures of all persons whom the training set may show, whatever the files are called."""
    labels = read_labels(real.labels)
    train, _ = split(labels.persons, _SHARES, settings.seed)
    paths = (real.folder / labels.files[row] for row in train)
    return frozenset(_digest(path) for path in paths if path.exists())


def _digest(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()


def positive_in(real: RealFaces) -> tuple[Labels, NDArray[np.bool_]]:
    """The labels, and who has the attribute, `(n,)`.

    Raises
    ------
    UserError
        They cannot be read, or have no such attribute.
    """
    labels = read_labels(real.labels)
    if real.attribute not in labels.names:
        raise UserError(f"{real.labels} has no column {real.attribute}; it has {', '.join(labels.names)}")
    return labels, labels.values[:, labels.names.index(real.attribute)]


def write_real(real: RealFaces, folder: Path, settings: EditSettings, lab: EditLab, stage: Stage) -> tuple[str, ...]:
    """Faces of labelled photos, aligned: to learn from, to be edited, to be compared with; no person in two of them.

    Returns
    -------
    tuple of str
        Names of those to be edited, which lie in FOLDER/held_out.

    Raises
    ------
    UserError
        See `positive_in`; or there are too few photos of a domain.
    """
    labels, positive = positive_in(real)
    arrived = positive if settings.towards == "positive" else ~positive
    train, held = split(labels.persons, _SHARES, settings.seed)
    parts = {
        "set/trainA": (train[~arrived[train]], settings.faces),
        "set/trainB": (train[arrived[train]], settings.faces),
        "held_out": (held[~arrived[held]], settings.held_out),
        "set/testB": (held[arrived[held]], settings.held_out),
    }
    names: dict[str, list[str]] = {part: [] for part in parts}
    for part, (rows, wanted) in parts.items():
        with stage(f"aligning {part}") as step:
            for path, found in align_files((real.folder / labels.files[row] for row in rows), lab.detector, PHOTO_SIDE):
                if isinstance(found, UserError):
                    continue
                images.save_image(found[0].image, folder / part / f"{path.stem}.png")
                names[part].append(path.stem)
                step(len(names[part]), wanted)
                if len(names[part]) == wanted:
                    break
        if len(names[part]) < wanted:
            raise UserError(f"{real.folder} gives {len(names[part])} faces for {part}, and {wanted} are asked for")
    return tuple(names["held_out"])
