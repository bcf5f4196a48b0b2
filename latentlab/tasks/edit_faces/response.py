"""How far along a direction the training faces have to be moved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from latentlab.directions import Direction
from latentlab.directions.response import Response
from latentlab.editing import edit, from_sigmas
from latentlab.images import resize
from latentlab.progress import Stage
from latentlab.tasks.edit_faces.task import EditTask

# Strengths at which the response is sampled, in sigmas of w along the direction; between them it is interpolated.
_SIGMAS = (0.0, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0)
_REACHED = 0.9
CALIBRATION_FACES = 16
"""At most so many training faces of the source calibrate strengths, and give the responses of translators."""


@dataclass(frozen=True)
class FacesResponse:
    """What the labelling scorer finds in training faces of the source that were edited at a series of strengths.

    Attributes
    ----------
    strengths
        Strengths from 0 outwards, without the sign.
    scores
        Mean scores of the target.
    arrived
        Shares of the faces that are in the target domain.
    """

    strengths: tuple[float, ...]
    scores: tuple[float, ...]
    arrived: tuple[float, ...]

    @classmethod
    def of(cls, stored: dict[str, Any]) -> FacesResponse:
        """Build it from what `as_dict` gave."""
        return cls(**{name: tuple(values) for name, values in stored.items()})

    def as_dict(self) -> dict[str, Any]:
        """Return the lists that JSON holds."""
        return {name: list(values) for name, values in asdict(self).items()}

    def at_score(self, score: float) -> float | None:
        """Return the first strength at which the mean score reaches `score`; None if none does."""
        return Response(self.strengths, self.scores).first_reaching(score)

    def calibrated(self) -> float:
        """Return the strength at which nine faces in ten arrive or, if that never happens, at which the most do."""
        arrived = Response(self.strengths, self.arrived)
        found = arrived.first_reaching(_REACHED)
        return arrived.strongest() if found is None else found


class Learnt:
    """A direction of a task and its response, found once for all methods that build on it.

    Parameters
    ----------
    task
        Task whose training faces are learnt from.
    learn
        Finds the direction.
    """

    def __init__(self, task: EditTask, learn: Callable[[EditTask], Direction]) -> None:
        self._task, self._learn = task, learn
        self._found: tuple[Direction, FacesResponse] | None = None

    def __call__(self, stage: Stage) -> tuple[Direction, FacesResponse]:
        """Return the direction and its response."""
        if self._found is None:
            direction = self._learn(self._task)
            self._found = direction, respond(self._task, direction, stage)
        return self._found


@torch.no_grad()
def respond(task: EditTask, direction: Direction, stage: Stage) -> FacesResponse:
    """Measure the response of training faces of the source to a direction."""
    rows = task.domains.source.subset(np.arange(min(CALIBRATION_FACES, len(task.domains.source))))
    ws, renderer = rows.ws(task.components.generator.num_ws).to(task.device), task.renderer
    labeller = task.evaluator.labeller
    strengths = [from_sigmas(direction, sigmas) for sigmas in _SIGMAS]
    scores, arrived = [], []
    with stage("calibrating") as step:
        for k, strength in enumerate(strengths):
            edited = edit(ws, direction, task.sign * strength)
            images = torch.cat([renderer(some).clamp(-1, 1).cpu() for some in torch.split(edited, 4)])
            images = resize(images, task.size, task.size)
            scores.append(float(labeller.score(images).mean()))
            arrived.append(float(labeller.in_target(images).mean()))
            step((k + 1) * len(ws), len(strengths) * len(ws))
    return FacesResponse(tuple(strengths), tuple(scores), tuple(arrived))
