"""The kinds of networks that checkpoints hold, each known by its configuration."""

from __future__ import annotations

from stylegan2.config import DiscriminatorConfig, GeneratorConfig
from stylegan2.discriminator import Discriminator
from stylegan2.errors import CheckpointError
from stylegan2.mobile import MobileConfig, MobileGenerator
from stylegan2.networks import Generator

Network = Generator | MobileGenerator | Discriminator
Config = GeneratorConfig | MobileConfig | DiscriminatorConfig

# By the names that the project's own files use.
KINDS: dict[str, type[Config]] = {
    "generator": GeneratorConfig,
    "discriminator": DiscriminatorConfig,
    "mobile-generator": MobileConfig,
}


def kind_of(config: object) -> str:
    """Return the name of the kind of networks that have such a configuration."""
    for kind, known in KINDS.items():
        if type(config) is known:
            return kind
    raise CheckpointError(f"no kind of network has a configuration of type {type(config).__name__}")


def new_network(config: Config) -> Network:
    """Make the network of a configuration, with random weights."""
    if isinstance(config, MobileConfig):
        return MobileGenerator(config)
    if isinstance(config, DiscriminatorConfig):
        return Discriminator(config)
    return Generator(config)
