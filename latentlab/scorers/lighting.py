"""The light on a face in FFHQ's crop, from its pixels."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

from latentlab.errors import UserError
from latentlab.faces.means import mean_landmarks
from latentlab.images import as_batch, luma
from latentlab.scorers.threshold import Threshold


class Lighting:
    """Where the light falls on a face, from the luma of its two halves; differentiable.

    'light_side' is the mean luma of the half of the face on the image's right, minus that of the other half;
    'light' is the mean luma of both. Luma is in [-1, 1]. The face is the ellipse about the mean landmarks of generated
    faces. Skin counts too: 'light' grows with lighter skin. Samples are labelled at the median of each.
    """

    names = ("light_side", "light")
    img_channels = 3
    square = True
    probabilities = False
    threshold = Threshold.parse("median")

    def __init__(self) -> None:
        self.fingerprint = hashlib.sha256(b"lighting 1").hexdigest()

    def __repr__(self) -> str:
        return f"Lighting({', '.join(self.names)})"

    def __call__(self, images: Tensor) -> Tensor:
        """Measure `images (b, 3, h, h)` in [-1, 1]: `(b, 2)`; UserError if they are not square."""
        images = as_batch(images)
        if images.shape[2] != images.shape[3]:
            raise UserError(f"light is measured on square images in FFHQ's crop, not on {tuple(images.shape)}")
        light = luma(images.float())[:, 0]  # (b, h, h)
        halves = _halves(images.shape[3]).to(light)  # (2, h, h)
        left, right = ((light * half).sum(dim=(1, 2)) / half.sum() for half in halves)
        return torch.stack([right - left, (left + right) / 2], dim=1)


def _halves(resolution: int) -> Tensor:
    """Masks `(2, resolution, resolution)` of the halves of the face on the image's left and right."""
    landmarks = torch.from_numpy(mean_landmarks())
    low, high = landmarks.amin(dim=0), landmarks.amax(dim=0)
    centre, radius = (low + high) / 2, (high - low) / 2
    at = (torch.arange(resolution, dtype=torch.float64) + 0.5) / resolution
    x, y = (at[None, :] - centre[0]) / radius[0], (at[:, None] - centre[1]) / radius[1]
    inside = x**2 + y**2 < 1
    return torch.stack([inside & (x < 0), inside & (x > 0)]).float()


def load_lighting(device: torch.device | str = "cpu") -> Lighting:
    """Load it; it has no weights, and works on the device of the images."""
    return Lighting()
