"""Faces with and without an attribute: drawn from a generator, labelled, split, and written.

Photos of faces instead of generated ones are in `latentlab.datasets.labelled_photos`. A set consists of

samples/    latents and scores of the generator's faces
set/        trainA of the source domain, trainB of the target domain, testB held out
held_out/   the faces to edit, of 256 pixels, as they would be cut out of photos
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab.errors import UserError
from latentlab.faces.detectors import FaceDetector
from latentlab.faces.regions import find_region, mean_region
from latentlab.files import images_in
from latentlab.images import load_image, reduce, save_image
from latentlab.progress import Stage, Step, stage_of
from latentlab.rendering import Renderer
from latentlab.samples import SampleSettings, SampleStore, SampleTable, concatenate, draw_samples
from latentlab.scorers import Scorer, count_labels, label_scores, score_column, score_images, threshold_of
from latentlab.scorers.threshold import NEGATIVE, POSITIVE
from stylegan2.protocol import Generator

Towards: TypeAlias = Literal["positive", "negative"]

PHOTO_RESOLUTION = 256
"""Resolution of the faces to edit."""
_DRAWN_AT_ONCE, _MOST_DRAWN = 192, 9600


@dataclass(frozen=True)
class LabelledFacesSettings:
    """What the set consists of.

    Attributes
    ----------
    attribute
        Score of the labelling scorer: a face has the attribute where this is the largest or, as the only one, above ½.
    towards
        'positive': the target domain has the attribute; 'negative': it lacks it.
    size
        Resolution of the training images.
    faces, held_out
        Faces of each domain to train on, and held out.
    psi, seed_start
        Truncation and first seed of generated faces.
    seed
        Random seed of the split of labelled photos.
    """

    attribute: str
    towards: Towards
    size: int
    faces: int
    held_out: int
    psi: float
    seed_start: int
    seed: int


@dataclass(frozen=True, eq=False)
class Domains:
    """Generated faces of the two domains, in the order of their seeds.

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


@dataclass(frozen=True, eq=False)
class Labeller:
    """Decides with a scorer which images are of the target domain.

    Attributes
    ----------
    scorer
        Labelling scorer.
    attribute
        One of its scores.
    towards
        Whether the target domain has the attribute or lacks it.
    device
        Device of the scorer.
    """

    scorer: Scorer
    attribute: str
    towards: Towards
    device: torch.device

    def score(self, images: Tensor) -> NDArray[np.float64]:
        """Return the score of the target domain, `(n,)`: of the attribute, or one minus it."""
        scores = score_images(self.scorer, images.to(self.device))
        found = score_column(scores, self.scorer.names, self.attribute).astype(np.float64)
        return found if self.towards == "positive" else 1 - found

    def in_target(self, images: Tensor) -> NDArray[np.bool_]:
        """Return whether images are of the target domain, `(n,)`."""
        scores = score_images(self.scorer, images.to(self.device))
        labels = label_scores(scores, self.scorer.names, self.attribute, threshold_of(self.scorer))
        found: NDArray[np.bool_] = labels == (POSITIVE if self.towards == "positive" else NEGATIVE)
        return found


# --- generated faces ----------------------------------------------------------------------------------------


def renderer_for(generator: Generator, size: int) -> Renderer:
    """Return the generator at its lowest resolution that is not below `size`."""
    return Renderer(generator, min(resolution for resolution in generator.resolutions if resolution >= size))


