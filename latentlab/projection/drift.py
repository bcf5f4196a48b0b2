"""Drift: how far tuning on some images changed all other images of the generator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from latentlab.images import reduce
from latentlab.mapping import map_any_class
from latentlab.perceptual import PerceptualDistance
from latentlab.reprs import ShortRepr
from stylegan2.protocol import Generator
from stylegan2.sampling import z_from_seeds


@dataclass(frozen=True, eq=False, repr=False)
class Drift(ShortRepr):
    """Change of other images by tuning.

    Attributes
    ----------
    lpips, rms
        `(k,)` each: LPIPS of the k images before and after, and the root mean square change of a pixel in levels of
        0 … 255.
    """

    lpips: Tensor
    rms: Tensor

    def figures(self) -> dict[str, float]:
        """Return mean and largest of both, by name."""
        return {
            "drift_lpips_mean": float(self.lpips.mean()),
            "drift_lpips_largest": float(self.lpips.max()),
            "drift_rms_mean": float(self.rms.mean()),
            "drift_rms_largest": float(self.rms.max()),
        }


@torch.no_grad()
def measure_drift(
    original: Generator,
    tuned: Generator,
    perceptual: PerceptualDistance,
    seeds: Sequence[int],
    psi: float = 0.7,
    resolution: int = 256,
) -> Drift:
    """Measure how the images of `seeds` at `psi` differ between two generators, at `resolution` pixels."""
    lpips, rms = [], []
    for seed in seeds:
        ws = map_any_class(original, z_from_seeds(seed, original.z_dim).to(original.w_avg.device), psi, seed)
        a, b = (reduce(generator.synthesis(ws), resolution) for generator in (original, tuned))
        lpips.append(perceptual(b, a))
        rms.append((b - a).square().mean(dim=(1, 2, 3)).sqrt() * 127.5)
    return Drift(torch.cat(lpips).cpu(), torch.cat(rms).cpu())
