"""A metric: how much brighter images became."""

import torch
from torch import Tensor

from latentlab.metrics import Interval, mean_interval


class BrightnessShift:
    """Mean change of the brightness."""

    title = "brightness gained"
    higher_is_better = None

    def __init__(self) -> None:
        self.reset()

    def update(self, before: Tensor, after: Tensor) -> None:
        """Add images `(n, 3, h, w)`."""
        self._shifts.append((after - before).mean(dim=(1, 2, 3)))

    def compute(self) -> Interval:
        """Mean with its interval."""
        return mean_interval(torch.cat(self._shifts).double().numpy())

    def reset(self) -> None:
        """Forget all images."""
        self._shifts: list[Tensor] = []
