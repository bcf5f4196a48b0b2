"""Latents to start from, in the space W, W+ or S, and the statistics of w by which distances there are measured."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from latentlab.mapping import check_has_w, map_any_class
from latentlab.projection.settings import ProjectionSpace
from latentlab.rendering import Latents, check_has_styles, from_styles, styles_of, synthesis_module
from latentlab.reprs import ShortRepr
from stylegan2.defaults import plain_defaults
from stylegan2.mobile import PREVIEW
from stylegan2.protocol import Generator


def check_space(generator: Generator, space: ProjectionSpace) -> None:
    """Raise UserError if the generator cannot be projected into `space`."""
    synthesis_module(generator)
    check_has_w(generator, "projection")
    if space == "s":
        check_has_styles(generator)


def latents_from_ws(ws: Tensor, generator: Generator, space: ProjectionSpace) -> Latents:
    """Latents of `ws (b, num_ws, w_dim)` in a space; in W the mean of the rows."""
    if space == "w":
        return {"w": ws.mean(dim=1)}
    if space == "w+":
        return {"ws": ws.clone()}
    # A preview's own style is not part of the full image, which alone is compared in S.
    styles = {name: style.clone() for name, style in styles_of({"ws": ws}, generator).items() if name != PREVIEW}
    return from_styles(styles)


@dataclass(frozen=True, eq=False, repr=False)
class WStatistics(ShortRepr):
    """Mean and spread of a generator's w.

    Attributes
    ----------
    mean
        `(w_dim,)`.
    sigma
        sqrt(E|w − mean|²).
    """

    mean: Tensor
    sigma: float


@torch.no_grad()
@plain_defaults()
def draw_w(generator: Generator, samples: int, seed: int = 123) -> Tensor:
    """Draw w `(samples, w_dim)` of random z, on the generator's device."""
    rng = torch.Generator().manual_seed(seed)
    device = generator.w_avg.device
    return torch.cat(
        [
            map_any_class(generator, torch.randn(n, generator.z_dim, generator=rng).to(device))[:, 0]
            for n in (min(1000, samples - start) for start in range(0, samples, 1000))
        ]
    )


@torch.no_grad()
@plain_defaults()
def w_statistics(generator: Generator, samples: int = 10_000, seed: int = 123) -> WStatistics:
    """Mean and sigma of w over random z, as the StyleGAN2 paper's projector takes them (appendix D)."""
    w = draw_w(generator, samples, seed)
    mean = w.mean(dim=0)
    return WStatistics(mean, float((w - mean).square().sum(dim=1).mean().sqrt()))
