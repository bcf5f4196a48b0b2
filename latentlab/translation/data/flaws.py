"""What photos have and generated faces lack: different light, sharpness, grain. An editor has to have seen them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from latentlab import images

# An edit that changes a place by less than the first, in [-1, 1], leaves what was there; one that changes it by more
# than the second shows something else.
_REPLACED = 0.15, 0.4


@dataclass(frozen=True)
class Flaws:
    """Limits within which flaws are drawn.

    Attributes
    ----------
    contrast, tint
        Largest change of contrast, by one factor for all channels and by another for each: 0.25 means 0.75 … 1.25.
    brightness
        Largest amount that is added, in [-1, 1].
    softness
        Largest share of the resolution that is lost; half of the images lose none, and are sharpened.
    sharpness
        Largest amount, of what a blur would take away, that is added to images that are sharpened.
    grain
        Largest standard deviation of the noise, in [-1, 1].
    """

    contrast: float = 0.25
    tint: float = 0.06
    brightness: float = 0.12
    softness: float = 0.6
    sharpness: float = 1.0
    grain: float = 0.1

    def draw(self, rng: np.random.Generator) -> DrawnFlaws:
        """Draw the flaws of one photo."""
        contrast = 1 + self.contrast * rng.uniform(-1, 1)
        gains = contrast * (1 + self.tint * rng.uniform(-1, 1, 3))
        soft = rng.uniform(-1, 1)
        return DrawnFlaws(
            (float(gains[0]), float(gains[1]), float(gains[2])),
            self.brightness * rng.uniform(-1, 1),
            self.softness * max(0.0, soft),
            self.sharpness * max(0.0, -soft),
            self.grain * rng.uniform(),
            int(rng.integers(1 << 31)),
        )


@dataclass(frozen=True)
class DrawnFlaws:
    """Flaws of one photo, for an image before and after an edit.

    Attributes
    ----------
    gains, brightness
        Factor of each channel, and what is added afterwards.
    softness, sharpness
        Share of the resolution that is lost, and amount of sharpening.
    grain, seed
        Standard deviation of the noise, and its seed.
    """

    gains: tuple[float, float, float]
    brightness: float
    softness: float
    sharpness: float
    grain: float
    seed: int

    def pair(self, before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
        """Return an image before and after an edit, `(1, 3, h, w)` each in [-1, 1], with these flaws.

        Both have the same grain, except where the edit shows something else in that place: grain stands for the detail
        of what is there, and teeth leave nothing on the lips that close over them.
        """
        noise = np.random.default_rng(self.seed).standard_normal(before.shape, dtype=np.float32)
        grain = self.grain * torch.from_numpy(noise)
        change = F.max_pool2d((after - before).abs().amax(dim=1, keepdim=True), 5, 1, 2)
        least, most = _REPLACED
        stays = 1 - ((change - least) / (most - least)).clamp(0, 1)
        return (self._image(before) + grain).clamp(-1, 1), (self._image(after) + stays * grain).clamp(-1, 1)

    def _image(self, image: Tensor) -> Tensor:
        """Return an image in different light, softer or sharper."""
        height, width = image.shape[2:]
        kept = 1 - self.softness
        small = images.resize(image, max(round(kept * height), 1), max(round(kept * width), 1))
        soft = images.resize(small, height, width)
        sharp = soft + self.sharpness * (soft - F.avg_pool2d(soft, 3, 1, 1, count_include_pad=False))
        return soft.new_tensor(self.gains)[:, None, None] * sharp + self.brightness
