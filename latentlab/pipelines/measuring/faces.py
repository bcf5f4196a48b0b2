"""The population and the faces that directions are measured on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import logit
from torch import Tensor

from latentlab.batching import AnyBatch, Batches
from latentlab.directions import Direction
from latentlab.directions.styles import styles_of_w
from latentlab.editing import move
from latentlab.errors import UserError
from latentlab.faces.detectors import FaceDetector
from latentlab.faces.regions import face_region, find_landmarks, mean_region
from latentlab.mapping import latents_of_seeds
from latentlab.pipelines.measuring.settings import MeasuredAttribute
from latentlab.rendering import Latents, Renderer, rows_of
from latentlab.reprs import ShortRepr
from latentlab.samples import SampleTable
from latentlab.scorers import Scorer, check_score, threshold_of
from latentlab.scorers.base import AttributeSet, ScorerGroup
from latentlab.scorers.logits import all_logits
from latentlab.scorers.threshold import HALF, threshold_for
from stylegan2.protocol import Generator
from stylegan2.sampling import z_from_seeds

LEAST_OF_A_CLASS = 2


@dataclass(frozen=True, eq=False, repr=False)
class Scale(ShortRepr):
    """The scale on which logits are measured: 0 is where a score makes an image positive.

    Attributes
    ----------
    boundaries
        `(k,)`: logits at the scorers' thresholds, which are subtracted.
    signs
        `(k,)`: 1, and −1 for the scores by which edits are to make faces negative.
    """

    boundaries: NDArray[np.float64]
    signs: NDArray[np.float64]

    def __call__(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Bring logits `(n, k)` onto this scale."""
        return (logits - self.boundaries) * self.signs


@dataclass(frozen=True, eq=False, repr=False)
class Population(ShortRepr):
    """Samples with the logits of all scores.

    Attributes
    ----------
    table
        The samples.
    names
        Names of the k scores.
    logits
        `(n, k)` float64, on the scale.
    scale
        The scale of all logits.
    deviation
        `(k,)`: standard deviations of the logits.
    """

    table: SampleTable
    names: tuple[str, ...]
    logits: NDArray[np.float64]
    scale: Scale
    deviation: NDArray[np.float64]

    @classmethod
    def of(cls, table: SampleTable, scorer: Scorer, attribute: MeasuredAttribute) -> Population:
        """Prepare samples.

        Raises
        ------
        UserError
            If they lack a score or were scored by other networks, a score is NaN, or the teacher's or the judge's
            labels are all of one class.
        """
        for score in (attribute.teacher, attribute.judge):
            check_score(table.names, score)
        if table.names != scorer.names or (table.scorer is not None and table.scorer != scorer.fingerprint):
            raise UserError(
                "the samples were scored by other scorers than those that are to teach and judge: draw them with "
                f"`latentlab label --scorer {attribute.scorers}`"
            )
        logits = np.stack([table.logits(name) for name in table.names], axis=1).astype(np.float64)
        if not np.isfinite(logits).all():
            bad = table.names[int(np.argmin(np.isfinite(logits).all(axis=0)))]
            raise UserError(f"scores of the samples called {bad} are not finite; label them anew")
        own = (attribute.teacher, attribute.judge)
        scale = Scale(
            np.array([_boundary(table, scorer, name) for name in table.names]),
            np.array([attribute.sign if name in own else 1.0 for name in table.names]),
        )
        found = cls(table, table.names, scale(logits), scale, logits.std(axis=0))
        for score in (attribute.teacher, attribute.judge):
            count = int((found.column(score) > 0).sum())
            if min(count, len(table) - count) < LEAST_OF_A_CLASS:
                raise UserError(
                    f"{count} of {len(table)} samples are {score}, and {LEAST_OF_A_CLASS} of each class are needed: "
                    "draw more samples, or measure another attribute"
                )
        return found

    def column(self, score: str) -> NDArray[np.float64]:
        """Logits of a score, `(n,)`."""
        return self.logits[:, self.names.index(score)]

    def lacking(self, attribute: MeasuredAttribute, faces: int) -> NDArray[np.intp]:
        """Rows of the first faces, by seed, without the attribute for teacher and judge; UserError if too few."""
        lack = (self.column(attribute.teacher) < 0) & (self.column(attribute.judge) < 0)
        rows = np.flatnonzero(lack)
        if len(rows) < faces:
            raise UserError(
                f"{len(rows)} of {len(self.table)} samples lack {attribute.title} to both {attribute.teacher} and "
                f"{attribute.judge}, and {faces} faces are asked for: draw more samples, or ask for fewer faces"
            )
        return rows[:faces]


