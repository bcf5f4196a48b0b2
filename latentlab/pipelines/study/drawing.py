"""The figures of a study: the walk as a figure and as an animation, and the response to the strength."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np

from latentlab.directions import Direction
from latentlab.pipelines.study.context import StudyContext
from latentlab.pipelines.study.results import HeldOutEdits, Study
from latentlab.pipelines.walks import Walk, render_walk
from latentlab.plots import response_figure, save_figure
from latentlab.progress import titled
from latentlab.samples import SampleTable
from latentlab.scorers.threshold import NEGATIVE, POSITIVE

_ROWS = 3  # of faces without the attribute, and as many with it
_COLUMNS = 7  # strengths in the figure
_FRAMES = 13  # from one end of the animation to the other


def draw_figures(context: StudyContext, study: Study, main: str) -> None:
    """Draw what is missing of `walk.png`, `response.png`, `walk.gif` and, if ffmpeg is installed, `walk.mp4`.

    Images are rendered at the full resolution, whatever was scored for the tables, and the scores under them are
    their own.
    """
    attribute = context.settings.attribute
    direction = study.fits[main].direction
    faces = _faces(study)
    if not (context.folder / "response.png").exists():
        _draw_response(context, study.edits[main])
    if not (context.folder / "walk.png").exists():
        walk = _render(context, faces, direction, study.reach.strengths(_COLUMNS), "drawing the walk")
        walk.save(context.folder / "walk.png", attribute)
    names = ["walk.gif", *(["walk.mp4"] if find_spec("imageio_ffmpeg") else [])]
    missing = [name for name in names if not (context.folder / name).exists()]
    if missing:
        shown = faces.subset(np.unique(np.linspace(0, len(faces) - 1, 3).round().astype(int)))
        walk = _render(context, shown, direction, study.reach.strengths(_FRAMES), "animating the walk")
        for name in missing:
            walk.save(context.folder / name, attribute)


def _faces(study: Study) -> SampleTable:
    """Held-out faces to show: the first ones without the attribute and the first ones with it, by seed."""
    test = study.table.subset(study.test)
    labels = test.labels(study.settings.attribute)
    rows = [*np.flatnonzero(labels == NEGATIVE)[:_ROWS], *np.flatnonzero(labels == POSITIVE)[:_ROWS]]
    return test.subset(np.array(rows))


def _render(
    context: StudyContext, faces: SampleTable, direction: Direction, strengths: tuple[float, ...], title: str
) -> Walk:
    components = context.components
    ws = faces.ws(components.generator.num_ws)
    return render_walk(
        faces.seeds.tolist(),
        ws,
        direction,
        strengths,
        components.renderer(),
        components.scorer,
        context.batch_size,
        titled(context.stage, title),
    )


def _draw_response(context: StudyContext, edits: HeldOutEdits) -> None:
    name = context.settings.attribute
    tables = {f"not {name}, edited towards it": edits.towards, f"{name}, edited away from it": edits.away}
    curves = {label: (table.strengths, table.column(name)) for label, table in tables.items()}
    save_figure(response_figure(curves, score_name=f"{name} score"), context.folder / "response.png")
