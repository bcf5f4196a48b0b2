"""The methods of editing faces, by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from latentlab import registry
from latentlab.comparison.definition import choose_methods
from latentlab.comparison.protocol import Method
from latentlab.directions import Direction
from latentlab.tasks.edit_faces.definition import LATENT, METHODS, PAIRS
from latentlab.tasks.edit_faces.distilled import NAME as DISTILLED
from latentlab.tasks.edit_faces.distilled import DistilledEdits
from latentlab.tasks.edit_faces.latent import (
    Latent,
    ProjectionAlone,
    Projector,
    learn_conditional,
    learn_mean,
    learn_style,
    learn_svm,
)
from latentlab.tasks.edit_faces.response import Learnt
from latentlab.tasks.edit_faces.task import EditTask
from latentlab.tasks.edit_faces.translators import translator

_LEARN: dict[str, Callable[[EditTask], Direction]] = {
    "latent-style": learn_style,
    "latent-mean": learn_mean,
    "latent-svm": learn_svm,
    "latent-conditional": learn_conditional,
}


def edit_methods(task: EditTask, names: Sequence[str] = METHODS) -> list[Method]:
    """Construct the methods with these names and, before them, the baseline of the latent ones if one is latent.

    Parameters
    ----------
    task
        Task they are for.
    names
        'latent-style', 'latent-mean', 'latent-svm', 'latent-conditional', 'pix2pix', 'cyclegan', 'instagan',
        'distilled', and any other registered translation method.

    Raises
    ------
    UserError
        If a name is unknown.
    """
    projector = Projector(task)
    learnt = {name: Learnt(task, learn) for name, learn in _LEARN.items()}
    conditions = {"conditions": list(task.settings.conditions)}

    def build(name: str) -> Method:
        if name in LATENT:
            return Latent(name, learnt[name], projector, conditions if name == "latent-conditional" else None)
        return DistilledEdits(task, learnt[PAIRS]) if name == DISTILLED else translator(name, task, learnt[PAIRS])

    known = (*METHODS, *(name for name in registry.translators.names() if name not in METHODS))
    methods = choose_methods({name: partial(build, name) for name in known}, names)
    baseline = [ProjectionAlone(projector)] if set(names) & set(LATENT) else []
    return [*baseline, *methods]
