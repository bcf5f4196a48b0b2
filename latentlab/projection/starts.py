"""Where a projection starts: the mean of w, the nearest of some random images, or an encoder's guess."""

from __future__ import annotations

from typing import get_args

import torch
from torch import Tensor

from latentlab.errors import UserError
from latentlab.mapping import map_any_class
from latentlab.perceptual import PerceptualDistance
from latentlab.projection.encoder import MIN_RESOLUTION, load_encoder
from latentlab.projection.latents import WStatistics
from latentlab.projection.losses import Target
from latentlab.projection.settings import Start
from latentlab.rendering import Renderer
from stylegan2.defaults import plain_defaults
from stylegan2.protocol import Generator

CANDIDATES = 64
RESOLUTION = 128


@plain_defaults()
def starting_points(
    images: Tensor,
    generator: Generator,
    perceptual: PerceptualDistance,
    statistics: WStatistics,
    start: Start | Tensor = "auto",
    seed: int = 0,
) -> Tensor:
    """Find ws `(n, num_ws, w_dim)` from which to search for `images (n, 3, h, h)`.

    Parameters
    ----------
    images
        `(n, 3, h, h)` in [-1, 1], on the generator's device.
    generator, perceptual, statistics
        Generator, LPIPS, and the generator's statistics of w.
    start
        'average': the mean of w; 'best': the nearest of 64 random images at psi 0.7; 'encoder': the guess of
        the generator's encoder; 'auto': the encoder's where the generator has one and the images are not too small for
        it, or else the average. Or ws.
    seed
        Random seed of 'best'.

    Raises
    ------
    UserError
        If the start is unknown, if ws have another shape, or if there is no encoder for this generator.
    """
    shape = (len(images), generator.num_ws, generator.w_dim)
    if isinstance(start, Tensor):
        if start.shape != shape:
            raise UserError(f"the start must be ws {shape} for these images, not {tuple(start.shape)}")
        return start.detach().to(generator.w_avg)
    if start not in get_args(Start):
        raise UserError(f"the start must be one of {', '.join(get_args(Start))}, not {start!r}")
    if start == "best":
        return nearest(images, generator, perceptual, CANDIDATES, seed)
    fits = images.shape[2] >= MIN_RESOLUTION
    encoder = load_encoder(generator) if start == "encoder" or (start == "auto" and fits) else None
    if encoder is not None:
        with torch.no_grad():
            # One by one: the last bits of a batch depend on its size, and a state is found by its image's start.
            return torch.cat([encoder(image) for image in torch.split(images, 1)])
    if start == "encoder":
        raise UserError("there is no encoder for this generator; start from 'average' or 'best'")
    return statistics.mean.expand(shape).clone()


@torch.no_grad()
def nearest(
    images: Tensor, generator: Generator, perceptual: PerceptualDistance, candidates: int, seed: int, psi: float = 0.7
) -> Tensor:
    """Find ws `(n, num_ws, w_dim)` of the nearest, by LPIPS at 128 pixels, of `candidates` random images."""
    target = Target.of(images, perceptual, RESOLUTION)
    rng = torch.Generator().manual_seed(seed)
    best = torch.full((len(images),), float("inf"), device=images.device)
    found = generator.w_avg.new_zeros(len(images), generator.num_ws, generator.w_dim)
    render = Renderer(generator, generator.resolutions[0])
    for k in range(candidates):
        ws = map_any_class(generator, torch.randn(1, generator.z_dim, generator=rng).to(generator.w_avg.device), psi, k)
        rendered = target.to_size(render(ws))
        own = perceptual.pyramid(rendered)
        for i in range(len(images)):
            distance = perceptual.between(own, target.pyramid[[i]])
            if distance < best[i]:
                best[i], found[i] = distance[0], ws[0]
    return found
