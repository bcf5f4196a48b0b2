"""How much an edit changes outside the region it was meant for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from latentlab.metrics.base import RegionMetric, as_array
from latentlab.metrics.functional import difference_outside


class OutsideChange(RegionMetric):
    """Mean absolute difference (L1) outside a region, in 0 … 1; see `functional.difference_outside`."""

    title = "L1"
    higher_is_better = False
    unknown = "the region covers the whole image"

    def per_image(self, before: Tensor, after: Tensor, region: Tensor | None = None) -> NDArray[np.float64]:
        """Return the difference of each pair, `(n,)`; see `update`."""
        if region is None:
            region = before.new_zeros(1, 1, *before.shape[2:])
        return as_array(difference_outside(before, after, region.to(before.device)))
