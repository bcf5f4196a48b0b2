"""Baselines that every method should beat, and oracles that see the answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from latentlab.comparison.caching import digest
from latentlab.comparison.costs import Stopwatch
from latentlab.comparison.protocol import Method, Task
from latentlab.errors import UserError
from latentlab.images import resize
from latentlab.perceptual import PerceptualDistance
from latentlab.progress import Stage, titled
from latentlab.projection import Projection, ProjectionSettings, project
from stylegan2.protocol import Generator

# Inputs are compared at this resolution at most, with this many of the training set at once.
_RESOLUTION, _AT_ONCE = 64, 16


class Nothing(Method):
    """Baseline for an edit: every image unchanged."""

    name = "nothing"

    def fit(self, task: Task, folder: Path, stage: Stage) -> None:
        """Learn nothing."""
        self._size = task.size

    def apply(self, images: Tensor) -> Tensor:
        """See `Method`."""
        return resize(images, self._size, self._size)


class Retrieval(Method):
    """Baseline for a translation: the answer to the training input that is nearest by LPIPS at 64 pixels.

    Parameters
    ----------
    pairs
        Returns the inputs and the outputs of the training set, `(m, 3, size, size)` each in [-1, 1].
    perceptual
        Perceptual distance.
    """

    name = "retrieval"

    def __init__(self, pairs: Callable[[], tuple[Tensor, Tensor]], perceptual: PerceptualDistance) -> None:
        self.inputs = {"lpips": perceptual.model.pnet_type, "side": _RESOLUTION}
        self._pairs, self._perceptual = pairs, perceptual

    def fit(self, task: Task, folder: Path, stage: Stage) -> None:
        """Learn nothing: the training set is looked up."""

    @torch.no_grad()
    def apply(self, images: Tensor) -> Tensor:
        """See `Method`."""
        inputs, outputs = self._pairs()
        device = next(self._perceptual.parameters()).device
        wanted = self._perceptual.pyramid(_small(images).to(device))
        columns = []
        for some in torch.split(inputs, _AT_ONCE):
            known = self._perceptual.pyramid(_small(some).to(device))
            columns.append(self._perceptual.between_all(wanted, known))  # (n, 16)
        return outputs[torch.cat(columns, dim=1).argmin(dim=1).to(outputs.device)]


def _small(images: Tensor) -> Tensor:
    resolution = min(_RESOLUTION, images.shape[3])
    return resize(images, resolution, resolution)


class NearestFace(Method):
    """The face of a generator that is nearest to an image: projected into W+ and rendered.

    Parameters
    ----------
    name
        Name of the method.
    generator, settings
        Generator it is projected into, and settings of the projection.
    of_truth
        Whether the true answer is projected instead of the input. That is an oracle, not a method, because it sees the
        answer: it shows the best that the generator can do.
    """

    def __init__(self, name: str, generator: Generator, settings: ProjectionSettings, of_truth: bool = False) -> None:
        self.name, self.generator, self.settings, self.of_truth = name, generator, settings, of_truth
        self.inputs = {
            "generator": generator.fingerprint,
            "settings": settings.as_dict(),
            "projected": "truth" if of_truth else "input",
        }
        self._task: Task
        self._folder: Path
        self._found: Projection

    def fit(self, task: Task, folder: Path, stage: Stage) -> None:
        """Learn nothing.

        Raises
        ------
        UserError
            If the true answer is to be projected and the task has no ground truth.
        """
        if self.of_truth and task.truth() is None:
            raise UserError(f"{self.name} projects the true answer, and this task has no ground truth")
        self._task, self._folder = task, folder / f"held-out-{digest(task.held_out_key)}"

    def prepare(self, images: Tensor, stage: Stage) -> float:
        """Project the images; a search that was stopped resumes."""
        truth = self._task.truth() if self.of_truth else None
        watch = Stopwatch(self._folder / "seconds.json")
        self._found = project(
            images if truth is None else truth,
            self.generator,
            self.settings,
            folder=self._folder,
            progress=titled(watch.watching(stage), self.name),
        )
        watch.note()
        return watch.seconds / len(images)

    def apply(self, images: Tensor) -> Tensor:
        """Render what was prepared."""
        size = self._task.size
        rendered = (self._found[[k]].render(self.generator).clamp(-1, 1) for k in range(len(images)))
        return torch.cat([resize(image, size, size).cpu() for image in rendered])
