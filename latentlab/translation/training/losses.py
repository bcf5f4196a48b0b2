"""Losses of the recent steps, which are read seldom: reading them waits for all work that a GPU was given before."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from latentlab.errors import UserError

Losses = Mapping[str, Mapping[str, Tensor]]
"""Scalars by optimiser and name."""


class RecentLosses:
    """Losses of the steps since the last row of the history.

    Attributes
    ----------
    values
        Those that were read, of each step by optimiser and name.
    note
        Sums of the last ones that were read, for a progress bar.
    """

    def __init__(self, note: str = "") -> None:
        self.note = note
        self.values: list[dict[str, dict[str, float]]] = []
        self._unread: list[tuple[int, Losses]] = []

    def add(self, step: int, losses: Losses) -> None:
        """Take the losses of the step before `step`; on a CPU, where nothing has to be waited for, they are read."""
        self._unread.append((step, losses))
        if all(value.device.type == "cpu" for own in losses.values() for value in own.values()):
            self.read()

    def read(self) -> None:
        """Read what has not been read yet, all at once.

        Raises
        ------
        UserError
            A loss is not finite.
        """
        unread, self._unread = self._unread, []
        scalars = [value for _, losses in unread for own in losses.values() for value in own.values()]
        numbers = iter(torch.stack(scalars).tolist() if scalars else ())
        for step, losses in unread:
            read = {optimiser: {name: next(numbers) for name in own} for optimiser, own in losses.items()}
            wrong = [f"{name} is {x}" for own in read.values() for name, x in own.items() if not math.isfinite(x)]
            if wrong:
                raise UserError(
                    f"the training diverged at step {step - 1}: {', '.join(wrong)}; lower the learning rate"
                )
            self.values.append(read)
            self.note = ", ".join(f"{optimiser} {sum(own.values()):.3g}" for optimiser, own in read.items() if own)

    def means(self) -> dict[str, float]:
        """Return the mean of each loss over the steps that have it."""
        found: dict[str, list[float]] = {}
        for step in self.values:
            for own in step.values():
                for name, value in own.items():
                    found.setdefault(name, []).append(value)
        return {name: sum(values) / len(values) for name, values in found.items()}
