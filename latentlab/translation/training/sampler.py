"""Order of the samples in a training: a function of the seed alone, wherever the training resumes.

Epochs follow each other without a break, each in an order of its own, so that the place of a training in its data is
a number, and parallel processes together see what one process would see alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from torch.utils.data import DataLoader, Dataset

from latentlab.training import place_in_order
from latentlab.translation.data.sources import Batch, Source, collate
from latentlab.translation.training.settings import TrainingSettings


@dataclass(frozen=True)
class ShuffledSource(Dataset[Batch]):
    """Endless shuffled epochs of a source.

    Sample number p is the (p % n)th in the order of epoch p // n, augmented by a random generator of its own.
    """

    source: Source
    seed: int

    def __getitem__(self, position: int) -> Batch:
        k = place_in_order(position, len(self.source), self.seed)
        return self.source.sample(k, np.random.default_rng((self.seed, 1, position)))


@dataclass(frozen=True)
class BatchSampler:
    """Batches of one process among several: positions in the shuffled source, from step `start` on."""

    settings: TrainingSettings
    steps: int
    start: int
    rank: int
    processes: int

    def __iter__(self) -> Iterator[list[int]]:
        size = self.settings.batch_size
        for step in range(self.start, self.steps):
            first = step * self.settings.samples_per_step(self.processes)
            for turn in range(self.settings.accumulate):
                begin = first + (turn * self.processes + self.rank) * size
                yield list(range(begin, begin + size))

    def __len__(self) -> int:
        return (self.steps - self.start) * self.settings.accumulate


def load_batches(source: Source, sampler: BatchSampler, workers: int, ahead: bool = False) -> Iterator[Batch]:
    """Yield the batches of a process in order.

    Parameters
    ----------
    source
        The training set.
    sampler
        Positions of each batch.
    workers
        Processes that read ahead; 0 to read in this one.
    ahead
        Whether a thread reads ahead while a GPU works, if there are no such processes. Where the cores that read are
        those that train, it would only get in their way.
    """
    shuffled = ShuffledSource(source, sampler.settings.seed)
    batches = iter(DataLoader(shuffled, batch_sampler=sampler, collate_fn=collate, num_workers=workers))
    return _read_ahead(batches) if ahead and not workers else batches


def _read_ahead(batches: Iterator[Batch], count: int = 2) -> Iterator[Batch]:
    """Yield batches in order, the next `count` of which a thread reads in the meantime."""
    with ThreadPoolExecutor(1) as reader:
        waiting = deque(reader.submit(next, batches, None) for _ in range(count))
        while (batch := waiting.popleft().result()) is not None:
            waiting.append(reader.submit(next, batches, None))
            yield batch
