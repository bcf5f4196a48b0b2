"""What a translator is trained on: numbered samples, each drawn anew from a seed of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from latentlab.translation.data.transforms import Augmentation, Placement, largest_masks

# Tensors of samples by name: "a" and "b" (n, 3, size, size); with instances also "a_masks", "b_masks".
Batch = dict[str, Tensor]


class Reader(Protocol):
    """Numbered pictures, `(1, 3, h, w)` in [-1, 1], with the masks of their instances if they have any."""

    @property
    def names(self) -> Sequence[str]:
        """Of the pictures."""

    def picture(self, index: int) -> Tensor:
        """A picture."""

    def masks(self, index: int) -> Tensor:
        """Its masks, `(1, n, h, w)` in {-1, 1}."""


class Source(Protocol):
    """A training set."""

    def __len__(self) -> int: ...

    def sample(self, index: int, rng: np.random.Generator | None) -> Batch:
        """Sample `index`, augmented at random by `rng`; without one as it is. A batch of 1."""

    def describe(self) -> dict[str, Any]:
        """What it is, for the card of what was trained on it."""


@dataclass(frozen=True)
class Paired:
    """Pictures and what is to become of them, side by side: one placement for both."""

    before: Reader
    after: Reader
    augmentation: Augmentation

    def __len__(self) -> int:
        return len(self.before.names)

    def sample(self, index: int, rng: np.random.Generator | None) -> Batch:
        """See `Source`."""
        placement = _placement(self.augmentation, rng)
        return {
            "a": placement.picture(self.before.picture(index)),
            "b": placement.picture(self.after.picture(index)),
        }

    def describe(self) -> dict[str, Any]:
        """See `Source`."""
        return {"kind": "pairs", "pairs": len(self), "names": _digest(self.before.names)}


@dataclass(frozen=True)
class Unpaired:
    """Pictures of two kinds that have nothing to do with each other: as many samples as the larger set has.

    Attributes
    ----------
    a, b
        The two sets.
    instances
        How many masks each picture brings, the largest; 0 for none.
    """

    a: Reader
    b: Reader
    augmentation: Augmentation
    instances: int = 0

    def __len__(self) -> int:
        return max(len(self.a.names), len(self.b.names))

    def sample(self, index: int, rng: np.random.Generator | None) -> Batch:
        """See `Source`. With `rng` the picture of b is a random one."""
        other = index % len(self.b.names) if rng is None else int(rng.integers(len(self.b.names)))
        return {
            **self._one("a", self.a, index % len(self.a.names), rng),
            **self._one("b", self.b, other, rng),
        }

    def _one(self, name: str, reader: Reader, index: int, rng: np.random.Generator | None) -> Batch:
        placement = _placement(self.augmentation, rng)
        batch = {name: placement.picture(reader.picture(index))}
        if self.instances:
            batch[f"{name}_masks"] = largest_masks(placement.masks(reader.masks(index)), self.instances)
        return batch

    def describe(self) -> dict[str, Any]:
        """See `Source`."""
        counts = {"a": len(self.a.names), "b": len(self.b.names)}
        names = _digest([*self.a.names, *self.b.names])
        return {"kind": "instances" if self.instances else "unpaired", **counts, "names": names}


def _digest(names: Sequence[str]) -> str:
    """Tells apart sets of as many pictures with other names, so that a training does not go on with another set."""
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]


def _placement(augmentation: Augmentation, rng: np.random.Generator | None) -> Placement:
    return Placement.plain(augmentation.size) if rng is None else Placement.draw(augmentation, rng)


def collate(samples: Sequence[Batch]) -> Batch:
    """One batch of many."""
    return {name: torch.cat([sample[name] for sample in samples]) for name in samples[0]}


def moved(batch: Batch, device: torch.device) -> Batch:
    """A batch on a device, in the order of memory that convolutions are quickest in."""
    return {name: value.to(device, memory_format=torch.channels_last) for name, value in batch.items()}
