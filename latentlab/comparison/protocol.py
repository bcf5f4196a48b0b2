"""What is compared, and on what: a task, and the methods that learn from it and then meet pictures they never saw."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab.metrics import Interval
from latentlab.progress import Stage

Columns = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Figure:
    """Something that is measured.

    Attributes
    ----------
    name, title
        In tables of data, and for readers.
    better
        Whether more of it is better, or less; 'neither' where it is told without a judgement.
    share
        Whether it is 1 or 0 of every picture, so that its mean is a share.
    """

    name: str
    title: str
    better: Literal["more", "less", "neither"]
    share: bool = False


class Task(Protocol):
    """Pictures to learn from, others to be judged on, and what is measured of the results. Fields may be plain."""

    @property
    def title(self) -> str:
        """What is asked for, without a full stop."""

    @property
    def folder(self) -> Path:
        """Where the comparison lies."""

    @property
    def size(self) -> int:
        """Side of the pictures that methods give back."""

    @property
    def place(self) -> torch.device:
        """Where networks are to work; pictures come and go on the CPU."""

    @property
    def figures(self) -> Sequence[Figure]:
        """What is measured, in the order of the table."""

    @property
    def names(self) -> Sequence[str]:
        """Of the held-out pictures."""

    @property
    def training_key(self) -> Mapping[str, Any]:
        """What the training set is, for JSON: what was learnt under another key is not used again."""

    @property
    def held_out_key(self) -> Mapping[str, Any]:
        """What the held-out set is: what was made under another key is not used again."""

    @property
    def limits(self) -> str:
        """What a reader has to know before believing the figures, in sentences."""

    def inputs(self) -> Tensor:
        """What the methods are given, `(n, 3, h, h)` in [-1, 1]."""

    def shown(self) -> Tensor:
        """The same as the report shows it, `(n, 3, size, size)`."""

    def truth(self) -> Tensor | None:
        """What should come out, `(n, 3, size, size)`, where that is known."""

    def measure(self, made: Tensor) -> Columns:
        """Figures of every picture, `(n,)` each, of what a method made `(n, 3, size, size)`; NaN: there is none."""

    def over_all(self, made: Tensor) -> dict[str, Interval]:
        """Figures that only a set of pictures has."""


class Method(ABC):
    """A way to do a task. One of your own is a class with a `name`, `fit` and `apply`.

    Attributes
    ----------
    name
        What it is called in tables and folders.
    inputs
        What its results depend on beside the task, for JSON: with others it learns anew.
    """

    name: str
    inputs: Mapping[str, Any] = {}

    @abstractmethod
    def fit(self, task: Any, folder: Path, stage: Stage) -> None:
        """Learn from the task, keep it in `folder`, and find it there again: after a stop, and for every new run."""

    def prepare(self, pictures: Tensor, stage: Stage) -> float:
        """Find what several methods share, such as codes of photos; the seconds that took for each picture."""
        return 0.0

    @abstractmethod
    def apply(self, pictures: Tensor) -> Tensor:
        """Held-out pictures `(n, 3, h, h)` in [-1, 1] to what becomes of them, `(n, 3, size, size)`."""
