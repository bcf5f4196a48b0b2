"""The noise that synthesis layers add, and where its randomness comes from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias, get_args

import torch
from torch import Tensor

from stylegan2.derived import derived
from stylegan2.protocol import NoiseMode

NoiseSource: TypeAlias = torch.Generator | Sequence[torch.Generator] | None
"""Where random noise comes from: one generator, one for each image, or None for torch's global one."""


def random_source(rng: NoiseSource | int) -> NoiseSource:
    """Return a torch.Generator for an int, a seed for draws on the CPU, the same on every device; else `rng` itself."""
    return torch.Generator().manual_seed(rng) if isinstance(rng, int) else rng


def check_noise_mode(noise_mode: str) -> None:
    """Raise ValueError unless `noise_mode` is one of const, random, none."""
    if noise_mode not in get_args(NoiseMode):
        raise ValueError(f"noise_mode must be 'const', 'random' or 'none', not {noise_mode!r}")


def layer_noise(
    noise_mode: NoiseMode,
    noise_const: Tensor,
    noise_strength: Tensor,
    batch: int,
    rng: NoiseSource,
    gain: float,
    dtype: torch.dtype,
) -> Tensor | None:
    """Return the noise of one layer in type `dtype`, `(r, r)` or `(batch, 1, r, r)`; None for no noise.

    It is scaled by its strength and by `gain`. 'const' is the stored map, the same for every image; 'random' draws one
    per image from `rng` or, without one, from torch's global generator of the layer's device.
    """
    if noise_mode == "none":
        return None
    if noise_mode == "const":
        name = f"noise {gain} {dtype}"
        return derived(name, lambda noise, strength: (noise * (strength * gain)).to(dtype), noise_const, noise_strength)
    return (random_noise(noise_const, batch, rng) * (noise_strength * gain)).to(dtype)


def random_noise(noise_const: Tensor, batch: int, rng: NoiseSource) -> Tensor:
    """Draw noise in place of `noise_const (r, r)`: `(batch, 1, r, r)` from `rng`, or torch's global generator."""
    if isinstance(rng, Sequence):
        return torch.cat([random_noise(noise_const, 1, one) for one in rng])
    device = noise_const.device if rng is None else rng.device
    shape = (batch, 1, *noise_const.shape)
    return torch.randn(shape, generator=rng, dtype=torch.float32, device=device).to(noise_const.device)
