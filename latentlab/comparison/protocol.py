"""What is compared, and on what: a task, and the methods that learn from it and then meet images they never saw."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from latentlab.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import Tensor

    from latentlab.metrics import Interval
    from latentlab.progress import Stage

__all__ = ["Columns", "Measure", "Method", "Task"]

Columns: TypeAlias = "dict[str, NDArray[np.float64]]"
"""Values of each image, `(n,)`, by the name of the measure."""


@dataclass(frozen=True)
class Measure:
    """A quantity that a comparison reports.

    Attributes
    ----------
    name
        Column name in tables of data.
    title
        Name for readers.
    better
        Whether 'more' or 'less' of it is better; 'neither' where it is reported without a judgement.
    share
        Whether the value of each image is 1 or 0, so that the mean is a share.
    unknown
        Why an image may have no value, such as 'no face is found'; empty where each has one.
    """

    name: str
    title: str
    better: Literal["more", "less", "neither"]
    share: bool = False
    unknown: str = ""


class Task(Protocol):
    """Images to learn from, held-out images, and measures of the results. Members may be plain attributes.

    A task may also have `labels`, `(n,)`: what the report calls the held-out images; by default their names.
    """

    @property
    def title(self) -> str:
        """Heading of the report, without a full stop."""

    @property
    def folder(self) -> Path:
        """Folder of the comparison."""

    @property
    def size(self) -> int:
        """Resolution of the images that methods return."""

    @property
    def device(self) -> torch.device:
        """Device of the networks; images are passed to methods, and returned, on the CPU."""

    @property
    def measures(self) -> Sequence[Measure]:
        """What is measured, in the order of the table."""

    @property
    def names(self) -> Sequence[str]:
        """Names of the held-out images."""

    @property
    def training_key(self) -> Mapping[str, Any]:
        """JSON that identifies the training set: what was learnt under another key is not used again."""

    @property
    def held_out_key(self) -> Mapping[str, Any]:
        """JSON that identifies the held-out set: results made under another key are not used again."""

    @property
    def limits(self) -> str:
        """What a reader has to know before believing the numbers, in sentences."""

    def inputs(self) -> Tensor:
        """Return what the methods are given, `(n, 3, h, h)` in [-1, 1]."""

    def shown(self) -> Tensor:
        """Return the inputs as the report shows them, `(n, 3, size, size)`."""

    def truth(self) -> Tensor | None:
        """Return the true answers `(n, 3, size, size)`, or None where there is no ground truth."""

    def measure(self, made: Tensor) -> Columns:
        """Return the values of each image that a method made, `made (n, 3, size, size)`; NaN where there is none."""

    def measure_set(self, made: Tensor) -> dict[str, Interval]:
        """Return measures that only a set of images has."""


class Method(ABC):
    """A way to do a task. A method of your own is a class with a `name`, `fit` and `apply`.

    Attributes
    ----------
    name
        Name in tables and folders.
    inputs
        JSON of what the results depend on besides the task: with other inputs, the method learns anew.
    given
        File of the trained model that it was given, see `use_model`; None if it does the learning itself.
    training_note
        How it was trained, for readers; empty for a method without a training.
    """

    name: str
    inputs: Mapping[str, Any] = {}
    given: Path | None = None
    training_note: str = ""

    def use_model(self, path: Path) -> None:
        """Take a trained model from a file, which becomes `given`, and learn nothing.

        Raises
        ------
        UserError
            If this method has no model that a file could hold, or the file holds another kind.
        """
        raise UserError(f"{self.name} takes no trained model: take {path} out, or choose other methods")

    @abstractmethod
    def fit(self, task: Any, folder: Path, stage: Stage) -> None:
        """Learn from the task and keep the result in `folder`; if it is there already, load it instead.

        It is called in every run, including those after a stop.
        """

    def share_out(self, images: Tensor, stage: Stage) -> None:  # noqa: B027 - most methods share nothing
        """Give workers, if there are any, what several methods share; called before any of them learns.

        See `latentlab.work.share_out`. `prepare` does what is not shared out.
        """

    def prepare(self, images: Tensor, stage: Stage) -> float:
        """Find what several methods share, such as latents of photos; return the seconds it took for each image."""
        return 0.0

    @abstractmethod
    def apply(self, images: Tensor) -> Tensor:
        """Turn held-out images `(n, 3, h, h)` in [-1, 1] into results `(n, 3, size, size)`."""
