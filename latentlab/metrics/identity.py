"""How much of a person's identity an edit keeps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from latentlab.faces.identity import MIN_RESOLUTION, FaceDescriptor, similarity, why_undescribed
from latentlab.images import resize
from latentlab.metrics.base import ImageMetric, LastResult, as_array

LEAST_RESOLUTION = 64
"""Fewest pixels at which faces are compared: there the descriptor of a face moves by 0.24 in the median already, and
two photos of a person differ by 0.45."""


class Identity(ImageMetric):
    """Similarity of face descriptors before and after: 1 for the same image, about 0 for strangers.

    Images below 128 pixels are enlarged first, before and after alike; below 64 pixels identity is unknown. See
    `latentlab.faces.identity.similarity`.

    Parameters
    ----------
    descriptor
        Images to descriptors `(n, 128)`, NaN where no face is found; None for dlib's `FaceDescriptor`.
    """

    title = "Identity kept"
    higher_is_better = True
    unknown = "no face is found"

    def __init__(self, descriptor: Callable[[Tensor], Tensor] | None = None) -> None:
        super().__init__()
        self.descriptor = FaceDescriptor() if descriptor is None else descriptor
        self._describe_before = LastResult(self._describe)

    def _describe(self, images: Tensor) -> Tensor:
        return self.descriptor(enlarged(images))

    def per_image(self, before: Tensor, after: Tensor) -> NDArray[np.float64]:
        """Return the similarity of each pair, `(n,)` in -1 … 1; NaN where no face is found, or it is too small."""
        too_small = why_undescribed(before.shape[3], LEAST_RESOLUTION)
        if too_small:
            self.unknown = too_small
            return np.full(len(before), np.nan)
        return as_array(similarity(self._describe_before(before), self._describe(after)))


def enlarged(images: Tensor) -> Tensor:
    """Resize square images to a resolution at which faces can be described, where they are smaller."""
    resolution = max(MIN_RESOLUTION, images.shape[3])
    return resize(images, resolution, resolution)
