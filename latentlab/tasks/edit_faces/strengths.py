"""What only latent methods have, a strength: their curves, where they lose what they lose, and even footing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from latentlab import images
from latentlab.comparison.protocol import Columns, Method
from latentlab.comparison.run import Comparison, Row, summary
from latentlab.editing import in_sigmas
from latentlab.faces.identity import similarity
from latentlab.metrics import Interval, mean_interval
from latentlab.progress import Stage, silent
from latentlab.tasks.edit_faces.faces import PHOTO_SIDE
from latentlab.tasks.edit_faces.latent import CALIBRATION_FACES, FLOOR, Latent
from latentlab.tasks.edit_faces.task import EditTask
from latentlab.tasks.measuring import as_array, enlarged

SHARES = (0.5, 1.5)
"""Of the calibrated strength, for the curve, beside the strength itself."""


@dataclass(frozen=True)
class Point:
    """A latent method at a strength, on the held-out photos.

    Attributes
    ----------
    method, sigmas
        Which, and how far along its direction.
    figures
        As `EditTask.measure` has them, over all photos.
    against
        The translator whose response on training faces it was brought to; None on the curve.
    """

    method: str
    sigmas: float
    figures: dict[str, Interval]
    against: str | None = None


@dataclass(frozen=True)
class Loss:
    """What a latent method loses on the way, each against the pictures that it stands beside.

    Attributes
    ----------
    method
        Which.
    projecting, editing, both
        By figure ('identity', 'lpips_outside', 'l1_outside'): the projection against the photo, the edit against the
        projection, the edit against the photo.
    """

    method: str
    projecting: dict[str, Interval]
    editing: dict[str, Interval]
    both: dict[str, Interval]


@dataclass(frozen=True)
class Strengths:
    """What is found of all latent methods.

    Attributes
    ----------
    curve
        At shares of the calibrated strength.
    even
        At each translator's response.
    responses
        Of each translator: the labelling scorer's mean score of the target on training faces that it translated.
    unmatched
        Pairs of translator and latent method where no strength gives that response.
    losses
        Where quality goes.
    """

    curve: tuple[Point, ...]
    even: tuple[Point, ...]
    responses: dict[str, float]
    unmatched: tuple[tuple[str, str], ...]
    losses: tuple[Loss, ...]


def strengths_of(comparison: Comparison, methods: Sequence[Method], stage: Stage = silent) -> Strengths:
    """Curves, losses and even footing of the latent methods of a comparison of edits; none of them may have failed.

    Parameters
    ----------
    comparison
        Of an `EditTask`.
    methods
        Those that were compared.
    stage
        Shows the progress.
    """
    task = comparison.task
    assert isinstance(task, EditTask)
    rows = {row.name: row for row in comparison.done}
    latent = [method for method in methods if isinstance(method, Latent) and method.name in rows]
    others = [method for method in methods if method.name in rows and method.name != FLOOR and method not in latent]
    responses = _responses(task, others) if latent else {}
    plan: list[tuple[Latent, float, str | None]] = []
    unmatched = []
    for method in latent:
        method.prepare(task.inputs(), stage)
        plan += [(method, share * method.response.calibrated(), None) for share in SHARES]
        for name, score in responses.items():
            strength = method.response.first(method.response.scores, score)
            if strength is None:
                unmatched.append((name, method.name))
            else:
                plan.append((method, strength, name))
    points = []
    with stage("curves", "point") as step:
        for k, (method, strength, against) in enumerate(plan):
            figures = summary(task, task.gained_and_kept(method.at(strength)))
            points.append(Point(method.name, in_sigmas(method.direction, strength), figures, against))
            step(k + 1, len(plan))
    calibrated = [Point(m.name, in_sigmas(m.direction, m.response.calibrated()), rows[m.name].figures) for m in latent]
    losses = [_loss(task, method.name, rows) for method in latent] if FLOOR in rows else []
    return Strengths(
        curve=tuple(
            sorted([*calibrated, *(p for p in points if p.against is None)], key=lambda p: (p.method, p.sigmas))
        ),
        even=tuple(point for point in points if point.against is not None),
        responses=responses,
        unmatched=tuple(unmatched),
        losses=tuple(losses),
    )


def _responses(task: EditTask, methods: Sequence[Method]) -> dict[str, float]:
    """What the labelling scorer makes of training faces that these methods edited."""
    faces = images.resize(task.part("trainA")[:CALIBRATION_FACES], PHOTO_SIDE, PHOTO_SIDE)
    return {method.name: float(task.score(method.apply(faces)).mean()) for method in methods}


def _loss(task: EditTask, name: str, rows: dict[str, Row]) -> Loss:
    projected, edited = rows[FLOOR].pictures, rows[name].pictures
    assert projected is not None and edited is not None

    def between(one: Tensor, other: Tensor) -> dict[str, Interval]:
        describe = task.lab.descriptor
        columns: Columns = task.changes(one, other)
        alike = similarity(describe(enlarged(one)), describe(enlarged(other)))
        columns["identity"] = as_array(alike)
        return {figure: mean_interval(values) for figure, values in columns.items()}

    shown = task.shown()
    return Loss(name, between(shown, projected), between(projected, edited), between(shown, edited))
