"""Editing in latent space: a photo's code is found, moved along a direction, and rendered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit
from torch import Tensor

from latentlab import images
from latentlab.comparison.costs import Stopwatch
from latentlab.comparison.protocol import Method
from latentlab.comparison.run import digest
from latentlab.directions import Direction, Finder, LinearSVM, MeanDifference, RidgeOnLogit, conditional
from latentlab.editing import edit, from_sigmas
from latentlab.files import read_json, write_json
from latentlab.progress import Stage
from latentlab.projection import DEFAULTS, project
from latentlab.tasks.edit_faces.faces import renderer_for
from latentlab.tasks.edit_faces.task import EditTask

# Strengths at which the response is sampled, in sigmas of w along the direction; between them it is interpolated.
_SIGMAS = (0.0, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0)
_REACHED = 0.9
CALIBRATION_FACES = 16
"""Training faces of the source on which strengths are calibrated, and translators' responses are taken, at most."""
FLOOR = "projection alone"


@dataclass(frozen=True)
class Response:
    """What the labelling scorer makes of training faces of the source, edited at a series of strengths.

    Attributes
    ----------
    strengths
        From 0 outwards, as distances: without the sign.
    scores
        Their mean scores of the target.
    arrived
        Shares of them that are in the target domain.
    """

    strengths: tuple[float, ...]
    scores: tuple[float, ...]
    arrived: tuple[float, ...]

    def first(self, values: tuple[float, ...], wanted: float) -> float | None:
        """The first strength, between those that were tried, at which `values` reach `wanted`; None if none does."""
        for k, value in enumerate(values):
            if value >= wanted:
                if k == 0:
                    return self.strengths[0]
                part = (wanted - values[k - 1]) / (value - values[k - 1])
                return self.strengths[k - 1] + part * (self.strengths[k] - self.strengths[k - 1])
        return None

    def calibrated(self) -> float:
        """Where nine faces in ten have arrived or, if that never happens, where the most have."""
        reached = self.first(self.arrived, _REACHED)
        return self.strengths[int(np.argmax(self.arrived))] if reached is None else reached


class Learnt:
    """A direction of a task and its response, found once for all methods that build on it.

    Parameters
    ----------
    task
        Whose training faces are learnt from.
    learn
        How.
    """

    def __init__(self, task: EditTask, learn: Callable[[EditTask], Direction]):
        self._task, self._learn = task, learn
        self._found: tuple[Direction, Response] | None = None

    def __call__(self, stage: Stage) -> tuple[Direction, Response]:
        """The direction, and what the labelling scorer makes of it."""
        if self._found is None:
            direction = self._learn(self._task)
            self._found = direction, respond(self._task, direction, stage)
        return self._found


class Projector:
    """Codes in W+ of photos, found once for all latent methods and kept in a folder."""

    def __init__(self, task: EditTask):
        self._task = task
        self._settings = DEFAULTS["w+"].shortened(task.settings.projection_steps)
        self._found: tuple[Tensor, float] | None = None

    @property
    def inputs(self) -> dict[str, Any]:
        """What codes depend on."""
        return self._settings.as_dict()

    def __call__(self, photos: Tensor, stage: Stage) -> tuple[Tensor, float]:
        """ws `(n, num_ws, w_dim)` of the task's `photos (n, 3, h, h)`, and the seconds that each took."""
        if self._found is None:
            self._found = self._project(photos, stage)
        return self._found

    def _project(self, photos: Tensor, stage: Stage) -> tuple[Tensor, float]:
        folder = self._task.folder / "projections"
        key = digest([self.inputs, self._task.held_out_key])  # photos that were projected before keep their time
        done = folder / f"done-{key}.json"
        watch = Stopwatch(folder / f"seconds-{key}.json")
        with watch.watching(stage)("projecting", "step") as step:
            lab = self._task.lab
            found = project(photos, lab.generator, self._settings, perceptual=lab.fast, folder=folder, progress=step)
        if not done.exists():
            write_json(done, {"seconds": watch.seconds / len(photos)})
        return found.ws(lab.generator), float(read_json(done)["seconds"])


class Projected(Method):
    """The floor of the latent methods: photos projected, and not edited.

    Parameters
    ----------
    projector
        Photos to codes.
    """

    name = FLOOR

    def __init__(self, projector: Projector):
        self.projector, self.inputs = projector, {"projection": projector.inputs}
        self._task: EditTask | None = None
        self.ws: Tensor | None = None

    def fit(self, task: EditTask, folder: Path, stage: Stage) -> None:
        """Nothing to learn."""
        self._task = task

    def prepare(self, pictures: Tensor, stage: Stage) -> float:
        """See `Method`."""
        self.ws, seconds = self.projector(pictures, stage)
        return seconds

    def apply(self, pictures: Tensor) -> Tensor:
        """See `Method`."""
        assert self._task is not None and self.ws is not None
        return render(self._task, self.ws)


