"""Editing in latent space: a photo's latent is found, moved along a direction, and rendered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit
from torch import Tensor

from latentlab.comparison.caching import digest
from latentlab.comparison.costs import Seconds, Stopwatch
from latentlab.comparison.protocol import Method
from latentlab.directions import Direction, RidgeOnLogit, fit
from latentlab.directions.response import Response
from latentlab.editing import move
from latentlab.errors import UserError
from latentlab.files import read_json, write_json
from latentlab.images import reduce
from latentlab.progress import Stage
from latentlab.projection import DEFAULTS, Projection, project
from latentlab.rendering import Latents, Renderer, rows_of
from latentlab.reprs import ShortRepr
from latentlab.tasks.edit_faces.definition import PROJECTION
from latentlab.tasks.edit_faces.response import Learnt
from latentlab.tasks.edit_faces.search import search_settings, search_strengths
from latentlab.tasks.edit_faces.task import EditTask
from latentlab.work import share_out


@dataclass(frozen=True, eq=False, repr=False)
class Projected(ShortRepr):
    """Latents of photos.

    Attributes
    ----------
    ws
        `(n, num_ws, w_dim)`.
    seconds
        Seconds that each photo took.
    """

    ws: Tensor
    seconds: float


@dataclass(frozen=True, eq=False, repr=False)
class PhotoStrengths(ShortRepr):
    """How far each photo is moved.

    Attributes
    ----------
    strengths
        `(n,)` in the direction's units, with their sign; 0 for a photo whose projection is at the target.
    reached
        `(n,)`: whether the photo reaches the target.
    """

    strengths: NDArray[np.float64]
    reached: NDArray[np.bool_]


@dataclass(frozen=True)
class _Stored:
    """`PhotoStrengths` as JSON holds them."""

    strengths: list[float]
    reached: list[bool]


class Projector:
    """Projects photos into W+, once for all latent methods, and keeps the latents in a folder.

    Parameters
    ----------
    task
        Task whose photos are projected.
    """

    def __init__(self, task: EditTask) -> None:
        self._task = task
        self._settings = DEFAULTS["w+"].shortened(task.settings.projection_steps)
        self._found: Projected | None = None
        self._shared = False

    @property
    def inputs(self) -> dict[str, Any]:
        """What the latents depend on, for JSON."""
        return self._settings.as_dict()

    def __call__(self, photos: Tensor, stage: Stage) -> Projected:
        """Project the task's `photos (n, 3, h, h)`."""
        if self._found is None:
            self._found = self._project(photos, stage)
        return self._found

    def share_out(self, photos: Tensor, stage: Stage) -> None:
        """Have workers, if there are any, project the task's photos once: the latents are then found in the folder."""
        if not self._shared:
            share_out(partial(_projecting, self), torch.split(photos, 1), stage, "projecting photos")
            self._shared = True

    def search(self, photos: Tensor, progress: bool | Stage = True) -> Projection:
        """Search for the latents of photos, or find them in the folder."""
        components = self._task.components
        return project(
            photos,
            components.generator,
            self._settings,
            perceptual=components.fast_perceptual,
            folder=self._task.folder / "projections",
            progress=progress,
        )

    def _project(self, photos: Tensor, stage: Stage) -> Projected:
        folder = self._task.folder / "projections"
        key = digest([self.inputs, self._task.held_out_key])  # photos that were projected before keep their time
        done = folder / f"done-{key}.json"
        watch = Stopwatch(folder / f"seconds-{key}.json")
        found = self.search(photos, stage if done.exists() else watch.watching(stage))
        if not done.exists():
            write_json(done, {"seconds": watch.seconds / len(photos)})
        watch.forget()
        return Projected(found.ws(self._task.components.generator), read_json(done, Seconds).seconds)


def _projecting(projector: Projector, here: None) -> Callable[[Tensor], object]:
    return partial(projector.search, progress=False)


class ProjectionAlone(Method):
    """Baseline of the latent methods: photos projected, and not edited.

    Parameters
    ----------
    projector
        Photos to latents.
    """

    name = PROJECTION

    def __init__(self, projector: Projector) -> None:
        self.projector, self.inputs = projector, {"projection": projector.inputs}
        self._task: EditTask
        self._ws: Tensor

    def fit(self, task: EditTask, folder: Path, stage: Stage) -> None:
        """Learn nothing."""
        self._task = task

    def share_out(self, images: Tensor, stage: Stage) -> None:
        """See `Method`."""
        self.projector.share_out(images, stage)

    def prepare(self, images: Tensor, stage: Stage) -> float:
        """See `Method`."""
        found = self.projector(images, stage)
        self._ws = found.ws
        return found.seconds

    def apply(self, images: Tensor) -> Tensor:
        """See `Method`."""
        return render(self._task, {"ws": self._ws})


