"""What only latent methods have, a strength: trade-off curves, where quality is lost, and equal responses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from latentlab.comparison.protocol import Columns, Method
from latentlab.comparison.run import Comparison, MethodResult, summarise
from latentlab.datasets.labelled_faces import PHOTO_RESOLUTION
from latentlab.editing import in_sigmas
from latentlab.images import resize
from latentlab.metrics import Interval
from latentlab.progress import Stage, stage_of
from latentlab.tasks.edit_faces.definition import PROJECTION
from latentlab.tasks.edit_faces.latent import Latent
from latentlab.tasks.edit_faces.response import CALIBRATION_FACES
from latentlab.tasks.edit_faces.task import EditTask

SHARES = (0.5, 1.5)
"""Shares of the calibrated strength that the curve has besides the strength itself."""


@dataclass(frozen=True)
class CurvePoint:
    """A latent method at a strength, on the held-out photos.

    Attributes
    ----------
    method
        Name of the method.
    sigmas
        Strength in standard deviations along its direction.
    intervals
        Values over all photos, by measure; see `EditEvaluator.gained_and_kept`.
    against
        Translator whose response on training faces the strength was matched to; None on the curve.
    """

    method: str
    sigmas: float
    intervals: dict[str, Interval]
    against: str | None = None


@dataclass(frozen=True)
class Loss:
    """What a latent method loses on the way.

    Attributes
    ----------
    method
        Name of the method.
    projecting, editing, both
        By measure ('identity', 'lpips_outside', 'l1_outside'): the projection against the photo, the edit against the
        projection, the edit against the photo.
    """

    method: str
    projecting: dict[str, Interval]
    editing: dict[str, Interval]
    both: dict[str, Interval]


@dataclass(frozen=True)
class Strengths:
    """What is found about all latent methods.

    Attributes
    ----------
    curve
        Points at shares of the calibrated strength.
    even
        Points at each translator's response.
    responses
        By translator: the labelling scorer's mean score of the target on training faces that it translated.
    unmatched
        Pairs of a translator and a latent method for which no strength gives that response.
    losses
        Where quality is lost.
    """

    curve: tuple[CurvePoint, ...]
    even: tuple[CurvePoint, ...]
    responses: dict[str, float]
    unmatched: tuple[tuple[str, str], ...]
    losses: tuple[Loss, ...]


@dataclass(frozen=True, eq=False)
class _Planned:
    """A point that is to be measured."""

    method: Latent
    strength: float
    against: str | None

    def measure(self, task: EditTask) -> CurvePoint:
        intervals = summarise(task, task.evaluator.gained_and_kept(self.method.at(self.strength)))
        sigmas = in_sigmas(self.method.direction, self.strength)
        return CurvePoint(self.method.name, sigmas, intervals, self.against)


def strengths_of(comparison: Comparison, methods: Sequence[Method], progress: bool | Stage = True) -> Strengths:
    """Measure curves, losses and equal responses of the latent methods of a comparison of edits.

    Parameters
    ----------
    comparison
        A comparison of an `EditTask`; methods that failed are left out.
    methods
        Those that were compared.
    progress
        True for a progress bar, False for none, or a `Stage` of your own.
    """
    task, stage = comparison.task, stage_of(progress)
    assert isinstance(task, EditTask)
    results = {one.name: one for one in comparison.done}
    latent = [method for method in methods if isinstance(method, Latent) and method.name in results]
    others = [m for m in methods if m.name in results and m.name != PROJECTION and not isinstance(m, Latent)]
    responses = _responses(task, others) if latent else {}
    plan: list[_Planned] = []
    unmatched = []
    for method in latent:
        method.prepare(task.inputs(), stage)
        plan += [_Planned(method, share * method.response.calibrated(), None) for share in SHARES]
        for name, score in responses.items():
            strength = method.response.at_score(score)
            if strength is None:
                unmatched.append((name, method.name))
            else:
                plan.append(_Planned(method, strength, name))
    points = []
    with stage("curves", "point") as step:
        for k, planned in enumerate(plan):
            points.append(planned.measure(task))
            step(k + 1, len(plan))
    curve = [*_calibrated(latent, results), *(point for point in points if point.against is None)]
    return Strengths(
        curve=tuple(sorted(curve, key=lambda point: (point.method, point.sigmas))),
        even=tuple(point for point in points if point.against is not None),
        responses=responses,
        unmatched=tuple(unmatched),
        losses=tuple(_loss(task, method.name, results) for method in latent) if PROJECTION in results else (),
    )


def _calibrated(latent: Sequence[Latent], results: dict[str, MethodResult]) -> list[CurvePoint]:
    """The points that the comparison measured already."""
    return [
        CurvePoint(m.name, in_sigmas(m.direction, m.response.calibrated()), results[m.name].intervals) for m in latent
    ]


def _responses(task: EditTask, methods: Sequence[Method]) -> dict[str, float]:
    """The labelling scorer's mean score of the target on training faces that these methods edited."""
    faces = resize(task.part("trainA")[:CALIBRATION_FACES], PHOTO_RESOLUTION, PHOTO_RESOLUTION)
    score = task.evaluator.labeller.score
    return {method.name: float(score(method.apply(faces)).mean()) for method in methods}


def _loss(task: EditTask, name: str, results: dict[str, MethodResult]) -> Loss:
    """Where a latent method loses; the comparison has measured both against the photo."""
    projection, edited = results[PROJECTION], results[name]
    assert projection.images is not None and edited.images is not None
    evaluator = task.evaluator
    columns: Columns = {
        **evaluator.changes(projection.images, edited.images),
        "identity": evaluator.identity(projection.images, edited.images),
    }
    projecting, both = ({measure: one.intervals[measure] for measure in columns} for one in (projection, edited))
    return Loss(name, projecting, summarise(task, columns), both)
