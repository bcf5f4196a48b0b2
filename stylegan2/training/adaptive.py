"""Adaptive discriminator augmentation: how likely augmentations are, steered by how much the discriminator overfits.

Karras et al. 2020, "Training Generative Adversarial Networks with Limited Data", section 3.1. A discriminator that
knows its training set answers all of it with "real": the mean sign of these answers rises towards 1. The probability
goes up while it is above a target, and down while it is below. Nothing here is read from the device.
"""

from __future__ import annotations

import torch
from torch import Tensor

from stylegan2.training.settings import TrainingSettings

EVERY = 4
"""Steps between changes of the probability."""


class Augmentation:
    """The probability of augmentations, and the signs that steer it.

    Attributes
    ----------
    probability
        From 0 to 1, a scalar on the device.
    signs
        `(2,)`: the sum of the mean signs of the steps since the last change, and their number.
    """

    def __init__(self, settings: TrainingSettings, device: torch.device) -> None:
        self._settings = settings
        first = 0.0 if isinstance(settings.augment, str) else float(settings.augment)
        self.probability = torch.tensor(first, device=device)
        self.signs = torch.zeros(2, device=device)

    @property
    def used(self) -> bool:
        """Whether images are augmented at all."""
        return self._settings.augment != "none"

    def note(self, sign: Tensor) -> None:
        """Note the mean sign of the logits of a step's real images, over all processes."""
        self.signs = self.signs + torch.stack([sign, torch.ones_like(sign)]).to(self.signs)

    def steer(self) -> None:
        """Change the probability according to what was noted, and forget the notes."""
        if self._settings.augment == "adaptive":
            most = self._settings.batch_size * EVERY / self._settings.augment_images
            above = torch.sign(self.signs[0] / self.signs[1].clamp_min(1) - self._settings.augment_target)
            self.probability = (self.probability + above * most).clamp(0, 1)
        self.signs = torch.zeros_like(self.signs)