def draw_domains(
    generator: Generator, scorer: Scorer, settings: LabelledFacesSettings, folder: Path, progress: bool | Stage = True
) -> Domains:
    """Draw and label seeds until there are enough faces of both domains.

    Parameters
    ----------
    generator, scorer
        What renders the faces, and what labels them.
    settings
        What the set consists of.
    folder
        Folder whose `samples/` keeps what was drawn.
    progress
        True for a progress bar, False for none, or a `Stage` of your own.

    Raises
    ------
    UserError
        If one domain is so rare that not enough faces are found.
    """
    wanted = settings.faces + settings.held_out
    renderer = renderer_for(generator, settings.size)
    tables: list[SampleTable] = []
    rarer, labels = 0, np.zeros(0, np.int8)
    with stage_of(progress)("drawing samples") as step:
        while rarer < wanted:
            if _DRAWN_AT_ONCE * len(tables) >= _MOST_DRAWN:
                raise UserError(
                    f"only {rarer} of {_MOST_DRAWN} faces are of the rarer domain of {settings.attribute}, and "
                    f"{wanted} are needed: ask for fewer faces, or for another attribute"
                )
            sample_settings = SampleSettings(
                generator.fingerprint,
                scorer.fingerprint,
                scorer.names,
                psi=settings.psi,
                seed_start=settings.seed_start + len(tables) * _DRAWN_AT_ONCE,
                samples=_DRAWN_AT_ONCE,
                resolution=renderer.resolution,
                threshold=threshold_of(scorer),
            )
            store = SampleStore.open(folder / "samples" / f"{len(tables):03d}", sample_settings)
            tables.append(draw_samples(generator, scorer, store, renderer, progress=False))
            labels = concatenate(tables).labels(settings.attribute)
            counts = count_labels(labels)
            rarer = min(counts.positive, counts.negative)
            step(min(rarer, wanted), wanted)
    return _split(concatenate(tables), labels, settings)


def _split(table: SampleTable, labels: NDArray[np.int8], settings: LabelledFacesSettings) -> Domains:
    wanted = settings.faces + settings.held_out
    order = (NEGATIVE, POSITIVE) if settings.towards == "positive" else (POSITIVE, NEGATIVE)
    source, target = (table.subset(np.flatnonzero(labels == label)[:wanted]) for label in order)
    first, last = np.arange(settings.faces), np.arange(settings.faces, wanted)
    return Domains(source.subset(first), target.subset(first), source.subset(last), target.subset(last))


@torch.no_grad()
def write_samples(rows: SampleTable, part: Path, renderer: Renderer, progress: Step) -> None:
    """Render the rows of a table into the folder `part`."""
    generator = renderer.generator
    for k, (seed, ws) in enumerate(zip(rows.seeds, torch.split(rows.ws(generator.num_ws), 1), strict=True)):
        path = part / f"{seed:06d}.png"
        if not path.exists():
            save_image(renderer(ws.to(generator.w_avg.device)).clamp(-1, 1).cpu(), path)
        progress(k + 1, len(rows))


@torch.no_grad()
def write_held_out(rows: SampleTable, folder: Path, generator: Generator, progress: Step) -> tuple[str, ...]:
    """Render generated faces as photos, which are all that the methods are given; return their names."""
    names = []
    for k, (seed, ws) in enumerate(zip(rows.seeds, torch.split(rows.ws(generator.num_ws), 1), strict=True)):
        names.append(f"{seed:06d}")
        path = folder / f"{names[-1]}.png"
        if not path.exists():
            image = generator.synthesis(ws.to(generator.w_avg.device)).clamp(-1, 1).cpu()
            save_image(reduce(image, PHOTO_RESOLUTION), path)
        progress(k + 1, len(rows))
    return tuple(names)


# --- mouths -------------------------------------------------------------------------------------------------


def write_masks(part: Path, detector: FaceDetector, progress: Step) -> None:
    """Write the mask of the mouth of every image in `part` to `part`_seg; the mean face's where no face is found."""
    paths = images_in(part)
    for k, path in enumerate(paths):
        out = part.with_name(f"{part.name}_seg") / f"{path.stem}_0.png"
        if not out.exists():
            image = load_image(path)
            size = image.shape[3]
            region = find_mouth(image, detector, size)
            mask = mean_region("mouth", size) if region is None else region
            save_image((2 * mask - 1).expand(-1, 3, -1, -1), out)
        progress(k + 1, len(paths))


def find_mouth(image: Tensor, detector: FaceDetector, size: int) -> Tensor | None:
    """Find the mouth in `image (1, 3, h, h)`.

    Returns
    -------
    Tensor or None
        Region `(1, 1, size, size)`, 1 within the mouth; None where no face is found.
    """
    return find_region(image, "mouth", detector, size)
