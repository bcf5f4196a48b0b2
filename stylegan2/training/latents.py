"""Codes of generated images in training: z drawn, mapped, and mixed."""

from __future__ import annotations

import torch
from torch import Tensor

from stylegan2.growing import Level
from stylegan2.stylegan1 import StyleGANGenerator
from stylegan2.training.draws import Draws
from stylegan2.training.levels import AnyGenerator


def rows_in_use(generator: AnyGenerator) -> int:
    """Rows of ws that reach the image: fewer while the generator grows."""
    if not isinstance(generator, StyleGANGenerator):
        return generator.num_ws
    return 2 * (Level.of(generator.lod, generator.resolution).resolution.bit_length() - 2)


def drawn_codes(
    generator: AnyGenerator, labels: Tensor | None, draws: Draws, what: str, mixing: float, device: torch.device
) -> tuple[Tensor, Tensor | None]:
    """Draw codes for the generator's synthesis.

    Parameters
    ----------
    generator
        The generator, which maps with gradients.
    labels
        Conditions `(b, c_dim)`; None without.
    draws, what
        The randomness, and what it is for.
    mixing
        Share of the samples whose rows from a random one on come from a second z (Karras et al. 2019, section 3.1).
    device
        Device of the generator.

    Returns
    -------
    tuple of Tensor
        The codes, ws `(b, num_ws, w_dim)` or z `(b, z_dim)`; and w before any mixing, `(b, w_dim)`, None without W.
    """
    z = draws.normal(f"{what}: z", generator.z_dim).to(device)
    codes = generator.mapping(z, labels)
    if not generator.num_ws:
        return codes, None
    w, rows = codes[:, 0], rows_in_use(generator)
    if mixing and rows > 1:
        second = generator.mapping(draws.normal(f"{what}: second z", generator.z_dim).to(device), labels)
        chance, place = draws.uniform(f"{what}: mixing", 2).unbind(1)
        first = torch.where(chance < mixing, 1 + (place * (rows - 1)).floor(), generator.num_ws)  # of the second z
        later = torch.arange(generator.num_ws) >= first[:, None]  # (b, num_ws)
        codes = torch.where(later[:, :, None].to(device), second, codes)
    return codes, w
