"""Point tracking: where the points are in the features of a changed image."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from latentlab.dragging.features import sample
from latentlab.dragging.settings import UNITS, DragSettings

# A search stops short of a place, as what is near where the point was counts as better; the next starts from there.
_SEARCHES = 3


def square(reach: int, like: Tensor) -> Tensor:
    """Places `(s, s, 2)` a unit apart in a square of s = 2 reach + 1 around (0, 0), (x, y) by row and column."""
    line = torch.arange(-reach, reach + 1, dtype=like.dtype, device=like.device)
    y, x = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([x, y], dim=-1)


class Tracker:
    """Finds points again by the patches of features around them in the first image.

    The paper compares the features of single places (equation 2), which lose points that slide along an edge. Patches
    are compared here, and a place is penalised that is far from where the point was or beside its way.

    Parameters
    ----------
    features
        Features `(1, c, r, r)` of the first image.
    points, targets
        `(n, 2)` in units: where the points are in it, and where they are to go.
    settings
        Sizes of the patches and of the search, and penalties on places.
    """

    def __init__(self, features: Tensor, points: Tensor, targets: Tensor, settings: DragSettings):
        self._settings, self._start = settings, points
        self._patches = _patches(features, points, settings.patch)  # (n, c, p, p)
        way = targets - points
        way = way / way.norm(dim=1, keepdim=True).clamp_min(1e-6)  # 0 of a point that is to stay
        self._across = torch.stack([-way[:, 1], way[:, 0]], dim=1)

    def __call__(self, features: Tensor, points: Tensor) -> Tensor:
        """Return the points `(n, 2)` of an image, from its features and where they were in the one before."""
        for _ in range(_SEARCHES):
            points = self._nearer(features, points)
        return points

    def _nearer(self, features: Tensor, points: Tensor) -> Tensor:
        settings = self._settings
        offsets = square(settings.search, points)  # (s, s, 2)
        places = points[:, None, None] + offsets
        beside = ((places - self._start[:, None, None]) * self._across[:, None, None]).sum(dim=-1)  # (n, s, s)
        cost = (
            self._differences(features, points)
            + settings.near_weight * offsets.square().sum(dim=-1)
            + settings.line_weight * (beside.abs() - settings.line_width).clamp_min(0).square()
        )
        best = cost.flatten(1).argmin(dim=1)
        found = offsets.reshape(-1, 2)[best] + _part_of_step(cost, best)
        return (points + found).clamp(0, UNITS)

    def _differences(self, features: Tensor, points: Tensor) -> Tensor:
        """Squared difference of the patch around each place from the point's, `(n, s, s)`; 1 is the patch's square."""
        windows = _patches(features, points, self._settings.patch + self._settings.search)
        n, c, side, _ = windows.shape
        # One convolution whose groups are the points: the products of every window with its own patch.
        products = F.conv2d(windows.reshape(1, n * c, side, side), self._patches, groups=n)[0]
        width = self._patches.shape[-1]
        squares = F.avg_pool2d(windows.square().sum(dim=1), width, stride=1) * width**2
        own = self._patches.square().sum(dim=(1, 2, 3))[:, None, None].clamp_min(1e-8)
        return (squares - 2 * products + own) / own


def _patches(features: Tensor, points: Tensor, reach: int) -> Tensor:
    """Features `(n, c, s, s)` in squares around points."""
    places = points[:, None, None] + square(reach, points)  # (n, s, s, 2)
    side = places.shape[1]
    values = sample(features, places.flatten(1, 2))  # (n, s², c)
    return values.transpose(1, 2).reshape(len(points), -1, side, side)


def _part_of_step(cost: Tensor, best: Tensor) -> Tensor:
    """Where between the places `(n, 2)` the cost `(n, s, s)` is least: parabolas through each best and its neighbours.

    0 at the border of the search, where there is a neighbour on one side only.
    """
    n, side, _ = cost.shape
    row, column, each = best // side, best % side, torch.arange(n, device=cost.device)

    def vertex(before: Tensor, after: Tensor, inside: Tensor) -> Tensor:
        middle = cost[each, row, column]
        bend = (before - 2 * middle + after).clamp_min(1e-9)
        return torch.where(inside, ((before - after) / (2 * bend)).clamp(-0.5, 0.5), 0)

    left, right = (cost[each, row, (column + k).clamp(0, side - 1)] for k in (-1, 1))
    above, below = (cost[each, (row + k).clamp(0, side - 1), column] for k in (-1, 1))
    x = vertex(left, right, (column > 0) & (column < side - 1))
    y = vertex(above, below, (row > 0) & (row < side - 1))
    return torch.stack([x, y], dim=1)
