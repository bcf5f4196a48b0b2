"""How sharp edited images are."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab.metrics import functional
from latentlab.metrics.base import ImageMetric, as_array


class Sharpness(ImageMetric):
    """Sharpness after the edit as a share of the sharpness before; see `functional.sharpness`."""

    title = "Sharpness, as a share of the sharpness before"
    higher_is_better = None
    unknown = "the image before is plain"

    def per_image(self, before: Tensor, after: Tensor) -> NDArray[np.float64]:
        """Return the share for each pair, `(n,)`; NaN where the image before has no edge at all."""
        reference = functional.sharpness(before)
        return as_array(torch.where(reference > 0, functional.sharpness(after) / reference, torch.nan))
