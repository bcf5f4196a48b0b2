"""Perceptual path length: how evenly images change along a path in latent space."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab.images import reduce
from latentlab.metrics.base import ImageMetric, as_array
from latentlab.metrics.functional import face_region, trimmed_mean
from latentlab.metrics.intervals import Interval, statistic_interval, unknown_because
from latentlab.perceptual import MIN_RESOLUTION, PerceptualDistance, load_perceptual

EPSILON = 1e-4
"""Distance of the two images of a pair along their path, which has length 1."""
_RESOLUTION = 256


class PerceptualPathLength(ImageMetric):
    r"""Perceptual path length (PPL): LPIPS between images that are epsilon apart on a path, over epsilon squared.

    Karras et al. 2019, "A Style-Based Generator Architecture for Generative Adversarial Networks", section 4.1, as
    StyleGAN2's published values are computed: LPIPS with VGG16, images cut to the face first and then averaged down to
    256 pixels, the 1st and 99th percentile trimmed, 50 000 pairs.

    Parameters
    ----------
    perceptual
        The distance; None for LPIPS with VGG16. Float32 is needed: half precision cannot see such small steps.
    epsilon
        Distance of the images of a pair along their path.
    face_crop
        Whether only the face is compared, in images in FFHQ's crop; see `functional.face_region`.
    batch_size
        Pairs compared at once.
    """

    title = "Perceptual path length"
    higher_is_better = False

    def __init__(
        self,
        perceptual: PerceptualDistance | None = None,
        epsilon: float = EPSILON,
        face_crop: bool = True,
        batch_size: int = 8,
    ) -> None:
        super().__init__()
        self.perceptual = load_perceptual("vgg") if perceptual is None else perceptual
        self.epsilon, self.face_crop, self.batch_size = epsilon, face_crop, batch_size

    def per_image(self, before: Tensor, after: Tensor) -> NDArray[np.float64]:
        """Return the squared speed `(n,)` of each pair: the images at t and at t + epsilon of a path."""
        pairs = zip(*(torch.split(images, self.batch_size) for images in (before, after)), strict=True)
        return np.concatenate([self._speeds(one, other) for one, other in pairs])

    @torch.no_grad()
    def _speeds(self, before: Tensor, after: Tensor) -> NDArray[np.float64]:
        device = next(self.perceptual.parameters()).device
        one, other = (self._seen(images.to(device)) for images in (before, after))
        return as_array(self.perceptual(other, one)) / self.epsilon**2

    def _seen(self, images: Tensor) -> Tensor:
        return reduce(face_region(images) if self.face_crop else images, _RESOLUTION)

    def compute(self) -> Interval:
        """Return the trimmed mean with its normal bootstrap interval; unknown with fewer than two pairs."""
        values = self.values
        if len(values) < 2:
            return unknown_because("a path length takes two pairs or more")
        return statistic_interval(trimmed_mean, values, resamples=1000, least=0)


def why_too_small(resolution: int, face_crop: bool) -> str:
    """Say why paths of images of a resolution cannot be measured, or return '' where they can."""
    seen = resolution // 8 * 4 if face_crop else resolution
    least = MIN_RESOLUTION["vgg"]
    if seen >= least:
        return ""
    cut = f", of which the face is {seen}," if face_crop else ""
    return f"images of {resolution} pixels{cut} are too small for LPIPS, which takes {least} or more"
