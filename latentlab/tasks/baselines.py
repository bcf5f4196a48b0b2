"""What every method has to beat, and what no method is likely to: nothing, the nearest example, the nearest face."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from latentlab import images
from latentlab.comparison.costs import Stopwatch
from latentlab.comparison.protocol import Method, Task
from latentlab.comparison.run import digest
from latentlab.errors import UserError
from latentlab.perceptual import PerceptualDistance
from latentlab.progress import Stage
from latentlab.projection import Projection, ProjectionSettings, project
from stylegan2.protocol import Generator

# Inputs are compared at this many pixels a side at most, so many of the training set at once.
_SIDE, _AT_ONCE = 64, 16


class Nothing(Method):
    """The floor of an edit: every picture as it is."""

    name = "nothing"

    def fit(self, task: Task, folder: Path, stage: Stage) -> None:
        """Nothing to learn."""
        self._size = task.size

    def apply(self, pictures: Tensor) -> Tensor:
        """See `Method`."""
        return images.resize(pictures, self._size, self._size)


class Retrieval(Method):
    """The floor of a translation: what the nearest input of the training set became, nearest by LPIPS at 64 pixels.

    Parameters
    ----------
    pairs
        Gives the inputs and the outputs of the training set, `(m, 3, size, size)` each in [-1, 1].
    perceptual
        Measures.
    """

    name = "retrieval"

    def __init__(self, pairs: Callable[[], tuple[Tensor, Tensor]], perceptual: PerceptualDistance):
        self.inputs = {"lpips": perceptual.model.pnet_type, "side": _SIDE}
        self._pairs, self._perceptual = pairs, perceptual

    def fit(self, task: Task, folder: Path, stage: Stage) -> None:
        """Nothing to learn: the training set is looked up."""

    @torch.no_grad()
    def apply(self, pictures: Tensor) -> Tensor:
        """See `Method`."""
        inputs, outputs = self._pairs()
        place = next(self._perceptual.parameters()).device
        wanted = self._perceptual.pyramid(_small(pictures).to(place))
        columns = []
        for some in inputs.split(_AT_ONCE):
            known = self._perceptual.pyramid(_small(some).to(place))
            columns.append(
                torch.stack([self._perceptual.between(wanted[[k]], known) for k in range(len(pictures))])  # (n, 16)
            )
        return outputs[torch.cat(columns, dim=1).argmin(dim=1).to(outputs.device)]


def _small(pictures: Tensor) -> Tensor:
    side = min(_SIDE, pictures.shape[3])
    return images.resize(pictures, side, side)


class NearestFace(Method):
    """The face of a generator that comes nearest to a picture: projected into W+ and rendered.

    Parameters
    ----------
    name
        Of the method.
    generator, settings
        What it is projected into, and how.
    of_truth
        Whether the true answer is projected instead of what is given. That is no method, for it sees the answer: it
        is the best that the generator can do.
    """

    def __init__(self, name: str, generator: Generator, settings: ProjectionSettings, of_truth: bool = False):
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
        """Nothing to learn."""
        if self.of_truth and task.truth() is None:
            raise UserError(f"{self.name} projects the true answer, and nobody knows it in this task")
        self._task, self._folder = task, folder / f"held-out-{digest(task.held_out_key)}"

    def prepare(self, pictures: Tensor, stage: Stage) -> float:
        """Project; a search that was stopped goes on."""
        truth = self._task.truth() if self.of_truth else None
        watch = Stopwatch(self._folder / "seconds.json")
        with watch.watching(stage)(f"{self.name}", "step") as step:
            self._found = project(
                pictures if truth is None else truth,
                self.generator,
                self.settings,
                folder=self._folder,
                progress=step,
            )
        watch.note()
        return watch.seconds / len(pictures)

    def apply(self, pictures: Tensor) -> Tensor:
        """Render what was prepared."""
        size = self._task.size
        rendered = (self._found[[k]].render(self.generator).clamp(-1, 1) for k in range(len(pictures)))
        return torch.cat([images.resize(picture, size, size).cpu() for picture in rendered])
