"""Edges to faces: line drawings from photos, so that any folder of faces becomes pairs.

pix2pix draws with HED (Isola et al. 2017, section 6.2), a network of its own; here it is Canny's detector, with
what is left of short strokes wiped off.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from latentlab.errors import UserError


@dataclass(frozen=True)
class Pencil:
    """How a drawing is made; lengths are shares of the picture's side, so that the size does not matter much.

    Attributes
    ----------
    blur
        Width of the Gaussian before the gradient: fine hair and skin vanish below it.
    weak, strong
        Canny's two thresholds, as quantiles of the gradient: a line begins where it is strong and goes on
        while it is not weak.
    shortest
        Strokes of less length are wiped off.
    """

    blur: float = 0.009
    weak: float = 0.82
    strong: float = 0.93
    shortest: float = 0.06

    def __post_init__(self) -> None:
        if not (self.blur > 0 and 0 <= self.weak <= self.strong <= 1 and self.shortest >= 0):
            raise UserError(f"a pencil has a blur above 0, and 0 <= weak <= strong <= 1, unlike {self}")

    def draw(self, picture: Tensor) -> Tensor:
        """Black lines on white, `(1, 3, h, w)`, of `picture (1, 3, h, w)` in [-1, 1].

        Raises
        ------
        UserError
            scikit-image is not installed.
        """
        try:
            from skimage.feature import canny
            from skimage.measure import label
        except ImportError as error:
            raise UserError("drawings need scikit-image: pip install 'latentlab[translation]'") from error
        grey = picture[0].clamp(-1, 1).mean(dim=0).double().numpy()
        side = max(grey.shape)
        lines = canny(
            grey, sigma=self.blur * side, low_threshold=self.weak, high_threshold=self.strong, use_quantiles=True
        )
        strokes = label(lines, connectivity=2)
        lengths = np.bincount(strokes.ravel())
        lengths[0] = 0
        kept = lengths[strokes] >= max(self.shortest * side, 1)
        return torch.where(torch.from_numpy(kept), -1.0, 1.0).float().expand(1, 3, -1, -1)


def reduce_drawing(drawing: Tensor, side: int) -> Tensor:
    """A square `drawing (1, 3, h, h)` at `side` pixels a side at most: black wherever a line passes."""
    return drawing if drawing.shape[3] <= side else -F.adaptive_max_pool2d(-drawing, side)