class Latent(Method):
    """A direction learnt on the training faces, which each photo follows until the labelling scorer is content.

    Parameters
    ----------
    name
        Name of the method.
    learnt
        The direction.
    projector
        Photos to latents.
    inputs
        What else the direction depends on.

    Attributes
    ----------
    direction, response
        The direction, and the response of training faces to it; known after `fit`.
    """

    def __init__(
        self,
        name: str,
        learnt: Learnt,
        projector: Projector,
        inputs: Mapping[str, Any] | None = None,
    ) -> None:
        self.name, self.learnt, self.projector = name, learnt, projector
        self.inputs = {"method": name, "projection": projector.inputs, "strengths": "each photo", **(inputs or {})}
        self.direction: Direction
        self.response: Response
        self._task: EditTask
        self._folder: Path
        self._stage: Stage
        self._ws: Tensor

    def fit(self, task: EditTask, folder: Path, stage: Stage) -> None:
        """See `Method`."""
        self._task, self._folder = task, folder
        path, stored = folder / "direction.safetensors", folder / "response.json"
        if not stored.exists():
            direction, response = self.learnt(stage)
            direction.save(path)
            write_json(stored, response.to_dict())
        self.direction = Direction.load(path)
        self.response = read_json(stored, Response)

    def share_out(self, images: Tensor, stage: Stage) -> None:
        """See `Method`."""
        self.projector.share_out(images, stage)

    def prepare(self, images: Tensor, stage: Stage) -> float:
        """See `Method`."""
        found = self.projector(images, stage)
        self._ws, self._stage = found.ws, stage
        return found.seconds

    def apply(self, images: Tensor) -> Tensor:
        """See `Method`."""
        return self.at(self.strengths().strengths)

    def strengths(self) -> PhotoStrengths:
        """Find the strengths of the prepared photos, or read those that an earlier run found."""
        path = self._folder / f"strengths-{digest([self.projector.inputs, self._task.held_out_key])}.json"
        if not path.exists():
            settings = search_settings(self.direction, self.response)
            found = search_strengths(self._task, self._ws, self.direction, settings, self._stage)
            kept = {"strengths": found.strengths.tolist(), "reached": found.reached.tolist()}
            write_json(path, kept)
        known = read_json(path, _Stored)
        if {len(known.strengths), len(known.reached)} != {len(self._ws)}:
            raise UserError(f"{path} has not a strength for each of {len(self._ws)} photos; remove it")
        return PhotoStrengths(np.array(known.strengths, dtype=np.float64), np.array(known.reached, dtype=bool))

    def at(self, strengths: NDArray[np.float64]) -> Tensor:
        """Edit the prepared photos with one strength each, `(n,)`: `(n, 3, size, size)`."""
        edits = [(self.direction, torch.from_numpy(strengths).to(self._ws))]
        return render(self._task, move(self._ws, edits, self._task.components.generator))


@torch.no_grad()
def render(task: EditTask, latents: Latents) -> Tensor:
    """Render latents at the task's resolution, one after the other."""
    generator = task.components.generator
    renderer = Renderer(generator, generator.resolution)
    rows = torch.split(torch.arange(len(next(iter(latents.values())))), 1)
    return reduce(torch.cat([renderer(rows_of(latents, row)).clamp(-1, 1).cpu() for row in rows]), task.size)


# --- directions ---------------------------------------------------------------------------------------------


def learn_style(task: EditTask) -> Direction:
    """Find the ten style channels that correlate most with the score's logit."""
    settings, renderer = task.settings, task.renderer
    return fit(task.samples, settings.attribute, "style-correlation", test_share=0, renderer=renderer).direction


def learn_mean(task: EditTask) -> Direction:
    """Find the direction as the difference of means in w."""
    return fit(task.samples, task.settings.attribute, "mean", test_share=0).direction


def learn_svm(task: EditTask) -> Direction:
    """Find the direction as the normal of a linear support vector machine."""
    return fit(task.samples, task.settings.attribute, "svm", test_share=0).direction


def learn_conditional(task: EditTask) -> Direction:
    """Make the SVM's direction orthogonal to those of the task's conditions, as the judge sees the training faces."""
    samples, generator = task.samples, task.components.generator
    logits = _condition_logits(task)
    conditions = [
        Direction.of(RidgeOnLogit().fit(samples.w, expit(column)), samples.w, name, generator=generator.fingerprint)
        for name, column in zip(task.settings.conditions, logits.T, strict=True)
    ]
    return learn_svm(task).orthogonal_to(*conditions, w=samples.w)


@torch.no_grad()
def _condition_logits(task: EditTask) -> NDArray[np.float64]:
    """The judge's logits of the conditions, `(n, k)`, of the generated faces to learn from."""
    judge, renderer = task.judge.of(*task.settings.conditions), task.renderer
    ws = task.samples.ws(task.components.generator.num_ws).to(task.device)
    logits = [judge.logits(renderer(some).clamp(-1, 1)).cpu() for some in torch.split(ws, 4)]
    return torch.cat(logits).double().numpy()
