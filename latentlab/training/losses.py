"""Losses of the recent steps, which are rarely read: reading them waits for all work that a GPU was given before."""

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
    totals
        Sums of those that were read and numbers of steps that have them, by name; they belong to the state of a
        training, so that a row is the same whether or not the training was stopped before it.
    note
        Sums of the last ones that were read, for a progress bar.
    """

    def __init__(self) -> None:
        self.note = ""
        self.totals: dict[str, tuple[float, int]] = {}
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
            self._add_to_totals(read)
            self.note = ", ".join(f"{optimiser} {sum(own.values()):.3g}" for optimiser, own in read.items() if own)

    def _add_to_totals(self, read: Mapping[str, Mapping[str, float]]) -> None:
        for own in read.values():
            for name, value in own.items():
                total, count = self.totals.get(name, (0.0, 0))
                self.totals[name] = (total + value, count + 1)

    def means(self) -> dict[str, float]:
        """Return the mean of each loss over the steps that have it."""
        return {name: total / count for name, (total, count) in self.totals.items()}

    def begin_anew(self) -> None:
        """Forget what was read, after a row of the history."""
        self.totals = {}
