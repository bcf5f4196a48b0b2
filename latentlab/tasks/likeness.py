"""How alike made pictures are to real ones of the kind that they should be: of a set, not of a picture."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab.comparison.protocol import Figure
from latentlab.metrics import Interval, frechet_distance, kernel_distance, statistic_interval
from latentlab.perceptual import PerceptualDistance

FIGURES = (
    Figure("kid", "KID · 1000 to the target domain (VGG16)", "less"),
    Figure("fid", "FID to the target domain (VGG16)", "less"),
)
LIMITS = (
    "KID and FID are of the means of VGG16's features, not of Inception's: compare them within a table only. FID of "
    "few pictures is too large; KID has no such bias."
)


def likeness(perceptual: PerceptualDistance, made: Tensor, target: Tensor) -> dict[str, Interval]:
    """'kid', times 1000, and 'fid' between made pictures and others of the target domain, `(n or m, 3, h, h)`."""
    one, other = features(perceptual, made), features(perceptual, target)
    return {
        "kid": statistic_interval(lambda a, b: 1000 * kernel_distance(a, b), one, other),
        "fid": statistic_interval(frechet_distance, one, other),
    }


def features(perceptual: PerceptualDistance, pictures: Tensor) -> NDArray[np.float64]:
    """`(n, 1472)`: means over the places of the five layers of VGG16 that LPIPS compares."""
    place = next(perceptual.parameters()).device
    with torch.no_grad():
        pyramids = [perceptual.pyramid(some.to(place)) for some in pictures.split(32)]
    return np.concatenate(
        [torch.cat([layer.mean(dim=(2, 3)) for layer in p.layers], dim=1).double().cpu().numpy() for p in pyramids]
    )
