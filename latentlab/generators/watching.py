"""What is watched in a training: images of fixed seeds, and how far generated images are from real ones."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from latentlab import images
from latentlab.generators.data import ImageSet
from latentlab.metrics import functional
from latentlab.metrics.features import FeatureExtractor, title_of
from latentlab.training import place_in_order
from stylegan2.sampling import z_from_seeds
from stylegan2.training.levels import AnyGenerator

CELLS = 36
"""Images in a grid."""
_LEAST_SIDE = 64  # what the feature network is shown
_BATCH = 32
_SCALE = 1000.0


@torch.no_grad()
def made_by(generator: AnyGenerator, labels: Tensor | None, count: int, first_seed: int = 0) -> Tensor:
    """Render seeds, without truncation and with the noise that the generator keeps: `(count, c, h, w)` on the CPU."""
    device = next(generator.parameters()).device
    made = []
    for start in range(0, count, _BATCH):
        seeds = range(first_seed + start, first_seed + min(start + _BATCH, count))
        own = None if labels is None else labels[start : start + len(seeds)].to(device)
        made.append(generator(z_from_seeds(seeds, generator.z_dim).to(device), own).cpu())
    return torch.cat(made)


def chosen_from(found: ImageSet, count: int) -> list[int]:
    """Numbers of images spread over a set, the same each time."""
    return [place_in_order(k, len(found), 0) for k in range(min(count, len(found)))]


def grid_of_set(found: ImageSet) -> Tensor:
    """A grid of real images, `(1, c, h, w)`."""
    return _grid(found.batch(chosen_from(found, CELLS))[0])


def grid_of(generator: AnyGenerator, found: ImageSet) -> Tensor:
    """A grid of generated images, `(1, c, h, w)`, the same seeds each time, with the labels of the real ones."""
    _, labels = found.batch(chosen_from(found, CELLS))
    return _grid(made_by(generator, labels, CELLS if labels is None else len(labels)).clamp(-1, 1))


def _grid(cells: Tensor) -> Tensor:
    return images.grid(cells, max(1, isqrt(len(cells))))


@dataclass
class Distance:
    """Kernel distance between generated and real images, in the features of a stated network.

    Attributes
    ----------
    found
        The training set.
    features
        Feature extractor.
    count
        Images of each kind; a set may have fewer.
    """

    found: ImageSet
    features: FeatureExtractor
    count: int

    def __post_init__(self) -> None:
        self._real: NDArray[np.float64] | None = None

    @property
    def title(self) -> str:
        """What it is, for readers."""
        return f"kernel distance × {_SCALE:g} ({title_of(self.features)})"

    def __call__(self, generator: AnyGenerator) -> float:
        """Measure a generator: the unbiased estimate times 1000, which lies around 0 where there is no difference."""
        real, labels = self.found.batch(chosen_from(self.found, self.count))
        if self._real is None:
            self._real = self._features(real)
        made = self._features(made_by(generator, labels, len(real)).clamp(-1, 1))
        return _SCALE * functional.kernel_distance(made, self._real)

    def _features(self, shown: Tensor) -> NDArray[np.float64]:
        height, width = shown.shape[2:]
        scale = _LEAST_SIDE / min(height, width)
        if scale > 1:
            shown = F.interpolate(shown, (round(height * scale), round(width * scale)), mode="bilinear")
        return self.features(shown.expand(-1, 3, -1, -1))
