"""The figures of a study: the walk as a figure and as an animation, and the response to the strength."""

from __future__ import annotations

import numpy as np

from latentlab.errors import UserError
from latentlab.pipelines.edits import Faces
from latentlab.pipelines.study.context import StudyContext
from latentlab.pipelines.study.results import HeldOutEdits, Study
from latentlab.pipelines.walks import COLUMNS, render_walk, sweep, walk_renderer
from latentlab.plots import response_figure, save_figure
from latentlab.progress import titled
from latentlab.samples import SampleTable
from latentlab.scorers.threshold import NEGATIVE, POSITIVE
from latentlab.video import check_video

_ROWS = 3  # of faces without the attribute, and as many with it


def draw_figures(context: StudyContext, study: Study) -> None:
    """Draw what is missing of `walk.png`, `response.png`, `walk.gif` and, if ffmpeg is installed, `walk.mp4`.

    The images of the figure are rendered at the full resolution, whatever was scored for the tables, and the scores
    under them are their own. Those of the animation are not scored.
    """
    faces, main = _faces(study), context.settings.method
    if not (context.folder / "response.png").exists():
        _draw_response(context, study.edits[main])
    if not (context.folder / "walk.png").exists():
        _draw_walk(context, study, main, faces)
    names = [name for name in _animations() if not (context.folder / name).exists()]
    if names:
        shown = faces.subset(np.unique(np.linspace(0, len(faces) - 1, 3).round().astype(int)))
        _animate_walk(context, study, main, shown, names)


def _animations() -> list[str]:
    try:
        check_video("walk.mp4")
    except UserError:
        return ["walk.gif"]
    return ["walk.gif", "walk.mp4"]


def _faces(study: Study) -> SampleTable:
    """Held-out faces to show: the first ones without the attribute and the first ones with it, by seed."""
    test = study.table.subset(study.test)
    labels = test.labels(study.settings.attribute)
    rows = [*np.flatnonzero(labels == NEGATIVE)[:_ROWS], *np.flatnonzero(labels == POSITIVE)[:_ROWS]]
    return test.subset(np.array(rows))


def _named(faces: SampleTable, context: StudyContext) -> Faces:
    return Faces({"ws": faces.ws(context.components.generator.num_ws)}, tuple(faces.seeds.tolist()))


def _draw_walk(context: StudyContext, study: Study, main: str, faces: SampleTable) -> None:
    walk = render_walk(
        _named(faces, context),
        study.fits[main].direction,
        study.reach[main].strengths(COLUMNS),
        context.components.renderer(precision=context.settings.precision),
        context.components.scorer,
        batch_size=context.shown,
        progress=titled(context.stage, "drawing the walk"),
    )
    walk.save(context.folder / "walk.png", context.settings.attribute)


def _animate_walk(context: StudyContext, study: Study, main: str, faces: SampleTable, names: list[str]) -> None:
    renderer, size = walk_renderer(context.components, precision=context.settings.precision)
    walk = render_walk(
        _named(faces, context),
        study.fits[main].direction,
        sweep(study.reach[main].away, study.reach[main].towards),
        renderer,
        size=size,
        batch_size=context.shown,
        progress=titled(context.stage, "animating the walk"),
    )
    for name in names:
        walk.save(context.folder / name)


def _draw_response(context: StudyContext, edits: HeldOutEdits) -> None:
    name = context.settings.attribute
    tables = {f"not {name}, edited towards it": edits.towards, f"{name}, edited away from it": edits.away}
    curves = {label: (table.strengths, table.column(name)) for label, table in tables.items()}
    save_figure(response_figure(curves, score_name=f"{name} score"), context.folder / "response.png")
