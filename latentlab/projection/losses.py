"""What a projection minimises."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from latentlab.images import reduce
from latentlab.perceptual import PerceptualDistance, Pyramid, masked_mean
from latentlab.projection.canvas import Codes, noise_in, styles_in
from latentlab.projection.noise import noise_regulariser
from latentlab.projection.settings import ProjectionSettings


@dataclass(frozen=True, eq=False)
class Target:
    """Pictures to come near to, at one size.

    Attributes
    ----------
    pictures, pyramid
        `(b, 3, side, side)`, and their features.
    mask
        `(b or 1, 1, side, side)`, or None.
    """

    pictures: Tensor
    pyramid: Pyramid
    mask: Tensor | None

    @classmethod
    def of(cls, pictures: Tensor, mask: Tensor | None, perceptual: PerceptualDistance, side: int) -> Target:
        """`pictures (b, 3, h, h)` averaged down to `side`, or as they are where they are smaller."""
        small = reduce(pictures, side)
        if mask is not None:
            mask = F.adaptive_avg_pool2d(mask, (small.shape[2], small.shape[3]))
        with torch.no_grad():
            return cls(small, perceptual.pyramid(small), mask)

    def to_size(self, rendered: Tensor) -> Tensor:
        """`rendered (b, 3, r, r)` at the target's size: averaged down, or interpolated up where it is smaller."""
        side = self.pictures.shape[-1]
        if rendered.shape[-1] < side:
            return F.interpolate(rendered, (side, side), mode="bilinear", align_corners=False)
        return reduce(rendered, side)


def losses_of(
    rendered: Tensor,
    codes: Codes,
    origin: Codes,
    target: Target,
    perceptual: PerceptualDistance,
    settings: ProjectionSettings,
    sigma: float,
) -> tuple[Tensor, Tensor]:
    """The loss of each picture, `(b,)`, as `ProjectionSettings` defines it, and the LPIPS in it.

    Parameters
    ----------
    rendered
        `(b, 3, r, r)`: the pictures of `codes`, at any size.
    codes, origin
        The codes, and those from which the search started.
    target, perceptual, settings
        What to come near to, and how that is measured.
    sigma
        The spread of w, see `w_statistics`.
    """
    small = target.to_size(rendered)
    distance = perceptual(small, target.pyramid, target.mask)
    loss = distance
    if settings.pixel_weight:
        loss = loss + settings.pixel_weight * masked_mean((small - target.pictures).square(), target.mask)
    if settings.spread_weight:
        loss = loss + settings.spread_weight * spread(codes, origin, sigma)
    if settings.noise_maps == "optimised":
        for noise in noise_in(codes).values():
            loss = loss + settings.noise_weight * noise_regulariser(noise)
    return loss, distance


def spread(codes: Codes, origin: Codes, sigma: float) -> Tensor:
    """How far a code has left those that the generator knows, `(b,)`.

    W+: the mean square by which the rows differ from their mean, in sigmas. W: 0. S: the mean square by
    which the styles have moved.
    """
    if "w" in codes:
        return codes["w"].new_zeros(len(codes["w"]))
    if "ws" in codes:
        ws = codes["ws"]
        return (ws - ws.mean(dim=1, keepdim=True)).square().sum(dim=2).mean(dim=1) / sigma**2
    start = styles_in(origin)
    moves = [(style - start[name]).square().mean(dim=1) for name, style in styles_in(codes).items()]
    return torch.stack(moves).mean(dim=0)
