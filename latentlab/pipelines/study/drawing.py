"""The figures of a study: the walk as a figure and as an animation, and the response to the strength."""

from __future__ import annotations

import numpy as np

from latentlab.background import in_background
from latentlab.errors import UserError
from latentlab.pipelines.edits import Faces
from latentlab.pipelines.study.context import StudyContext
from latentlab.pipelines.study.results import HeldOutEdits, Study
from latentlab.pipelines.walks import COLUMNS, Walk, render_walk, sweep, walk_renderer
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
    shown = faces.subset(np.unique(np.linspace(0, len(faces) - 1, 3).round().astype(int)))
    missing = [name for name in ("walk.png", *_animations()) if not (context.folder / name).exists()]
    animations = [name for name in missing if name != "walk.png"]
    # Rendering takes all processors, and one figure or encoder a single one: these come last, beside each other.
    walk = _render_walk(context, study, main, faces) if "walk.png" in missing else None
    animation = _render_animation(context, study, main, shown) if animations else None
    with in_background() as later:
        if walk is not None:
            later(walk.save, context.folder / "walk.png", context.settings.attribute)
        if not (context.folder / "response.png").exists():
            later(_draw_response, context, study.edits[main])
        for name in animations:
            assert animation is not None
            animation.save(context.folder / name)


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


def _render_walk(context: StudyContext, study: Study, main: str, faces: SampleTable) -> Walk:
    return render_walk(
        _named(faces, context),
        study.fits[main].direction,
        study.reach[main].strengths(COLUMNS),
        context.components.renderer(precision=context.settings.precision),
        context.components.scorer,
        batch_size=context.shown,
        progress=titled(context.stage, "drawing the walk"),
    )


def _render_animation(context: StudyContext, study: Study, main: str, faces: SampleTable) -> Walk:
    renderer, size = walk_renderer(context.components, precision=context.settings.precision)
    return render_walk(
        _named(faces, context),
        study.fits[main].direction,
        sweep(study.reach[main].away, study.reach[main].towards),
        renderer,
        size=size,
        batch_size=context.shown,
        progress=titled(context.stage, "animating the walk"),
    )


def _draw_response(context: StudyContext, edits: HeldOutEdits) -> None:
    name = context.settings.attribute
    tables = {f"not {name}, edited towards it": edits.towards, f"{name}, edited away from it": edits.away}
    curves = {label: (table.strengths, table.column(name)) for label, table in tables.items()}
    save_figure(response_figure(curves, score_name=f"{name} score"), context.folder / "response.png")