class Latent(Method):
    """A direction learnt on the training faces, gone along as far as most of them need to change.

    Parameters
    ----------
    name
        Of the method.
    learnt
        The direction.
    projector
        Photos to codes.
    inputs
        What else the direction depends on.
    """

    def __init__(
        self,
        name: str,
        learnt: Learnt,
        projector: Projector,
        inputs: Mapping[str, Any] | None = None,
    ):
        self.name, self.learnt, self.projector = name, learnt, projector
        self.inputs = {"method": name, "projection": projector.inputs, **(inputs or {})}
        self.direction: Direction
        self.response: Response
        self._task: EditTask
        self.ws: Tensor

    def fit(self, task: EditTask, folder: Path, stage: Stage) -> None:
        """See `Method`."""
        self._task = task
        path, told = folder / "direction.safetensors", folder / "response.json"
        if not told.exists():
            direction, response = self.learnt(stage)
            direction.save(path)
            write_json(told, {name: list(values) for name, values in vars(response).items()})
        self.direction = Direction.load(path)
        self.response = Response(**{name: tuple(values) for name, values in read_json(told).items()})

    def prepare(self, pictures: Tensor, stage: Stage) -> float:
        """See `Method`."""
        self.ws, seconds = self.projector(pictures, stage)
        return seconds

    def apply(self, pictures: Tensor) -> Tensor:
        """See `Method`."""
        return self.at(self.response.calibrated())

    def at(self, strength: float) -> Tensor:
        """The prepared photos edited at a strength towards the target, `(n, 3, size, size)`."""
        return render(self._task, edit(self.ws, self.direction, self._task.sign * strength))


@torch.no_grad()
def render(task: EditTask, ws: Tensor) -> Tensor:
    """Pictures of codes at the task's size, one after the other."""
    pictures = [task.lab.generator.synthesis(row).clamp(-1, 1).cpu() for row in ws.split(1)]
    return images.reduce(torch.cat(pictures), task.size)


@torch.no_grad()
def respond(task: EditTask, direction: Direction, stage: Stage) -> Response:
    """The response of training faces of the source to a direction."""
    rows = task.domains.source.subset(np.arange(min(CALIBRATION_FACES, len(task.domains.source))))
    ws, renderer = rows.ws(task.lab.generator.num_ws).to(task.place), renderer_for(task.settings, task.lab)
    strengths = [from_sigmas(direction, sigmas) for sigmas in _SIGMAS]
    scores, arrived = [], []
    with stage("calibrating") as step:
        for k, strength in enumerate(strengths):
            edited = edit(ws, direction, task.sign * strength)
            pictures = torch.cat([renderer(row).clamp(-1, 1).cpu() for row in edited.split(4)])
            pictures = images.resize(pictures, task.size, task.size)
            scores.append(float(task.score(pictures).mean()))
            arrived.append(float(task.arrived(pictures).mean()))
            step((k + 1) * len(ws), len(strengths) * len(ws))
    return Response(tuple(strengths), tuple(scores), tuple(arrived))


# --- directions ---------------------------------------------------------------------------------------------


def learn(finder: Callable[[], Finder], task: EditTask) -> Direction:
    """The direction of the task's attribute on its training faces."""
    samples = task.samples
    fitted = finder().fit(samples.w, samples.is_positive(task.settings.attribute))  # type: ignore[attr-defined]
    lab = task.lab
    return Direction.of(
        fitted,
        samples.w,
        task.settings.attribute,
        generator=lab.generator.fingerprint,
        scorer=lab.scorer.fingerprint,
    )


def learn_mean(task: EditTask) -> Direction:
    """The difference of the two domains' means of w."""
    return learn(MeanDifference, task)


def learn_svm(task: EditTask) -> Direction:
    """The normal of a linear support vector machine."""
    return learn(LinearSVM, task)


def learn_conditional(task: EditTask) -> Direction:
    """The SVM's direction made orthogonal to those of the task's conditions, as the judge sees the training faces.

    Its sigma, which strengths are counted in, is that of the training faces along it.
    """
    samples, lab = task.samples, task.lab
    logits = _condition_logits(task)
    conditions = [
        Direction.of(RidgeOnLogit().fit(samples.w, expit(column)), samples.w, name, generator=lab.generator.fingerprint)
        for name, column in zip(task.settings.conditions, logits.T, strict=True)
    ]
    found = conditional(learn_svm(task), conditions)
    return replace(found, sigma=float((samples.w @ found.vector).std()))


@torch.no_grad()
def _condition_logits(task: EditTask) -> NDArray[np.float64]:
    """The judge's logits of the conditions, `(n, k)`, of the generated faces to learn from."""
    judge, renderer = task.lab.judge.of(*task.settings.conditions), renderer_for(task.settings, task.lab)
    ws = task.samples.ws(task.lab.generator.num_ws).to(task.place)
    return torch.cat([judge.logits(renderer(some).clamp(-1, 1)).cpu() for some in ws.split(4)]).double().numpy()
