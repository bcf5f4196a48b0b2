"""The methods by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from latentlab.comparison.protocol import Method
from latentlab.directions import Direction
from latentlab.tasks.building import chosen
from latentlab.tasks.edit_faces.latent import (
    Latent,
    Learnt,
    Projected,
    Projector,
    learn_conditional,
    learn_mean,
    learn_svm,
)
from latentlab.tasks.edit_faces.settings import LATENT, METHODS
from latentlab.tasks.edit_faces.task import EditTask
from latentlab.tasks.edit_faces.translators import translator

_LEARN: dict[str, Callable[[EditTask], Direction]] = {
    "latent-mean": learn_mean,
    "latent-svm": learn_svm,
    "latent-conditional": learn_conditional,
}


def edit_methods(task: EditTask, names: Sequence[str] = METHODS) -> list[Method]:
    """The methods of those names, and before them, if one is latent, the floor of all latent ones.

    Raises
    ------
    UserError
        There is no such method.
    """
    projector = Projector(task)
    learnt = {name: Learnt(task, learn) for name, learn in _LEARN.items()}
    conditions = {"conditions": list(task.settings.conditions)}

    def build(name: str) -> Method:
        if name in LATENT:
            return Latent(name, learnt[name], projector, conditions if name == "latent-conditional" else None)
        return translator(name, task, learnt["latent-svm"])

    methods = chosen({name: partial(build, name) for name in METHODS}, names)
    floor = [Projected(projector)] if set(names) & set(LATENT) else []
    return [*floor, *methods]
