"""Line drawings of photos, so that any folder of faces becomes pairs.

pix2pix uses HED (Isola et al. 2017, section 6.2), a network of its own; here it is Canny's edge detector, with short
strokes removed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from latentlab.errors import UserError, missing_package


@dataclass(frozen=True)
class Pencil:
    """Settings of a line drawing; lengths are shares of the image's side, so that the resolution hardly matters.

    Attributes
    ----------
    blur
        Standard deviation of the Gaussian before the gradient: finer hair and skin texture vanish.
    weak, strong
        Canny's two thresholds, as quantiles of the gradient: a line begins where the gradient is strong and continues
        while it is not weak.
    shortest
        Shorter strokes are removed.
    """

    blur: float = 0.009
    weak: float = 0.82
    strong: float = 0.93
    shortest: float = 0.06

    def __post_init__(self) -> None:
        if not (self.blur > 0 and 0 <= self.weak <= self.strong <= 1 and self.shortest >= 0):
            raise UserError(f"a pencil has a blur above 0, and 0 <= weak <= strong <= 1, unlike {self}")

    def draw(self, image: Tensor) -> Tensor:
        """Draw `image (1, 3, h, w)` in [-1, 1]: black lines on white, `(1, 3, h, w)`.

        Raises
        ------
        UserError
            scikit-image is not installed.
        """
        try:
            from skimage.feature import canny
            from skimage.measure import label
        except ImportError as error:
            raise missing_package("drawings need scikit-image", "scikit-image") from error
        grey = image[0].clamp(-1, 1).mean(dim=0).double().numpy()
        side = max(grey.shape)
        lines = canny(  # type: ignore[no-untyped-call]
            grey, sigma=self.blur * side, low_threshold=self.weak, high_threshold=self.strong, use_quantiles=True
        )
        strokes = label(lines, connectivity=2)  # type: ignore[no-untyped-call]
        lengths = np.bincount(strokes.ravel())
        lengths[0] = 0
        kept = lengths[strokes] >= max(self.shortest * side, 1)
        return torch.where(torch.from_numpy(kept), -1.0, 1.0).float().expand(1, 3, -1, -1)


def reduce_drawing(drawing: Tensor, resolution: int) -> Tensor:
    """Reduce a square `drawing (1, 3, h, h)` to at most `resolution`: black wherever a line passes."""
    return drawing if drawing.shape[3] <= resolution else -F.adaptive_max_pool2d(-drawing, resolution)
