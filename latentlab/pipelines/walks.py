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
from latentlab.batching import AnyBatch
from latentlab.directions import Direction
from latentlab.errors import UserError
from latentlab.pipelines.components import Components
from latentlab.pipelines.edits import Faces, render_edits
from latentlab.plots.saving import FORMATS, save_figure
from latentlab.precision import Precision
from latentlab.progress import Stage, stage_of
from latentlab.rendering import Renderer, rendered_size
from latentlab.reprs import ShortRepr
from latentlab.scorers import Scorer, score_column
from latentlab.video import FASTEST, FPS, check_video, write_video
from stylegan2.protocol import image_size

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RESOLUTION = 256  # each face in the figure and in the animation
COLUMNS = 7  # strengths in a figure
FRAMES = 60  # of an animation, there and back


@dataclass(frozen=True, eq=False, repr=False)
class Walk(ShortRepr):
    """Faces at a series of strengths along one direction.

    Attributes
    ----------
    images
        `(faces, strengths, 3, h, w)` on the CPU.
    scores
        `(faces, strengths, k)`, of the images as they were rendered, before they were reduced; k = 0 if they were not
        scored.
    titles
        What the faces are called, such as 'seed 600'.
    strengths
        Strengths in the direction's units.
    names
        Names of the `k` scores.
    """

    images: Tensor
    scores: NDArray[np.float32]
    titles: tuple[str, ...]
    strengths: tuple[float, ...]
    names: tuple[str, ...]

    def figure(self, attribute: str) -> Figure:
        """Draw a row per face, a column per strength, and the score `attribute` under each image.

        Raises
        ------
        UserError
            If there is no such score, or the walk was not scored.
        """
        from latentlab.plots import walk_figure  # matplotlib takes half a second to import

        if not self.names:
            raise UserError("this walk was rendered without scores, for an animation; a figure shows them")
        column = score_column(self.scores, self.names, attribute)
        dpi = round(150 * max(1, self.images.shape[-1] / RESOLUTION))
        return walk_figure(self.images, column, self.strengths, self.titles, attribute, dpi)

    def frames(self) -> Tensor:
        """Frames `(t, 3, h, w)`: all faces side by side, from the first strength to the last one and back."""
        there = torch.cat([images.grid(self.images[:, k], len(self.titles)) for k in range(len(self.strengths))])
        return torch.cat([there, there.flip(0)[1:-1]])

    def save(self, path: str | Path, attribute: str = "", fps: float = FPS) -> None:
        """Write the figure (.png, .pdf, .svg) or the animation (.gif, .mp4), as the suffix of `path` says.

        Parameters
        ----------
        path
            The file; an existing one is replaced.
        attribute
            Score that the figure shows.
        fps
            Frames per second of the animation; see `latentlab.video`.

        Raises
        ------
        UserError
            If the suffix is any other, there is no score `attribute`, or the file cannot be written.
        """
        check_walk_path(path)
        if is_animation(path):
            write_video(self.frames(), path, fps)
        else:
            save_figure(self.figure(attribute), path)


def is_animation(path: str | Path) -> bool:
    """Whether `Walk.save` writes an animation to a file of this name, and not a figure."""
    return Path(path).suffix.lower() in FASTEST


def check_walk_path(path: str | Path, fps: float = FPS) -> None:
    """Refuse a file that `Walk.save` cannot write, before any work is done.

    Raises
    ------
    UserError
        If the suffix is not one that it writes, fps is out of the range of an animation, or an .mp4 needs a package
        that is not installed.
    """
    known = (*FORMATS, *FASTEST)
    if Path(path).suffix.lower() not in known:
        raise UserError(f"cannot write {path}: the file name of a walk ends in one of {', '.join(known)}")
    if is_animation(path):
        check_video(path, fps)


def sweep(low: float, high: float, frames: int = FRAMES) -> tuple[float, ...]:
    """Choose the strengths of a smooth animation, which goes from `low` to `high` and back in so many frames.

    The steps follow a cosine: an animation that turned round at full speed would jerk at its ends.

    Parameters
    ----------
    low, high
        Strengths at the ends, which must differ.
    frames
        Frames there and back, rounded up to an even number, at least 2.

    Returns
    -------
    tuple of float
        frames / 2 + 1 strengths from `low` to `high`; `Walk.frames` adds the way back.
    """
    if frames < 2 or low == high:
        raise UserError(f"an animation goes between two strengths in 2 frames or more, not {low:g}, {high:g}, {frames}")
    shares = (1 - np.cos(np.linspace(0, np.pi, -(-frames // 2) + 1))) / 2
    return tuple((low + (high - low) * shares).tolist())


def walk_renderer(
    components: Components, resolution: int | None = None, precision: Precision = "float32"
) -> tuple[Renderer, int]:
    """Choose how the faces of a walk are rendered, and the size that they are reduced to.

    Parameters
    ----------
    components
        Networks; the generator is used.
    resolution
        Height and width of each face, or the longer of the two; None for 256, or the generator's own where that is
        less.
    precision
        Type that they are rendered in.

    Returns
    -------
    tuple of Renderer and int
        The generator at the lowest of its resolutions that is large enough, and the size.

    Raises
    ------
    UserError
        If the generator's images are smaller than `resolution`.
    """
    generator = components.generator
    most = max(image_size(generator))
    size = min(RESOLUTION, most) if resolution is None else resolution
    if not 0 < size <= most:
        raise UserError(f"each face has 1 to {most} pixels with this generator, not {size}")
    offered = next(one for one in generator.resolutions if max(rendered_size(generator, one)) >= size)
    return components.renderer(offered, precision), size


def render_walk(
    faces: Faces,
    direction: Direction,
    strengths: Sequence[float],
    renderer: Renderer,
    scorer: Scorer | None = None,
    size: int = RESOLUTION,
    batch_size: AnyBatch = "auto",
    progress: bool | Stage = True,
) -> Walk:
    """Render faces at every strength, score them if there is a scorer, and keep them at a size.

    Parameters
    ----------
    faces
        Latents of the faces, and their titles.
    direction, strengths, renderer, scorer, batch_size
        See `latentlab.pipelines.edits.render_edits`.
    size
        Longer side that larger images are reduced to.
    progress
        True for a progress bar, False for none, or a `Stage` of your own.
    """
    kept, scores = [], []
    with stage_of(progress)("walking") as step:
        for one in render_edits(faces.latents, direction, strengths, renderer, scorer, batch_size):
            kept.append(images.reduce(one.image, size).cpu())
            scores.append(one.scores)
            step(len(kept), len(faces) * len(strengths))
    shape = (len(faces), len(strengths))
    return Walk(
        images=torch.cat(kept).reshape(*shape, *kept[0].shape[1:]),
        scores=np.stack(scores).reshape(*shape, scores[0].size),
        titles=faces.titles,
        strengths=tuple(strengths),
        names=() if scorer is None else scorer.names,
    )
