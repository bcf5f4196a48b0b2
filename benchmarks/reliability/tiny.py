"""Tiny networks with seeded random weights: nothing is fetched for them, and every run has the same."""

from __future__ import annotations

import torch

from stylegan2 import Discriminator, DiscriminatorConfig, Generator, GeneratorConfig

# Of files that are damaged a thousand times a minute, and of commands, whose scorer takes 64 pixels at least.
SMALLEST = GeneratorConfig(resolution=8, z_dim=8, w_dim=8, mapping_layers=2, channel_base=64, channel_max=8)
OF_COMMANDS = GeneratorConfig(
    resolution=64, z_dim=16, w_dim=16, mapping_layers=2, mapping_lr_multiplier=1.0, channel_base=512, channel_max=16
)


def generator(config: GeneratorConfig = SMALLEST, seed: int = 0) -> Generator:
    """A generator none of whose weights are 0."""
    rng = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        network = Generator(config).eval().requires_grad_(False)
    for name, value in network.state_dict().items():
        if not name.endswith("resample_filter"):
            scale = 0.2 if name.endswith(("noise_strength", ".bias", "w_avg")) else 1.0
            value.copy_(scale * torch.randn(value.shape, generator=rng))
    return network


def discriminator() -> Discriminator:
    """A discriminator of the smallest size."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        config = DiscriminatorConfig(resolution=8, channel_base=64, channel_max=8)
        return Discriminator(config).eval().requires_grad_(False)
