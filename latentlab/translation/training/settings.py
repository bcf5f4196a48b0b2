"""Settings of a training."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from latentlab.errors import UserError

Precision = Literal["32-true", "bf16-mixed"]


@dataclass(frozen=True)
class RunOptions:
    """Options of a run that do not change its result.

    Attributes
    ----------
    workers
        Processes that read images; 0 to read them in the process that trains.
    log_every, sample_every
        Steps between rows of the history, and between grids of samples.
    tensorboard
        Whether losses and grids are also written for TensorBoard (needs the package `tensorboard`).
    """

    workers: int = 0
    log_every: int = 20
    sample_every: int = 500
    tensorboard: bool = False


@dataclass(frozen=True)
class TrainingSettings:
    """Settings that determine the result of a training, besides the method and the data.

    The defaults are those of pix2pix and CycleGAN (sections 6.2 and 7.1 of the papers).

    Attributes
    ----------
    epochs
        Passes through the data.
    decay
        Share of the steps, at the end, over which the learning rate falls linearly to 0.
    batch_size
        Samples per forward pass of each process.
    accumulate
        Forward passes per step, whose gradients are averaged: a step sees `batch_size` · `accumulate` · processes
        samples.
    learning_rate, betas
        Learning rate and betas of the optimisers, all of which are Adam.
    discriminator_rate
        Learning rate of the discriminators in units of `learning_rate`; a value other than 1 is the two time-scale
        update rule (Heusel et al. 2017, "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash
        Equilibrium").
    ema
        Decay per step of the exponential moving average of the generators' weights, which is kept in the end; 0 keeps
        the last weights. The decay rises to this value in the first steps, as (1 + step) / (10 + step).
    precision
        'bf16-mixed' computes the convolutions in bfloat16, which is faster where the hardware has it.
    seed
        Random seed of weights, order, augmentation, dropout and pools.
    """

    epochs: float = 200
    decay: float = 0.5
    batch_size: int = 1
    accumulate: int = 1
    learning_rate: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)
    discriminator_rate: float = 1.0
    ema: float = 0.0
    precision: Precision = "32-true"
    seed: int = 0

    def __post_init__(self) -> None:
        if not (self.epochs > 0 and self.batch_size >= 1 and self.accumulate >= 1 and self._rates_are_positive):
            raise UserError(
                "a training takes more than 0 epochs, a batch of 1, 1 forward pass per step and positive learning "
                f"rates at least, unlike {self}"
            )
        if not (0 <= self.decay <= 1 and 0 <= self.ema < 1):
            raise UserError(f"decay lies in 0 … 1 and ema in 0 … 1, 1 excluded, not {self.decay:g} and {self.ema:g}")
        if self.precision not in get_args(Precision):
            raise UserError(f"precision is one of {', '.join(get_args(Precision))}, not {self.precision!r}")

    @property
    def _rates_are_positive(self) -> bool:
        return self.learning_rate > 0 and self.discriminator_rate > 0

    def as_dict(self) -> dict[str, Any]:
        """Return the settings as JSON holds them."""
        found: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return found

    def steps_for(self, samples: int, processes: int) -> int:
        """Return the number of steps for a set of `samples`."""
        return max(1, math.ceil(self.epochs * samples / self.samples_per_step(processes)))

    def samples_per_step(self, processes: int) -> int:
        """Return the samples per step, over all processes."""
        return self.batch_size * self.accumulate * processes

    def learning_rate_at(self, step: int, steps: int) -> float:
        """Return the learning rate of `step` (0 … steps − 1)."""
        left = (steps - step) / (self.decay * steps) if self.decay else 1.0
        return self.learning_rate * min(1.0, left)

    def factor_of(self, optimiser: str) -> float:
        """Return the learning rate of an optimiser in units of that of the generators."""
        return self.discriminator_rate if optimiser == "discriminator" else 1.0
