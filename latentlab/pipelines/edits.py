"""Render and score faces at a series of strengths."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab.batching import AnyBatch, Batches
from latentlab.directions import Direction
from latentlab.directions.edits import Edits, as_edits
from latentlab.editing import Mode, move
from latentlab.errors import UserError
from latentlab.latents import match_rows
from latentlab.mapping import check_has_w
from latentlab.progress import Stage, stage_of
from latentlab.rendering import Latents, Renderer, rows_of, ws_of
from latentlab.reprs import ShortRepr
from latentlab.samples import EditTable, SampleTable
from latentlab.scorers import AnyThreshold, Scorer, score_images
from stylegan2.protocol import Generator
from stylegan2.sampling import z_from_seeds

EDITED = "edited"
"""Name of an edit along several directions at once, where one along a single direction is named by its strength."""


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
    direction: Direction | Edits,
    strengths: Sequence[float] | NDArray[np.float64],
    renderer: Renderer,
    scorer: Scorer | None,
    batch_size: AnyBatch = "auto",
    mode: Mode = "add",
) -> Iterator[EditedImage]:
    """Render and score faces at every strength, face by face.

    Parameters
    ----------
    latents
        ws `(faces, num_ws, w_dim)`, or latents by name, from which the direction's space can be reached.
    direction, mode
        See `latentlab.editing.move`; for edits along several directions, strengths are multiples.
    strengths
        Strengths of all faces, which must differ; or `(faces, strengths)`, where each face has its own.
    renderer, scorer
        Networks that render and score the images; without a scorer there are no scores, k = 0.
    batch_size
        Images rendered at once, see `latentlab.batching`.

    Raises
    ------
    UserError
        If strengths repeat, the direction does not fit, or the scorer's output has a wrong shape.
    """
    by_name: Latents = {"ws": latents} if isinstance(latents, Tensor) else latents
    device = renderer.generator.w_avg.device
    own = _own_strengths(strengths, len(next(iter(by_name.values()))))

    def some(numbers: range) -> list[EditedImage]:
        face, step = np.divmod(np.array(numbers), own.shape[1])
        batch = {name: value.to(device) for name, value in rows_of(by_name, torch.from_numpy(face)).items()}
        distance = torch.tensor(own[face, step], dtype=torch.float32, device=device)
        images = renderer(move(batch, gone(direction, distance), renderer.generator, mode))
        scores = np.zeros((len(images), 0), np.float32) if scorer is None else score_images(scorer, images)
        found = zip(face.tolist(), step.tolist(), torch.split(images, 1), scores, strict=True)
        return [EditedImage(*one) for one in found]

    for edited in Batches.of(batch_size, renderer)(range(own.size), some):
        yield from edited


def checked_codes(ws: Tensor, generator: Generator) -> Tensor:
    """Latent codes `(n, num_ws, w_dim)` for a generator; a single row serves all layers.

    Raises
    ------
    UserError
        If the generator has no W, or the codes have another shape.
    """
    check_has_w(generator, "editing latent codes")
    num_ws, w_dim = generator.num_ws, generator.w_dim
    if ws.ndim != 3 or ws.shape[2] != w_dim:
        raise UserError(f"latent codes of this generator are (n, {num_ws}, {w_dim}), not {tuple(ws.shape)}")
    if ws.shape[1] not in (1, num_ws):
        raise UserError(
            f"the latent codes have {ws.shape[1]} rows, the generator's ws {num_ws}: match them by resolution with "
            "--layers all; in Python, by latentlab.latents.match_rows"
        )
    return match_rows(ws, num_ws)


def check_edits_alone(strengths: Sequence[float] | None, target: object) -> None:
    """Refuse strengths or a target beside edits along several directions, which have strengths of their own."""
    if strengths is not None or target is not None:
        given = "a target is searched for along one direction" if strengths is None else "give no other strengths"
        raise UserError(f"edits along several directions have a strength each: {given}")


def gone(along: Direction | Edits, distance: float | Tensor) -> list[tuple[Direction, float | Tensor]]:
    """Steps, for `latentlab.editing.move`, that go a distance along a direction, or a multiple of several edits."""
    return [(direction, strength * distance) for direction, strength in as_edits(along)]


def _own_strengths(strengths: Sequence[float] | NDArray[np.float64], faces: int) -> NDArray[np.float64]:
    """Strengths of each face, `(faces, strengths)`."""
    found = np.asarray(strengths, dtype=np.float64)
    if found.ndim == 2:
        if found.shape[0] != faces or not found.shape[1]:
            raise UserError(f"strengths of {faces} faces are ({faces}, n), not {found.shape}")
        return found
    if found.ndim != 1 or not found.size or len(np.unique(found)) < found.size:
        raise UserError(f"strengths must be one or more different numbers, not {found.tolist()}")
    return np.tile(found, (faces, 1))


def edit_table(
    scores: Iterable[NDArray[np.float32]],
    seeds: Sequence[int],
    strengths: Sequence[float] | NDArray[np.float64],
    names: tuple[str, ...],
    threshold: AnyThreshold | None = None,
    reached: NDArray[np.bool_] | None = None,
) -> EditTable:
    """Collect the scores `(k,)` of edited images, in the order of `render_edits`, in a table.

    Parameters
    ----------
    scores
        Scores of `len(seeds) * len(strengths)` images.
    seeds
        Numbers by which the faces are called.
    strengths
        Strengths of all faces, or `(faces, strengths)`.
    names
        Names of the `k` scores.
    threshold
        Threshold of the table's labels.
    reached
        `(faces,)`: whether each face reached the target for which its strength was searched, where there was one.
    """
    own = np.asarray(strengths, dtype=np.float64)
    return EditTable(
        seeds=np.asarray(seeds, dtype=np.int64),
        strengths=own,
        scores=np.stack(list(scores)).reshape(len(seeds), own.shape[-1], -1),
        names=names,
        threshold=threshold,
        reached=reached,
    )


def check_leaves_codes(along: Direction | Edits) -> None:
    """Refuse directions whose edits no code of w or w+ can hold, where codes are to be saved; UserError."""
    for direction, _ in as_edits(along):
        if direction.space == "s":
            raise UserError(
                f"the {direction.attribute} direction moves style channels (space s), which latent codes of w+ do not "
                "have: to save latents, take a direction of w or w+, such as smile-w"
            )


@torch.inference_mode()
def edited_codes(
    latents: Latents,
    direction: Direction | Edits,
    strengths: Sequence[float] | NDArray[np.float64],
    generator: Generator,
) -> Tensor:
    """Latent codes `(faces * strengths, num_ws, w_dim)` of the images that `render_edits` gives, in their order.

    Raises
    ------
    UserError
        If a direction is of space s, see `check_leaves_codes`.
    """
    check_leaves_codes(direction)
    on_device = {name: value.to(generator.w_avg.device) for name, value in latents.items()}
    own = torch.from_numpy(_own_strengths(strengths, len(next(iter(latents.values()))))).to(generator.w_avg)
    codes = []
    for step in range(own.shape[1]):
        ws = ws_of(move(on_device, gone(direction, own[:, step]), generator), generator)
        assert ws is not None  # no direction of s leaves styles
        codes.append(ws)
    return torch.stack(codes, dim=1).flatten(0, 1)


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
    batch_size: AnyBatch = "auto",
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
