"""The pictures of a study: the walk as a figure and as an animation, and the response to the strength."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab.directions import Direction
from latentlab.images import grid
from latentlab.pipelines.rescoring import render_walk
from latentlab.pipelines.study.results import Bench, Edits, Study
from latentlab.plots import response_figure, walk_figure
from latentlab.progress import Step
from latentlab.rendering import Renderer
from latentlab.samples import SampleTable
from latentlab.scorers import score_column
from latentlab.video import write_gif, write_mp4

_ROWS = 3  # of faces without the attribute, and as many with it
_FRAMES = 13  # from one end to the other
_SIDE = 256  # a face in the figure and in the animation, in pixels


def draw_figures(bench: Bench, study: Study, main: str) -> None:
    """Draw what is missing of `walk.png`, `response.png`, `walk.gif` and, where it can be, `walk.mp4`.

    Pictures are rendered in full, whatever was scored for the figures, and the scores under them are theirs.
    """
    direction = study.fits[main].direction
    faces = _faces(bench, study)
    if not (bench.folder / "response.png").exists():
        _draw_response(bench, study.edits[main])
    if not (bench.folder / "walk.png").exists():
        with bench.stage("drawing the walk") as step:
            _draw_walk(bench, study, direction, faces, step)
    videos = {"walk.gif": write_gif} | ({"walk.mp4": write_mp4} if find_spec("imageio_ffmpeg") else {})
    missing = {name: write for name, write in videos.items() if not (bench.folder / name).exists()}
    if missing:
        with bench.stage("animating the walk") as step:
            frames = _animate(bench, study, direction, faces, step)
        for name, write in missing.items():
            write(frames, bench.folder / name)


def walk_strengths(reach: tuple[float, float], steps: int) -> list[float]:
    """`steps` strengths from the far end away through 0, as many on either side, to the far end towards."""
    side = steps // 2
    towards, away = reach
    return [away * k / side for k in range(side, 0, -1)] + [towards * k / side for k in range(side + 1)]


def _faces(bench: Bench, study: Study) -> SampleTable:
    """Held-out faces to show: the first without the attribute and the first with it, by seed."""
    test = study.table.subset(study.test)
    has = test.is_positive(bench.settings.attribute)
    rows = [*np.flatnonzero(~has)[:_ROWS], *np.flatnonzero(has)[:_ROWS]]
    return test.subset(np.array(rows))


def _render(
    bench: Bench, ws: Tensor, direction: Direction, strengths: list[float], step: Step
) -> tuple[Tensor, NDArray[np.float32]]:
    renderer = Renderer(bench.generator, bench.generator.resolution)
    return render_walk(renderer, bench.scorer, ws, direction, strengths, _SIDE, bench.batch_size, step)


def _draw_walk(bench: Bench, study: Study, direction: Direction, faces: SampleTable, step: Step) -> None:
    strengths = walk_strengths(study.reach, 7)
    ws = faces.ws(bench.generator.num_ws)
    pictures, scores = _render(bench, ws, direction, strengths, step)
    titles = [f"seed {seed}" for seed in faces.seeds]
    name = bench.settings.attribute
    column = score_column(scores, bench.scorer.names, name)
    walk_figure(pictures, column, strengths, titles, bench.folder / "walk.png", score_name=name)


def _draw_response(bench: Bench, edits: Edits) -> None:
    name = bench.settings.attribute
    sides = {f"faces not {name}": edits.towards, f"faces {name}": edits.away}
    curves = {label: (table.strengths, table.column(name)) for label, table in sides.items()}
    response_figure(curves, bench.folder / "response.png", score_name=f"{name} score")


def _animate(bench: Bench, study: Study, direction: Direction, faces: SampleTable, step: Step) -> Tensor:
    """Frames `(t, 3, h, w)`: three faces side by side, from one end of the walk to the other and back."""
    shown = faces.subset(np.unique(np.linspace(0, len(faces) - 1, 3).round().astype(int)))
    ws = shown.ws(bench.generator.num_ws)
    strengths = walk_strengths(study.reach, _FRAMES)
    pictures, _ = _render(bench, ws, direction, strengths, step)
    there = torch.stack([grid(pictures[:, k], len(shown)) for k in range(len(strengths))])
    return torch.cat([there, there.flip(0)[1:-1]])
