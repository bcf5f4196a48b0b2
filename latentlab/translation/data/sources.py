"""Sources of training data: numbered samples, each augmented anew by a random generator of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from latentlab.translation.data.pixels import PixelFormat
from latentlab.translation.data.transforms import Augmentation, largest_masks

Batch = dict[str, Tensor]
"""Tensors by name: "a" and "b" `(n, c, h, w)`; with instances also "a_masks" and "b_masks" `(n, k, h, w)`."""


class Reader(Protocol):
    """Numbered images, `(1, c, h, w)` in [-1, 1], with the masks of their instances if they have any."""

    @property
    def pixels(self) -> PixelFormat:
        """Channels of the images, and the values of files that become -1 and 1."""

    @property
    def names(self) -> Sequence[str]:
        """Names of the images."""

    def image(self, index: int) -> Tensor:
        """Return an image."""

    def masks(self, index: int) -> Tensor:
        """Return its masks, `(1, n, h, w)` in {-1, 1}."""


class Source(Protocol):
    """A training set."""

    def __len__(self) -> int: ...

    def sample(self, index: int, rng: np.random.Generator | None) -> Batch:
        """Return sample `index` as a batch of 1, placed at random with `rng`, in the middle without it."""

    def describe(self) -> dict[str, Any]:
        """Describe the set, for the cards of the translators trained on it."""


@dataclass(frozen=True)
class Paired:
    """Pairs of images, before and after, which are placed alike, by the size of the first."""

    before: Reader
    after: Reader
    augmentation: Augmentation

    def __len__(self) -> int:
        return len(self.before.names)

    def sample(self, index: int, rng: np.random.Generator | None) -> Batch:
        """See `Source`."""
        before = self.before.image(index)
        placement = self.augmentation.place(before.shape[2], before.shape[3], rng)
        return {"a": placement.image(before), "b": placement.image(self.after.image(index))}

    def describe(self) -> dict[str, Any]:
        """See `Source`."""
        return {
            "kind": "pairs",
            "pairs": len(self),
            "names": digest_of(self.before.names),
            "augmentation": self.augmentation.as_dict(),
            **_unusual_pixels(self.before, self.after),
        }


@dataclass(frozen=True)
class Unpaired:
    """Two sets of images that are not paired; there are as many samples as the larger set has images.

    Attributes
    ----------
    a, b
        The two sets.
    instances
        Number of masks of each image, the largest first; 0 for none.
    """

    a: Reader
    b: Reader
    augmentation: Augmentation
    instances: int = 0

    def __len__(self) -> int:
        return max(len(self.a.names), len(self.b.names))

    def sample(self, index: int, rng: np.random.Generator | None) -> Batch:
        """See `Source`. With `rng` the image of b is a random one."""
        other = index % len(self.b.names) if rng is None else int(rng.integers(len(self.b.names)))
        return {
            **self._one("a", self.a, index % len(self.a.names), rng),
            **self._one("b", self.b, other, rng),
        }

    def _one(self, name: str, reader: Reader, index: int, rng: np.random.Generator | None) -> Batch:
        image = reader.image(index)
        placement = self.augmentation.place(image.shape[2], image.shape[3], rng)
        batch = {name: placement.image(image)}
        if self.instances:
            batch[f"{name}_masks"] = largest_masks(placement.masks(reader.masks(index)), self.instances)
        return batch

    def describe(self) -> dict[str, Any]:
        """See `Source`."""
        return {
            "kind": "instances" if self.instances else "unpaired",
            "a": len(self.a.names),
            "b": len(self.b.names),
            "names": digest_of([*self.a.names, *self.b.names]),
            "augmentation": self.augmentation.as_dict(),
            **_unusual_pixels(self.a, self.b),
        }


def _unusual_pixels(a: Reader, b: Reader) -> dict[str, Any]:
    """Formats of the pixels, for cards, unless both are colour of 8 bits."""
    if a.pixels == b.pixels == PixelFormat():
        return {}
    return {"pixels": {"a": a.pixels.as_dict(), "b": b.pixels.as_dict()}}


def digest_of(names: Sequence[str]) -> str:
    """Return a digest of the names, so that a training does not resume on another set of equal size."""
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]


def collate(samples: Sequence[Batch]) -> Batch:
    """Join samples into a batch."""
    return {name: torch.cat([sample[name] for sample in samples]) for name in samples[0]}


def move_batch(batch: Batch, device: torch.device) -> Batch:
    """Copy a batch to a device, in the memory format that convolutions are fastest with."""
    formats = {name: torch.channels_last if value.ndim == 4 else torch.preserve_format for name, value in batch.items()}
    return {name: value.to(device, memory_format=formats[name]) for name, value in batch.items()}
