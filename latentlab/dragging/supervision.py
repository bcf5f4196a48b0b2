"""Motion supervision: the loss whose gradient moves what lies around the points towards their targets."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from latentlab.dragging.features import sample
from latentlab.dragging.settings import DragSettings


def disc(radius: float, like: Tensor) -> Tensor:
    """Places `(m, 2)` a unit apart in a disc around (0, 0), which is among them."""
    reach = math.floor(radius)
    line = torch.arange(-reach, reach + 1, dtype=like.dtype, device=like.device)
    places = torch.cartesian_prod(line, line)
    return places[places.square().sum(dim=1) <= radius**2]


def motion_loss(features: Tensor, points: Tensor, targets: Tensor, settings: DragSettings) -> Tensor:
    """What is missing until the features around each point have moved towards its target (the paper, equation 1).

    The paper adds up the differences. Here those of each point are divided by their own sum, so that points on
    smooth skin are pulled as much as those on edges; and weighted by the distance that they are asked to move.

    Parameters
    ----------
    features
        `(1, c, r, r)`; they take a gradient only as they are at the places that the points are pulled to.
    points, targets
        `(n, 2)` in units.
    settings
        How far points are pulled, and what around them is.
    """
    way = targets - points
    distance = way.norm(dim=1)
    pulled = distance.clamp_max(settings.pull)
    shift = way * (pulled / distance.clamp_min(1e-6))[:, None]
    here = points[:, None] + disc(settings.supervised, points)  # (n, m, 2)
    there = here + shift[:, None]
    missing = (sample(features, there) - sample(features.detach(), here)).square().sum(dim=(1, 2))
    loss: Tensor = (missing / missing.detach().clamp_min(1e-9) * pulled).sum()
    return loss


class Kept:
    """The features that are to stay as they are: those outside a mask.

    Parameters
    ----------
    features
        The features `(1, c, r, r)` of the image that is dragged.
    mask
        `(1, 1, h, w)`: 1 where the image may move, 0 where it is to stay.
    """

    def __init__(self, features: Tensor, mask: Tensor):
        self._first = features.detach()
        self._stays = 1 - F.interpolate(mask.to(features), features.shape[2:], mode="area")  # (1, 1, r, r)

    def loss(self, features: Tensor) -> Tensor:
        """Mean square by which the features that are to stay have changed."""
        change = (features - self._first).square().mean(dim=1, keepdim=True)
        return (change * self._stays).sum() / self._stays.sum().clamp_min(1e-6)
