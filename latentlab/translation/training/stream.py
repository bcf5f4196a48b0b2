"""The samples of a training in their order: a function of the seed alone, wherever one begins.

Epochs follow each other without a break, each in an order of its own, so that the place of a training in its data
is a number, and one process after another, or several beside each other, see what one alone would.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from torch.utils.data import DataLoader, Dataset

from latentlab.translation.data.sources import Batch, Source, collate
from latentlab.translation.training.settings import TrainingSettings


@dataclass(frozen=True)
class Stream(Dataset[Batch]):
    """Sample number p of a training: of epoch p // n, the (p % n)th in its order, augmented by a seed of its own."""

    source: Source
    seed: int

    def __getitem__(self, position: int) -> Batch:
        epoch, k = divmod(position, len(self.source))
        order = _order(len(self.source), self.seed, epoch)
        return self.source.sample(int(order[k]), np.random.default_rng((self.seed, 1, position)))


@lru_cache(maxsize=2)
def _order(count: int, seed: int, epoch: int) -> np.ndarray:
    return np.random.default_rng((seed, 0, epoch)).permutation(count)


@dataclass(frozen=True)
class Share:
    """The batches of one process among several: positions in the stream, from step `start` on."""

    settings: TrainingSettings
    steps: int
    start: int
    rank: int
    processes: int

    def __iter__(self) -> Iterator[list[int]]:
        size = self.settings.batch_size
        for step in range(self.start, self.steps):
            first = step * self.settings.samples_a_step(self.processes)
            for turn in range(self.settings.accumulate):
                begin = first + (turn * self.processes + self.rank) * size
                yield list(range(begin, begin + size))

    def __len__(self) -> int:
        return (self.steps - self.start) * self.settings.accumulate


def batches(source: Source, share: Share, workers: int) -> Iterator[Batch]:
    """The batches of a process, in order, read ahead by `workers` processes; 0: read when they are needed."""
    stream = Stream(source, share.settings.seed)
    return iter(DataLoader(stream, batch_sampler=share, collate_fn=collate, num_workers=workers))
