"""How far each photo is moved: until the labelling scorer finds in it what it finds in most faces of the target."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from torch import Tensor

from latentlab.directions import Direction
from latentlab.directions.response import Response
from latentlab.images import reduce
from latentlab.pipelines.photos.settings import photo_search
from latentlab.pipelines.strengths import FaceStrengths, StrengthSettings, strength_for
from latentlab.pipelines.targets import ScoreTarget
from latentlab.progress import Stage
from latentlab.rendering import Renderer
from latentlab.scorers import FunctionScorer, is_probability
from latentlab.tasks.edit_faces.task import EditTask

# Share of the training faces of the target that have the attribute less clearly than edits are to have it.
_SHARE = 0.25
# Probabilities beyond these differ in nothing that an image shows.
_LEAST, _MOST = 0.001, 0.999


def target_of(task: EditTask) -> ScoreTarget:
    """Return the score that edits are to reach: three in four training faces of the target have it, or go beyond."""
    name, scorer = task.settings.attribute, task.components.scorer
    away = task.settings.towards == "negative"
    value = float(np.quantile(task.domains.target.column(name).astype(np.float64), 1 - _SHARE if away else _SHARE))
    scores, said = task.samples.column(name), is_probability(scorer, name)
    if bool(((scores >= 0) & (scores <= 1)).all()) if said is None else said:
        return ScoreTarget(min(max(value, _LEAST), _MOST), away, "probability")
    return ScoreTarget(value, away, "score")


def search_settings(direction: Direction, response: Response) -> StrengthSettings:
    """Return how strengths along a direction are searched for, with a cap set by what training faces needed.

    Projected photos respond less than the generator's own faces; see `photo_search`.
    """
    settings = photo_search()
    return replace(settings, cap=settings.ranges * (response.strongest() or response.strengths[-1]))


def search_strengths(
    task: EditTask, ws: Tensor, direction: Direction, settings: StrengthSettings, stage: Stage
) -> FaceStrengths:
    """Find the strength at which each photo, from its latent `ws (n, num_ws, w_dim)`, reaches the target.

    The scorer sees the edits as they are shown and measured, rendered at full resolution and reduced: previews score
    differently.
    """
    scorer, generator = task.components.scorer, task.components.generator
    seen = FunctionScorer(
        scorer.names, lambda images: scorer(reduce(images.clamp(-1, 1), task.size)), scorer.fingerprint
    )
    renderer = Renderer(generator, generator.resolution)
    return strength_for(ws, direction, target_of(task), renderer, seen, task.settings.attribute, settings, stage)
