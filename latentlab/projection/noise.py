"""Noise maps of a generator's layers, to be optimised (Karras et al. 2020, StyleGAN2, appendix D)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from latentlab.rendering import synthesis_module
from stylegan2.protocol import Generator

SMALLEST = 8


def noise_names(generator: Generator) -> list[str]:
    """Names of the noise maps in the synthesis network; empty where it stores none."""
    return [name for name, _ in synthesis_module(generator).named_buffers() if name.endswith("noise_const")]


def fresh_maps(generator: Generator, seed: int) -> dict[str, Tensor]:
    """White noise for every map, `(1, 1, r, r)` by name; a seed gives the same maps on every device."""
    rng = torch.Generator().manual_seed(seed)
    maps = {}
    for name in noise_names(generator):
        stored = synthesis_module(generator).get_buffer(name)
        maps[name] = torch.randn(1, 1, *stored.shape, generator=rng, dtype=torch.float32, device="cpu").to(stored)
    return maps


def noise_regulariser(noise: Tensor) -> Tensor:
    """Measure the structure in maps that should be white: L_i,j of the appendix.

    The squared mean product of a map with itself shifted by a pixel, along both axes, summed over a pyramid
    of averages down to 8 pixels.

    Parameters
    ----------
    noise
        `(b, 1, r, r)`.

    Returns
    -------
    Tensor
        `(b,)`, 0 for white noise of infinite size.
    """
    total = noise.new_zeros(len(noise))
    while True:
        for axis in (2, 3):
            total = total + (noise * noise.roll(1, axis)).mean(dim=(1, 2, 3)).square()
        if min(noise.shape[2:]) <= SMALLEST:
            return total
        noise = F.avg_pool2d(noise, 2)


@torch.no_grad()
def standardise_(noise: Tensor) -> None:
    """Bring each map of `noise (b, 1, r, r)` to mean 0 and mean square 1, in place."""
    noise -= noise.mean(dim=(2, 3), keepdim=True)
    noise *= noise.square().mean(dim=(2, 3), keepdim=True).rsqrt()
