"""Render and score faces at a series of strengths."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab.directions import Direction
from latentlab.editing import Mode, move
from latentlab.errors import UserError
from latentlab.progress import Stage, stage_of
from latentlab.rendering import Latents, Renderer, rows_of
from latentlab.reprs import ShortRepr
from latentlab.samples import EditTable, SampleTable
from latentlab.scorers import Scorer, Threshold, score_images
from stylegan2.protocol import Generator
from stylegan2.sampling import z_from_seeds


@dataclass(frozen=True, eq=False, repr=False)
class Faces(ShortRepr):
    """Latents of faces, and what the faces are called.

    Attributes
    ----------
    latents
        Latents of the faces by name, see `latentlab.rendering.Latents`.
    numbers
        Their seeds, or other numbers.
    noun
        What a number is: 'seed', or 'latent' for latents of a file.
    """

    latents: Latents
    numbers: tuple[int, ...]
    noun: str = "seed"

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def titles(self) -> tuple[str, ...]:
        """Titles in figures, such as 'seed 600'."""
        return tuple(f"{self.noun} {number}" for number in self.numbers)

    @property
    def stems(self) -> tuple[str, ...]:
        """Beginnings of file names, such as 'seed000600'."""
        return tuple(f"{self.noun}{number:06d}" for number in self.numbers)


@dataclass(frozen=True, eq=False, repr=False)
class EditedImage(ShortRepr):
    """One edited image.

    Attributes
    ----------
    face, step
        Index of the face, and index of the strength.
    image
        `(1, 3, r, r)` in about [-1, 1].
    scores
        `(k,)`.
    """

    face: int
    step: int
    image: Tensor
    scores: NDArray[np.float32]


@torch.inference_mode()
def render_edits(
    latents: Tensor | Latents,
    direction: Direction,
    strengths: Sequence[float],
    renderer: Renderer,
    scorer: Scorer | None,
    batch_size: int = 4,
    mode: Mode = "add",
) -> Iterator[EditedImage]:
    """Render and score faces at every strength, face by face.

    Parameters
    ----------
    latents
        ws `(faces, num_ws, w_dim)`, or latents by name, of which the direction's space can be reached.
    direction, strengths, mode
        See `latentlab.editing.move`. All strengths must differ.
    renderer, scorer
        Networks that render and score the images; without a scorer there are no scores, k = 0.
    batch_size
        Images rendered at once.

    Raises
    ------
    UserError
        If strengths repeat, the direction does not fit, or the scorer's output has a wrong shape.
    """
    if len(set(strengths)) < len(strengths) or not len(strengths):
        raise UserError(f"strengths must be one or more different numbers, not {list(strengths)}")
    by_name: Latents = {"ws": latents} if isinstance(latents, Tensor) else latents
    device = renderer.generator.w_avg.device
    total = len(next(iter(by_name.values()))) * len(strengths)
    for start in range(0, total, batch_size):
        face, step = np.divmod(np.arange(start, min(start + batch_size, total)), len(strengths))
        batch = {name: value.to(device) for name, value in rows_of(by_name, torch.from_numpy(face)).items()}
        distance = torch.tensor([strengths[i] for i in step], dtype=torch.float32, device=device)
        images = renderer(move(batch, [(direction, distance)], renderer.generator, mode))
        scores = np.zeros((len(images), 0), np.float32) if scorer is None else score_images(scorer, images)
        for k in range(len(images)):
            yield EditedImage(int(face[k]), int(step[k]), images[k : k + 1], scores[k])


def edit_table(
    scores: Iterable[NDArray[np.float32]],
    seeds: Sequence[int],
    strengths: Sequence[float],
    names: tuple[str, ...],
    threshold: Threshold | None = None,
) -> EditTable:
    """Collect the scores `(k,)` of edited images, in the order of `render_edits`, in a table.

    Parameters
    ----------
    scores
        Scores of `len(seeds) * len(strengths)` images.
    seeds
        Numbers that the faces are called by.
    strengths
        Strengths of each face.
    names
        Names of the `k` scores.
    threshold
        Threshold of the table's labels.
    """
    return EditTable(
        seeds=np.asarray(seeds, dtype=np.int64),
        strengths=np.asarray(strengths, dtype=np.float64),
        scores=np.stack(list(scores)).reshape(len(seeds), len(strengths), -1),
        names=names,
        threshold=threshold,
    )


def latents_of(faces: SampleTable, direction: Direction, generator: Generator) -> Latents:
    """Latents of samples from which a direction's space is reached: z, drawn anew from the seeds, or ws."""
    if direction.space != "z":
        return {"ws": faces.ws(generator.num_ws)}
    return {"z": z_from_seeds(faces.seeds.tolist(), generator.z_dim), "psi": torch.from_numpy(faces.psi)}


def rescore(
    faces: SampleTable,
    direction: Direction,
    strengths: Sequence[float],
    renderer: Renderer,
    scorer: Scorer,
    batch_size: int = 4,
    mode: Mode = "add",
    progress: bool | Stage = True,
) -> EditTable:
    """Edit the faces of a sample table and score them again; the images are not kept.

    For an interruptible run call it in chunks of faces. The images are labelled at the threshold of `faces`; parameters
    and errors are those of `render_edits`; `progress` is True for a progress bar, False for none, or a `Stage` of your
    own.
    """
    latents = latents_of(faces, direction, renderer.generator)
    scores = []
    with stage_of(progress)("editing") as step:
        for one in render_edits(latents, direction, strengths, renderer, scorer, batch_size, mode):
            scores.append(one.scores)
            step(len(scores), len(faces) * len(strengths))
    return edit_table(scores, faces.seeds.tolist(), strengths, scorer.names, faces.threshold)
