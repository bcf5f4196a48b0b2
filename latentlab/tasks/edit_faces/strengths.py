"""Strengths, which only latent methods have: trade-off curves, where quality is lost, and equal responses."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from latentlab.comparison.protocol import Columns, Method
from latentlab.comparison.run import Comparison, MethodResult, summarise
from latentlab.directions.response import Response
from latentlab.editing import in_sigmas
from latentlab.metrics import Interval
from latentlab.progress import Stage, stage_of
from latentlab.tasks.edit_faces.definition import PROJECTION
from latentlab.tasks.edit_faces.latent import Latent
from latentlab.tasks.edit_faces.task import EditTask

SHARES = (0.5, 1.5)
"""Shares of each photo's strength that the curve has besides the strength itself."""


@dataclass(frozen=True)
class CurvePoint:
    """A latent method at a share of the strength that each photo needs, on the held-out photos.

    Attributes
    ----------
    method
        Name of the method.
    share
        Share of each photo's strength.
    sigmas
        Mean strength in standard deviations along its direction, without the sign.
    score
        Mean score of the target that the labelling scorer gives the edits.
    intervals
        Values over all photos, by measure; see `EditEvaluator.gained_and_kept`.
    against
        Translator whose score the share was matched to; None on the curve.
    """

    method: str
    share: float
    sigmas: float
    score: float
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
        Points at shares of each photo's strength.
    even
        Points at which photos get the same mean score as from a translator.
    responses
        By translator: the labelling scorer's mean score of the target on the photos that it translated.
    unmatched
        Pairs of a translator and a latent method that does not give that score at any share up to the last of the
        curve.
    unreached
        By latent method: how many photos do not reach the target at any strength that was tried.
    losses
        Where quality is lost.
    """

    curve: tuple[CurvePoint, ...]
    even: tuple[CurvePoint, ...]
    responses: dict[str, float]
    unmatched: tuple[tuple[str, str], ...]
    unreached: dict[str, int]
    losses: tuple[Loss, ...]


def strengths_of(comparison: Comparison, methods: Sequence[Method], progress: bool | Stage = True) -> Strengths:
    """Measure curves, losses and equal responses of the latent methods of a comparison of edits.

    Parameters
    ----------
    comparison
        A comparison of an `EditTask`; methods that failed are left out.
    methods
        The methods that were compared.
    progress
        True for a progress bar, False for none, or a `Stage` of your own.
    """
    task, stage = comparison.task, stage_of(progress)
    assert isinstance(task, EditTask)
    results = {one.name: one for one in comparison.done}
    latent = [method for method in methods if isinstance(method, Latent) and method.name in results]
    others = [m.name for m in methods if m.name in results and m.name != PROJECTION and not isinstance(m, Latent)]
    responses = {name: _score(task, results[name].images) for name in others} if latent else {}
    points: list[CurvePoint] = []
    unmatched, unreached = [], {}
    for method in latent:
        method.prepare(task.inputs(), stage)
        unreached[method.name] = int((~method.strengths().reached).sum())
    with stage("curves", "point") as step:
        for k, method in enumerate(latent):
            curve = [_whole(task, method, results[method.name]), *(_point(task, method, share) for share in SHARES)]
            points += sorted(curve, key=lambda point: point.share)
            response = _response(task, curve, results)
            for name, score in responses.items():
                share = response.first_reaching(score)
                if share is None:
                    unmatched.append((name, method.name))
                else:
                    points.append(_point(task, method, share, name))
            step(k + 1, len(latent))
    return Strengths(
        curve=tuple(one for one in points if one.against is None),
        even=tuple(one for one in points if one.against is not None),
        responses=responses,
        unmatched=tuple(unmatched),
        unreached=unreached,
        losses=tuple(_loss(task, method.name, results) for method in latent) if PROJECTION in results else (),
    )


def _whole(task: EditTask, method: Latent, result: MethodResult) -> CurvePoint:
    """The point that the comparison measured already."""
    return CurvePoint(method.name, 1.0, _sigmas(method, 1.0), _score(task, result.images), result.intervals)


def _point(task: EditTask, method: Latent, share: float, against: str | None = None) -> CurvePoint:
    """Measure a method at a share of each photo's strength."""
    made = method.at(share * method.strengths().strengths)
    intervals = summarise(task, task.evaluator.gained_and_kept(made))
    return CurvePoint(method.name, share, _sigmas(method, share), _score(task, made), intervals, against)


def _sigmas(method: Latent, share: float) -> float:
    return in_sigmas(method.direction, share * float(np.abs(method.strengths().strengths).mean()))


def _score(task: EditTask, images: Tensor | None) -> float:
    """The labelling scorer's mean score of the target, of images that have a score; NaN if none has."""
    assert images is not None  # of a method that did not fail
    scores = task.evaluator.labeller.score(images)
    known = scores[~np.isnan(scores)]
    return float(known.mean()) if len(known) else math.nan


def _response(task: EditTask, curve: Sequence[CurvePoint], results: Mapping[str, MethodResult]) -> Response:
    """The labelling scorer's mean score by share of the strengths, from the projection on."""
    before = {0.0: _score(task, results[PROJECTION].images)} if PROJECTION in results else {}
    scores = {**before, **{point.share: point.score for point in curve}}
    return Response(tuple(scores), tuple(scores.values()))


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
