"""What photos have and generated faces lack: another light, softness, grain. An editor has to have seen them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from latentlab import images


@dataclass(frozen=True)
class Flaws:
    """Limits between which flaws are drawn.

    Attributes
    ----------
    contrast, tint
        Largest change of contrast, by a factor for all channels and by another for each: 0.25 is 0.75 … 1.25.
    brightness
        Largest amount that is added, in [-1, 1].
    softness
        Largest share of the resolution that is lost; half of the images lose none.
    grain
        Largest standard deviation of the noise, in [-1, 1].
    """

    contrast: float = 0.25
    tint: float = 0.06
    brightness: float = 0.12
    softness: float = 0.6
    grain: float = 0.04

    def draw(self, rng: np.random.Generator) -> DrawnFlaws:
        """Draw the flaws of one photo."""
        contrast = 1 + self.contrast * rng.uniform(-1, 1)
        gains = contrast * (1 + self.tint * rng.uniform(-1, 1, 3))
        softness = self.softness * max(0.0, rng.uniform(-1, 1))
        return DrawnFlaws(
            (float(gains[0]), float(gains[1]), float(gains[2])),
            self.brightness * rng.uniform(-1, 1),
            softness,
            self.grain * rng.uniform(),
            int(rng.integers(1 << 31)),
        )


@dataclass(frozen=True)
class DrawnFlaws:
    """Flaws of one photo, alike for all images that are given them.

    Attributes
    ----------
    gains, brightness
        Factor of each channel, and what is added then.
    softness
        Share of the resolution that is lost.
    grain, seed
        Standard deviation of the noise, and its seed.
    """

    gains: tuple[float, float, float]
    brightness: float
    softness: float
    grain: float
    seed: int

    def image(self, image: Tensor) -> Tensor:
        """Return `image (1, 3, h, w)` in [-1, 1] with these flaws."""
        height, width = image.shape[2:]
        kept = 1 - self.softness
        small = images.resize(image, max(round(kept * height), 1), max(round(kept * width), 1))
        soft = images.resize(small, height, width)
        noise = np.random.default_rng(self.seed).standard_normal(soft.shape, dtype=np.float32)
        gains = soft.new_tensor(self.gains)[:, None, None]
        return (gains * soft + self.brightness + self.grain * torch.from_numpy(noise)).clamp(-1, 1)