def _boundary(table: SampleTable, scorer: Scorer, name: str) -> float:
    """Logit at the threshold of a score; where scores are no probabilities, the threshold itself."""
    threshold = threshold_for(threshold_of(scorer), name)
    at = HALF.high if threshold is None or threshold.quantiles else threshold.high
    column = table.column(name)
    return float(logit(at)) if 0 < at < 1 and bool(((column >= 0) & (column <= 1)).all()) else at


def attributes_of(scorer: Scorer, source: str) -> tuple[str, ...]:
    """Qualified scores of one of several scorers, if it judges each attribute by itself; none otherwise."""
    names = tuple(name for name in scorer.names if name.rpartition(":")[0] == source)
    independent = isinstance(scorer, ScorerGroup) and names and isinstance(scorer.member(names[0])[0], AttributeSet)
    return names if independent else ()


@dataclass(frozen=True, eq=False, repr=False)
class EditedFaces(ShortRepr):
    """Faces that lack an attribute, and what edits and scores them.

    Attributes
    ----------
    seeds
        `(n,)`.
    latents
        Their latents in Z, from which every space is reached.
    images
        `(n, 3, r, r)`, on the CPU.
    logits
        `(n, k)` of all scores, on the scale.
    renderer, scorer
        Networks.
    scale
        Scale of the logits.
    batches
        Images rendered at once.
    """

    seeds: NDArray[np.int64]
    latents: Latents
    images: Tensor
    logits: NDArray[np.float64]
    renderer: Renderer
    scorer: Scorer
    scale: Scale
    batches: Batches

    @classmethod
    def of(
        cls, rows: NDArray[np.intp], population: Population, renderer: Renderer, scorer: Scorer, batch_size: AnyBatch
    ) -> EditedFaces:
        """Render some rows of a population."""
        some = population.table.subset(rows)
        latents = latents_of_seeds(renderer.generator, some.seeds.tolist(), float(some.psi[0]))
        empty, batches = torch.zeros(0), Batches.of(batch_size, renderer)
        bare = cls(some.seeds, latents, empty, np.zeros((0, 0)), renderer, scorer, population.scale, batches)
        images, logits = bare.render([])
        return replace(bare, images=images, logits=logits)

    def __len__(self) -> int:
        return len(self.seeds)

    def edit(self, direction: Direction, strengths: NDArray[np.float64]) -> tuple[Tensor, NDArray[np.float64]]:
        """Move each face along a direction by its strength `(n,)`: images `(n, 3, r, r)` and logits `(n, k)`."""
        return self.render([(direction, strengths)])

    @torch.inference_mode()
    def render(self, edits: Sequence[tuple[Direction, NDArray[np.float64]]]) -> tuple[Tensor, NDArray[np.float64]]:
        """Render and score all faces after some edits."""

        def some(numbers: range) -> tuple[Tensor, NDArray[np.float64]]:
            rows = np.array(numbers)
            steps = [(d, torch.from_numpy(s[rows]).to(self.renderer.generator.w_avg)) for d, s in edits]
            batch = rows_of(self.latents, torch.from_numpy(rows))
            image = self.renderer(move(batch, steps, self.renderer.generator))
            found = all_logits(self.scorer, image).double().cpu().numpy()
            if not np.isfinite(found).all():
                raise UserError("the scorers gave values that are not finite to edited faces")
            return image.clamp(-1, 1).cpu(), self.scale(found)

        images, logits = zip(*self.batches(range(len(self)), some), strict=True)
        return torch.cat(images), np.concatenate(logits)

    def first(self, count: int) -> EditedFaces:
        """The first few faces."""
        rows = torch.arange(min(count, len(self)))
        return replace(
            self,
            seeds=self.seeds[:count],
            latents=rows_of(self.latents, rows),
            images=self.images[:count],
            logits=self.logits[:count],
        )

    def regions(self, names: Sequence[str], detector: FaceDetector) -> list[Tensor]:
        """Mark regions in each image, `(n, 1, r, r)` each: by its landmarks or, without any, the mean face's."""
        size = self.images.shape[3]
        marked: list[list[Tensor]] = [[] for _ in names]
        for image in torch.split(self.images, 1):
            landmarks = find_landmarks(image, detector)
            for name, some in zip(names, marked, strict=True):
                some.append(mean_region(name, size) if landmarks is None else face_region(landmarks, name, size))
        return [torch.cat(some) for some in marked]


def coordinates_of(direction: Direction, table: SampleTable, generator: Generator) -> NDArray[np.float64]:
    """Coordinates `(n,)` of samples along a direction of any space."""
    if direction.space == "s":
        return direction.coordinates(styles_of_w(generator, table.w))
    if direction.space == "z":
        z = z_from_seeds(table.seeds.tolist(), generator.z_dim)
        return direction.coordinates(z.double().numpy())
    return direction.coordinates(table.w)
