"""Tasks whose answers are known: pairs of pictures, some to learn from and some held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from latentlab import images
from latentlab.comparison.protocol import Columns, Figure
from latentlab.errors import UserError
from latentlab.faces.identity import FaceDescriptor, similarity
from latentlab.metrics import Interval, difference_outside, sharpness
from latentlab.perceptual import PerceptualDistance
from latentlab.progress import Stage
from latentlab.tasks import likeness
from latentlab.tasks.baselines import Retrieval
from latentlab.tasks.building import fingerprint
from latentlab.tasks.measuring import as_array, enlarged
from latentlab.translation.data.folders import ImageFiles, Order, pairs_in
from latentlab.translation.data.sources import Paired, Source, Unpaired
from latentlab.translation.data.transforms import Augmentation

_IDENTITY = Figure("identity", "identity of the true face", "more")
_AT_ONCE = 16
# Fewer have no distance as sets.
_LEAST_HELD_OUT = 2
TRAINED_ONCE = "Each method was trained once: intervals are over pictures, 95 %."


@dataclass(frozen=True)
class Pairs:
    """Pictures and what they are to become, in files."""

    before: ImageFiles
    after: ImageFiles

    def __len__(self) -> int:
        return len(self.before.paths)

    def first(self, count: int) -> Pairs:
        """The first of them, at most `count`."""
        return Pairs(*(replace(files, paths=files.paths[:count]) for files in (self.before, self.after)))

    def tensors(self, size: int) -> tuple[Tensor, Tensor]:
        """Both, `(n, 3, size, size)` in [-1, 1], resized as they are to train on."""
        before, after = (
            torch.cat([images.resize(files.image(k), size, size) for k in range(len(self))])
            for files in (self.before, self.after)
        )
        return before, after

    def key(self, size: int) -> dict[str, Any]:
        """What they are, for JSON."""
        return {
            "pairs": len(self),
            "given": self.before.half,
            "files": fingerprint(self.before.paths),
            "size": size,
        }


class PairedTask:
    """Pictures whose true answer is known; see `Task`.

    Parameters
    ----------
    title, folder, size, limits
        As the task has them.
    training, held_out
        To learn from; to be judged on, two at least.
    perceptual
        LPIPS, and the features of KID and FID.
    descriptor
        Tells who it is, where the pictures are faces.

    Attributes
    ----------
    training, perceptual
        As given.

    Raises
    ------
    UserError
        There are too few pairs.
    """

    def __init__(
        self,
        title: str,
        folder: Path,
        size: int,
        limits: str,
        training: Pairs,
        held_out: Pairs,
        perceptual: PerceptualDistance,
        descriptor: FaceDescriptor | None = None,
    ):
        if len(training) < 1 or len(held_out) < _LEAST_HELD_OUT:
            raise UserError(
                f"it takes a pair to learn from and {_LEAST_HELD_OUT} held out at least, "
                f"not {len(training)} and {len(held_out)}"
            )
        self.title, self.folder, self.size = title, folder, size
        self.limits = f"{limits} {likeness.LIMITS}"
        self.training, self.perceptual = training, perceptual
        self.names: Sequence[str] = held_out.before.names
        self.training_key: Mapping[str, Any] = training.key(size)
        self.held_out_key: Mapping[str, Any] = held_out.key(size)
        self.figures: Sequence[Figure] = (
            Figure("lpips", "LPIPS to the truth (VGG16)", "less"),
            Figure("l1", "L1 to the truth", "less"),
            *([] if descriptor is None else [_IDENTITY]),
            *likeness.FIGURES,
            Figure("sharpness", "sharpness, as a share of the truth's", "neither"),
        )
        self._held_out, self._descriptor = held_out, descriptor

    @cached_property
    def _pairs(self) -> tuple[Tensor, Tensor]:
        return self._held_out.tensors(self.size)

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
    def place(self) -> torch.device:
        """See `Task`: where `perceptual` is."""
        return next(self.perceptual.parameters()).device

    def measure(self, made: Tensor) -> Columns:
        """See `Task`."""
        truth = self.truth()
        with torch.no_grad():
            batches = zip(made.to(self.place).split(_AT_ONCE), truth.to(self.place).split(_AT_ONCE), strict=True)
            distance = torch.cat([self.perceptual(one, other).cpu() for one, other in batches])
        sharp = sharpness(truth)
        columns = {
            "lpips": distance,
            "l1": difference_outside(truth, made, torch.zeros(1, 1, self.size, self.size)),
            "sharpness": torch.where(sharp > 0, sharpness(made) / sharp, torch.nan),
        }
        if self._descriptor is not None:
            columns["identity"] = similarity(self._descriptor(enlarged(truth)), self._descriptor(enlarged(made)))
        return {name: as_array(values) for name, values in columns.items()}

    def over_all(self, made: Tensor) -> dict[str, Interval]:
        """KID and FID to the true answers."""
        return likeness.likeness(self.perceptual, made, self.truth())

    def paired(self, stage: Stage) -> Source:
        """The training set, for a translator that learns from pairs."""
        return Paired(self.training.before, self.training.after, Augmentation.for_resolution(self.size))

    def unpaired(self, stage: Stage) -> Source:
        """The same pictures, for a translator that is not told which belong together."""
        return Unpaired(self.training.before, self.training.after, Augmentation.for_resolution(self.size))

    def retrieval(self) -> Retrieval:
        """The floor: the answer of the nearest training input."""
        return Retrieval(lambda: self.training.tensors(self.size), self.perceptual)


def opened(folder: Path, order: Order) -> Pairs:
    """The pairs side by side in a folder; UserError if one cannot be read."""
    found = pairs_in(folder, order, "error")
    return Pairs(found.before, found.after)
