"""Losses of a projection."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from latentlab.images import luma, reduce
from latentlab.perceptual import PerceptualDistance, Pyramid, masked_mean
from latentlab.projection.inputs import MaskedImages
from latentlab.projection.mesh import mesh
from latentlab.projection.noise import noise_regulariser
from latentlab.projection.settings import ProjectionSettings
from latentlab.rendering import Latents, noise_maps_in, styles_in
from latentlab.reprs import ShortRepr


@dataclass(frozen=True, eq=False, repr=False)
class Target(ShortRepr):
    """Images to reconstruct, at one resolution.

    Attributes
    ----------
    images, pyramid
        `(b, 3, h, w)`, the longer of which is the resolution, and their features.
    mask
        `(b or 1, 1, h, w)`, or None.
    """

    images: Tensor
    pyramid: Pyramid
    mask: Tensor | None

    @classmethod
    def of(cls, images: Tensor | MaskedImages, perceptual: PerceptualDistance, resolution: int) -> Target:
        """Average images down to `resolution` on the longer side, or take them as they are where they are smaller."""
        inputs = MaskedImages.of(images)
        small, mask = reduce(inputs.images, resolution), inputs.mask
        if mask is not None:
            mask = F.adaptive_avg_pool2d(mask, (small.shape[2], small.shape[3]))
        with torch.no_grad():
            return cls(small, perceptual.pyramid(small), mask)

    def to_size(self, rendered: Tensor) -> Tensor:
        """Resize `rendered (b, 3, r, r)` to the target's: averaged down, or interpolated up where it is smaller."""
        height, width = self.images.shape[2:]
        if rendered.shape[-1] < width:
            return F.interpolate(rendered, (height, width), mode="bilinear", align_corners=False)
        return rendered if rendered.shape[-1] == width else F.interpolate(rendered, (height, width), mode="area")

    def mesh(self, rendered: Tensor) -> Tensor:
        """Measure the pattern in the luma of `rendered (b, 3, r, r)` that the comparison does not see, `(b,)`."""
        return mesh(luma(rendered.float()), self._averaged(rendered))

    def weave(self, rendered: Tensor) -> Tensor:
        """Measure that pattern, and the one of twice its period, which the comparison hardly sees, in all channels."""
        averaged = self._averaged(rendered)
        return mesh(rendered, 2 * averaged if averaged > 1 else 1)

    def _averaged(self, rendered: Tensor) -> int:
        """Pixels of `rendered` along each one of the comparison."""
        return max(rendered.shape[-1] // self.images.shape[-1], 1)


def losses_of(
    rendered: Tensor,
    latents: Latents,
    origin: Latents,
    target: Target,
    perceptual: PerceptualDistance,
    settings: ProjectionSettings,
    sigma: float,
) -> tuple[Tensor, Tensor]:
    """Loss of each image, `(b,)`, as `ProjectionSettings` defines it, and the LPIPS in it.

    Parameters
    ----------
    rendered
        `(b, 3, r, r)`: the renderings of `latents`, at any resolution.
    latents, origin
        The latents, and those from which the search started.
    target, perceptual, settings
        Images to reconstruct, and how the distance to them is measured.
    sigma
        Spread of w, see `w_statistics`.
    """
    small = target.to_size(rendered)
    distance = perceptual(small, target.pyramid, target.mask)
    loss = distance
    if settings.pixel_weight:
        loss = loss + settings.pixel_weight * masked_mean((small - target.images).square(), target.mask)
    if settings.spread_weight:
        loss = loss + settings.spread_weight * spread(latents, origin, sigma)
    if settings.mesh_weight:
        loss = loss + settings.mesh_weight * target.mesh(rendered)
    if settings.noise_maps == "optimised":
        for noise in noise_maps_in(latents).values():
            loss = loss + settings.noise_weight * noise_regulariser(noise)
    return loss, distance


def spread(latents: Latents, origin: Latents, sigma: float) -> Tensor:
    """Measure how far latents have left those that the generator was trained on, `(b,)`.

    W+: the mean square by which the rows differ from their mean, in sigmas. W: 0. S: the mean square by
    which the styles have moved.
    """
    if "w" in latents:
        return latents["w"].new_zeros(len(latents["w"]))
    if "ws" in latents:
        ws = latents["ws"]
        return (ws - ws.mean(dim=1, keepdim=True)).square().sum(dim=2).mean(dim=1) / sigma**2
    start = styles_in(origin)
    moves = [(style - start[name]).square().mean(dim=1) for name, style in styles_in(latents).items()]
    return torch.stack(moves).mean(dim=0)
