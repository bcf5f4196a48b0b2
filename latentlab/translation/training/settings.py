"""What decides about a training, but the method and the data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from latentlab.errors import UserError

Precision = Literal["32-true", "bf16-mixed"]


@dataclass(frozen=True)
class TrainingSettings:
    """Defaults are those of pix2pix and CycleGAN (sections 6.2 and 7.1 of the papers).

    Attributes
    ----------
    epochs
        Passes through the data.
    decay
        The share of the steps, at the end, over which the learning rate falls linearly to 0.
    batch_size
        Samples a forward pass, of each process.
    accumulate
        Forward passes a step, their gradients averaged: a step sees `batch_size` · `accumulate` · processes samples.
    learning_rate, betas
        Of Adam, for every player.
    ema
        Decay a step of the mean of the generators' weights, which is what is kept in the end; 0: the last weights.
    precision
        'bf16-mixed' halves the time of the convolutions where the hardware has it.
    seed
        Of all that is random: weights, order, augmentation, dropout, pools.
    """

    epochs: float = 200
    decay: float = 0.5
    batch_size: int = 1
    accumulate: int = 1
    learning_rate: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)
    ema: float = 0.0
    precision: Precision = "32-true"
    seed: int = 0

    def __post_init__(self) -> None:
        if not (self.epochs > 0 and self.batch_size >= 1 and self.accumulate >= 1 and self.learning_rate > 0):
            raise UserError(
                "a training takes more than 0 epochs, a batch of 1, 1 forward pass a step and a positive learning "
                f"rate at least, unlike {self}"
            )
        if not (0 <= self.decay <= 1 and 0 <= self.ema < 1):
            raise UserError(f"decay lies in 0 … 1 and ema in 0 … 1, 1 excluded, not {self.decay:g} and {self.ema:g}")
        if self.precision not in get_args(Precision):
            raise UserError(f"precision is one of {', '.join(get_args(Precision))}, not {self.precision!r}")

    def steps_for(self, samples: int, processes: int) -> int:
        """Steps in all, for a set of `samples`."""
        return max(1, math.ceil(self.epochs * samples / self.samples_a_step(processes)))

    def samples_a_step(self, processes: int) -> int:
        """Samples a step, over all processes."""
        return self.batch_size * self.accumulate * processes

    def learning_rate_at(self, step: int, steps: int) -> float:
        """Learning rate of `step` (0 … steps − 1)."""
        left = (steps - step) / (self.decay * steps) if self.decay else 1.0
        return self.learning_rate * min(1.0, left)
