"""Render and score faces at a series of strengths."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab.directions import Direction
from latentlab.editing import Mode, edit
from latentlab.errors import UserError
from latentlab.images import reduce
from latentlab.progress import Step
from latentlab.rendering import Renderer
from latentlab.samples import EditTable
from latentlab.scorers import Scorer, score_pictures


@dataclass(frozen=True, eq=False)
class Edited:
    """One edited picture.

    Attributes
    ----------
    face, step
        Which face, and which of the strengths.
    picture
        `(1, 3, r, r)`.
    scores
        `(k,)`.
    """

    face: int
    step: int
    picture: Tensor
    scores: NDArray[np.float32]


@torch.inference_mode()
def render_edits(
    renderer: Renderer,
    scorer: Scorer,
    ws: Tensor,
    direction: Direction,
    strengths: Sequence[float],
    batch_size: int = 4,
    mode: Mode = "add",
    progress: Step | None = None,
) -> Iterator[Edited]:
    """Render and score faces at every strength, face by face.

    Parameters
    ----------
    renderer, scorer
        What renders and what scores.
    ws
        `(faces, num_ws, w_dim)`.
    direction, strengths, mode
        See `edit`. All strengths must differ.
    batch_size
        Pictures rendered at once.
    progress
        Called with (pictures done, pictures in all) after every batch.

    Raises
    ------
    UserError
        If strengths repeat, or as `edit` and the scorer say.
    """
    if len(set(strengths)) < len(strengths) or not len(strengths):
        raise UserError(f"strengths must be one or more different numbers, not {list(strengths)}")
    total = len(ws) * len(strengths)
    for start in range(0, total, batch_size):
        face, step = np.divmod(np.arange(start, min(start + batch_size, total)), len(strengths))
        batch = ws[torch.from_numpy(face).to(ws.device)].to(renderer.generator.w_avg.device)  # (b, num_ws, w_dim)
        distance = torch.tensor([strengths[i] for i in step], device=batch.device)
        pictures = renderer(edit(batch, direction, distance, mode))
        scores = score_pictures(scorer, pictures)
        for k in range(len(batch)):
            yield Edited(int(face[k]), int(step[k]), pictures[k : k + 1], scores[k])
        if progress is not None:
            progress(start + len(batch), total)


def rescore(
    renderer: Renderer,
    scorer: Scorer,
    seeds: Sequence[int] | NDArray[Any],
    ws: Tensor,
    direction: Direction,
    strengths: Sequence[float],
    batch_size: int = 4,
    mode: Mode = "add",
    progress: Step | None = None,
) -> EditTable:
    """The scores of `render_edits` as a table whose rows are called `seeds`; the pictures are not kept.

    For an interruptible run call it in chunks of faces.
    """
    edits = render_edits(renderer, scorer, ws, direction, strengths, batch_size, mode, progress)
    scores = np.stack([one.scores for one in edits])
    return EditTable(
        seeds=np.asarray(seeds, dtype=np.int64),
        strengths=np.asarray(strengths, dtype=np.float64),
        scores=scores.reshape(len(ws), len(strengths), -1),
        names=scorer.names,
    )


def render_walk(
    renderer: Renderer,
    scorer: Scorer,
    ws: Tensor,
    direction: Direction,
    strengths: Sequence[float],
    side: int,
    batch_size: int = 4,
    progress: Step | None = None,
) -> tuple[Tensor, NDArray[np.float32]]:
    """The pictures of `render_edits`, reduced to at most `side` pixels, and their scores.

    Returns
    -------
    Tensor
        `(faces, strengths, 3, h, w)` on the CPU.
    NDArray
        `(faces, strengths, k)`: of the pictures before they were reduced.
    """
    pictures, scores = [], []
    for one in render_edits(renderer, scorer, ws, direction, strengths, batch_size, progress=progress):
        pictures.append(reduce(one.picture, side).cpu())
        scores.append(one.scores)
    shape = (len(ws), len(strengths))
    return torch.cat(pictures).unflatten(0, shape), np.stack(scores).reshape(*shape, -1)
