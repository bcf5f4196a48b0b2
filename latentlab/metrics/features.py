"""Feature extractors for distances between sets of images."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab.errors import UserError
from latentlab.perceptual import PerceptualDistance, load_perceptual

_BATCH = 32


class FeatureExtractor(Protocol):
    """Any callable from images to features; a `title` of its own, such as 'VGG16', is shown to readers."""

    def __call__(self, images: Tensor) -> NDArray[np.float64]:
        """Return features `(n, d)` of `images (n, 3, h, w)` in [-1, 1]."""
        ...


class VGG16Features:
    """Spatial means of the five VGG16 layers that LPIPS compares, `(n, 1472)`.

    Distances on them are not FID or KID, which use Inception's features: compare them within one table only.

    Parameters
    ----------
    perceptual
        LPIPS with VGG16, whose backbone is used; None loads it.

    Raises
    ------
    UserError
        If the backbone is not VGG16.
    """

    title = "VGG16"

    def __init__(self, perceptual: PerceptualDistance | None = None) -> None:
        self.perceptual = load_perceptual("vgg") if perceptual is None else perceptual
        backbone = self.perceptual.model.pnet_type
        if backbone != "vgg":
            raise UserError(f"VGG16Features take an LPIPS with the backbone vgg, not {backbone}")

    @torch.no_grad()
    def __call__(self, images: Tensor) -> NDArray[np.float64]:
        """Return features `(n, 1472)` of `images (n, 3, h, w)` in [-1, 1]."""
        device = next(self.perceptual.parameters()).device
        pyramids = [self.perceptual.pyramid(batch.to(device)) for batch in torch.split(images, _BATCH)]
        return np.concatenate(
            [torch.cat([layer.mean(dim=(2, 3)) for layer in p.layers], dim=1).double().cpu().numpy() for p in pyramids]
        )


def title_of(features: FeatureExtractor) -> str:
    """Return the name of a feature extractor, for readers."""
    return str(getattr(features, "title", getattr(features, "__name__", type(features).__name__)))
