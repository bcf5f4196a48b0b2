"""How far along a direction the training faces have to be moved."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from latentlab.directions import Direction
from latentlab.directions.response import Response
from latentlab.editing import from_sigmas, move
from latentlab.images import resize
from latentlab.progress import Stage
from latentlab.rendering import rows_of
from latentlab.tasks.edit_faces.task import EditTask

# Strengths at which the response is sampled, in sigmas of the population along the direction; between them it is
# interpolated.
_SIGMAS = (0.0, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0)
_REACHED = 0.9
_FACES = 16  # at most this many training faces of the source


def calibrated(response: Response) -> float:
    """Return the strength at which nine faces in ten arrive or, if that never happens, at which the most do."""
    found = response.first_reaching(_REACHED)
    return response.strongest() if found is None else found


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
        self._found: tuple[Direction, Response] | None = None

    def __call__(self, stage: Stage) -> tuple[Direction, Response]:
        """Return the direction and its response."""
        if self._found is None:
            direction = self._learn(self._task)
            self._found = direction, respond(self._task, direction, stage)
        return self._found


@torch.no_grad()
def respond(task: EditTask, direction: Direction, stage: Stage) -> Response:
    """Measure the share of training faces of the source that are in the target domain after edits along a direction.

    Returns
    -------
    Response
        The shares at strengths from 0 outwards, without the sign of the task.
    """
    rows = task.domains.source.subset(np.arange(min(_FACES, len(task.domains.source))))
    generator, renderer = task.components.generator, task.renderer
    ws, in_target = rows.ws(generator.num_ws).to(task.device), task.evaluator.labeller.in_target
    strengths = [from_sigmas(direction, sigmas) for sigmas in _SIGMAS]
    arrived = []
    with stage("calibrating") as step:
        for k, strength in enumerate(strengths):
            edited = move(ws, [(direction, task.sign * strength)], generator)
            parts = torch.split(torch.arange(len(ws)), 4)
            images = torch.cat([renderer(rows_of(edited, part)).clamp(-1, 1).cpu() for part in parts])
            arrived.append(float(in_target(resize(images, task.size, task.size)).mean()))
            step((k + 1) * len(ws), len(strengths) * len(ws))
    return Response(tuple(strengths), tuple(arrived))
