"""Where a projection starts: the mean of w, the nearest of some random pictures, or an encoder's guess."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

from latentlab.errors import UserError
from latentlab.perceptual import PerceptualDistance
from latentlab.projection.canvas import WStatistics
from latentlab.projection.encoder import for_generator
from latentlab.projection.losses import Target
from stylegan2.protocol import Generator

Start = Literal["auto", "average", "best", "encoder"]

CANDIDATES = 64
SIDE = 128


def starting_points(
    start: Start | Tensor,
    pictures: Tensor,
    generator: Generator,
    perceptual: PerceptualDistance,
    statistics: WStatistics,
    seed: int = 0,
) -> Tensor:
    """ws `(n, num_ws, w_dim)` from which to search for `pictures (n, 3, h, h)`.

    Parameters
    ----------
    start
        'average': the mean of w; 'best': the nearest of 64 random pictures at psi 0.7; 'encoder': the guess of
        the generator's encoder; 'auto': the encoder's where the generator has one, or else the average. Or ws.

    Raises
    ------
    UserError
        An unknown start, ws of another shape, or there is no encoder for this generator.
    """
    _n, shape = len(pictures), (len(pictures), generator.num_ws, generator.w_dim)
    if isinstance(start, Tensor):
        if start.shape != shape:
            raise UserError(f"the start must be ws {shape} for these pictures, not {tuple(start.shape)}")
        return start.detach().to(generator.w_avg)
    if start not in get_args(Start):
        raise UserError(f"a start is one of {', '.join(get_args(Start))}, not {start!r}")
    if start == "best":
        return nearest(pictures, generator, perceptual, CANDIDATES, seed)
    encoder = for_generator(generator) if start in ("auto", "encoder") else None
    if encoder is not None:
        with torch.no_grad():
            return encoder(pictures)
    if start == "encoder":
        raise UserError("there is no encoder for this generator; start from 'average' or 'best'")
    return statistics.mean.expand(shape).clone()


@torch.no_grad()
def nearest(
    pictures: Tensor, generator: Generator, perceptual: PerceptualDistance, candidates: int, seed: int, psi: float = 0.7
) -> Tensor:
    """ws `(n, num_ws, w_dim)` of the nearest, by LPIPS at 128 pixels, of `candidates` random pictures."""
    target = Target.of(pictures, None, perceptual, SIDE)
    rng = torch.Generator().manual_seed(seed)
    best = torch.full((len(pictures),), float("inf"), device=pictures.device)
    found = generator.w_avg.new_zeros(len(pictures), generator.num_ws, generator.w_dim)
    for _ in range(candidates):
        ws = generator.mapping(torch.randn(1, generator.z_dim, generator=rng).to(generator.w_avg.device), psi=psi)
        rendered = target.to_size(generator.synthesis(ws, resolution=generator.resolutions[0]))
        own = perceptual.pyramid(rendered)
        for i in range(len(pictures)):
            distance = perceptual.between(own, target.pyramid[[i]])
            if distance < best[i]:
                best[i], found[i] = distance[0], ws[0]
    return found
