"""Walks along a direction: rendered once, shown as a figure or as an animation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab import images
from latentlab.directions import Direction
from latentlab.errors import UserError
from latentlab.pipelines.edits import render_edits
from latentlab.plots.saving import FORMATS, save_figure
from latentlab.progress import Stage, stage_of
from latentlab.rendering import Renderer
from latentlab.scorers import Scorer, score_column
from latentlab.video import write_gif, write_mp4

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RESOLUTION = 256  # each face in the figure and in the animation

_WRITERS = {".gif": write_gif, ".mp4": write_mp4}


@dataclass(frozen=True, eq=False)
class Walk:
    """Faces at a series of strengths along one direction.

    Attributes
    ----------
    images
        `(faces, strengths, 3, h, w)` on the CPU, of at most 256 pixels.
    scores
        `(faces, strengths, k)`, of the images as they were rendered, before they were reduced.
    seeds
        Seeds of the faces.
    strengths
        Strengths in units of w.
    names
        Names of the `k` scores.
    """

    images: Tensor
    scores: NDArray[np.float32]
    seeds: tuple[int, ...]
    strengths: tuple[float, ...]
    names: tuple[str, ...]

    def figure(self, attribute: str) -> Figure:
        """Draw a row per face, a column per strength, and the score `attribute` under each image."""
        from latentlab.plots import walk_figure  # matplotlib takes half a second to import

        column = score_column(self.scores, self.names, attribute)
        titles = [f"seed {seed}" for seed in self.seeds]
        return walk_figure(self.images, column, self.strengths, titles, score_name=attribute)

    def frames(self) -> Tensor:
        """Frames `(t, 3, h, w)`: all faces side by side, from the first strength to the last one and back."""
        there = torch.stack([images.grid(self.images[:, k], len(self.seeds)) for k in range(len(self.strengths))])
        return torch.cat([there, there.flip(0)[1:-1]])

    def save(self, path: str | Path, attribute: str) -> None:
        """Write the figure (.png, .pdf, .svg) or the animation (.gif, .mp4), as the suffix of `path` says.

        Raises
        ------
        UserError
            If the suffix is another one, there is no score `attribute`, or the file cannot be written.
        """
        check_walk_path(path)
        write = _WRITERS.get(Path(path).suffix.lower())
        if write is None:
            save_figure(self.figure(attribute), path)
        else:
            write(self.frames(), path)


def check_walk_path(path: str | Path) -> None:
    """Refuse a file name that `Walk.save` cannot write, before any work is done; UserError then."""
    known = (*FORMATS, *_WRITERS)
    if Path(path).suffix.lower() not in known:
        raise UserError(f"cannot write {path}: the file name of a walk ends in one of {', '.join(known)}")


def render_walk(
    seeds: Sequence[int],
    ws: Tensor,
    direction: Direction,
    strengths: Sequence[float],
    renderer: Renderer,
    scorer: Scorer,
    batch_size: int = 4,
    progress: bool | Stage = True,
) -> Walk:
    """Render and score faces at every strength, and keep the images at 256 pixels.

    Parameters
    ----------
    seeds
        Numbers that the faces are called by.
    ws
        `(faces, num_ws, w_dim)`.
    direction, strengths, renderer, scorer, batch_size
        See `latentlab.pipelines.edits.render_edits`.
    progress
        True for a progress bar, False for none, or a `Stage` of your own.
    """
    edits, scores = [], []
    with stage_of(progress)("walking") as step:
        for one in render_edits(ws, direction, strengths, renderer, scorer, batch_size):
            edits.append(images.reduce(one.image, RESOLUTION).cpu())
            scores.append(one.scores)
            step(len(edits), len(ws) * len(strengths))
    shape = (len(ws), len(strengths))
    return Walk(
        images=torch.cat(edits).reshape(*shape, *edits[0].shape[1:]),
        scores=np.stack(scores).reshape(*shape, -1),
        seeds=tuple(seeds),
        strengths=tuple(strengths),
        names=scorer.names,
    )
