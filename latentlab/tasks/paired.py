"""Tasks whose answers are known: pairs of images, some to learn from and some held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from latentlab.comparison.caching import files_digest
from latentlab.comparison.protocol import Columns, Measure
from latentlab.errors import UserError
from latentlab.faces.identity import FaceDescriptor, why_undescribed
from latentlab.images import resize
from latentlab.metrics import LPIPS, Identity, ImageMetric, Interval, OutsideChange, Sharpness
from latentlab.metrics.identity import LEAST_RESOLUTION
from latentlab.perceptual import PerceptualDistance
from latentlab.progress import Stage
from latentlab.tasks.baselines import Retrieval
from latentlab.tasks.distributions import LIMITS as DISTRIBUTION_LIMITS
from latentlab.tasks.distributions import MEASURES as DISTRIBUTION_MEASURES
from latentlab.tasks.distributions import DistributionMetrics
from latentlab.translation.data.folders import ImageFiles, Order, Reading, pairs_in
from latentlab.translation.data.sources import Paired, Source, Unpaired
from latentlab.translation.data.transforms import Augmentation

# Fewer have no distance as sets.
_LEAST_HELD_OUT = 2
TRAINED_ONCE = "Each method was trained once: intervals are over images, 95 %."


@dataclass(frozen=True)
class Pairs:
    """Files of images and of what they are to become.

    Attributes
    ----------
    before, after
        Inputs, and their true answers.
    """

    before: ImageFiles
    after: ImageFiles

    def __len__(self) -> int:
        return len(self.before.paths)

    def first(self, count: int) -> Pairs:
        """Return the first pairs, at most `count`."""
        return Pairs(*(replace(files, paths=files.paths[:count]) for files in (self.before, self.after)))

    def tensors(self, size: int) -> tuple[Tensor, Tensor]:
        """Load inputs and answers, `(n, 3, size, size)` each in [-1, 1], resized as they are for training."""
        before, after = (
            torch.cat([resize(files.image(k), size, size) for k in range(len(self))])
            for files in (self.before, self.after)
        )
        return before, after

    def key(self, size: int) -> dict[str, Any]:
        """Return what identifies the pairs, for JSON."""
        return {
            "pairs": len(self),
            "given": self.before.half,
            "files": files_digest(self.before.paths),
            "size": size,
        }


@dataclass(frozen=True)
class PairedTaskText:
    """What the report says about a task.

    Attributes
    ----------
    title, limits
        See `Task`.
    """

    title: str
    limits: str


class PairedTask:
    """Images whose true answer is known; see `Task`.

    Parameters
    ----------
    text
        Title and limits.
    folder, size
        See `Task`.
    training, held_out
        Pairs to learn from; pairs to be judged on, at least two.
    perceptual
        LPIPS with VGG16, also used for the features of the distribution metrics.
    descriptor
        Face descriptor, where the images are faces.

    Attributes
    ----------
    training, perceptual
        As given.
    labels
        See `Task`.

    Raises
    ------
    UserError
        If there are too few pairs.
    """

    def __init__(
        self,
        text: PairedTaskText,
        folder: Path,
        size: int,
        training: Pairs,
        held_out: Pairs,
        perceptual: PerceptualDistance,
        descriptor: FaceDescriptor | None = None,
    ) -> None:
        if len(training) < 1 or len(held_out) < _LEAST_HELD_OUT:
            raise UserError(
                f"the task takes at least a pair to learn from and {_LEAST_HELD_OUT} held out, "
                f"not {len(training)} and {len(held_out)}"
            )
        self.title, self.limits = text.title, f"{text.limits} {DISTRIBUTION_LIMITS}"
        self.folder, self.size = folder, size
        self.training, self.perceptual = training, perceptual
        self.names: Sequence[str] = held_out.before.names
        self.labels: Sequence[str] = self.names
        self.training_key: Mapping[str, Any] = training.key(size)
        self.held_out_key: Mapping[str, Any] = held_out.key(size)
        self.measures: Sequence[Measure] = (
            Measure("lpips", "LPIPS to the truth (VGG16)", "less"),
            Measure("l1", "L1 to the truth", "less"),
            *([] if descriptor is None else [_identity(size)]),
            *DISTRIBUTION_MEASURES,
            Measure("sharpness", "sharpness, as a share of the truth's", "neither", unknown=Sharpness.unknown),
        )
        self._held_out = held_out
        self._metrics: dict[str, ImageMetric] = {
            "lpips": LPIPS(perceptual),
            "l1": OutsideChange(),
            "sharpness": Sharpness(),
        }
        if descriptor is not None:
            self._metrics["identity"] = Identity(descriptor)

    @cached_property
    def _pairs(self) -> tuple[Tensor, Tensor]:
        return self._held_out.tensors(self.size)

    @cached_property
    def _distributions(self) -> DistributionMetrics:
        return DistributionMetrics(self.perceptual, self.truth())

    def inputs(self) -> Tensor:
        """See `Task`: `(n, 3, size, size)`."""
        return self._pairs[0]

    def shown(self) -> Tensor:
        """See `Task`."""
        return self._pairs[0]

    def truth(self) -> Tensor:
        """See `Task`."""
        return self._pairs[1]

    @property
    def device(self) -> torch.device:
        """See `Task`: that of `perceptual`."""
        return next(self.perceptual.parameters()).device

    def measure(self, made: Tensor) -> Columns:
        """See `Task`."""
        truth = self.truth()
        return {name: metric.per_image(truth, made) for name, metric in self._metrics.items()}

    def measure_set(self, made: Tensor) -> dict[str, Interval]:
        """See `Task`: kernel and Fréchet distance to the true answers."""
        return self._distributions.measure(made)

    def paired(self, stage: Stage) -> Source:
        """Open the training set for a translator that learns from pairs."""
        return Paired(self.training.before, self.training.after, Augmentation.for_resolution(self.size))

    def unpaired(self, stage: Stage) -> Source:
        """Open the training set for a translator that is not told which images belong together."""
        return Unpaired(self.training.before, self.training.after, Augmentation.for_resolution(self.size))

    def retrieval(self) -> Retrieval:
        """Construct the baseline: the answer to the nearest training input."""
        return Retrieval(lambda: self.training.tensors(self.size), self.perceptual)


def _identity(size: int) -> Measure:
    unknown = why_undescribed(size, LEAST_RESOLUTION) or Identity.unknown
    return Measure("identity", "identity of the true face", "more", unknown=unknown)


def open_folder(folder: Path, order: Order) -> Pairs:
    """Open the pairs side by side in a folder.

    Raises
    ------
    UserError
        If one cannot be read.
    """
    found = pairs_in(folder, Reading(order))
    return Pairs(found.before, found.after)
