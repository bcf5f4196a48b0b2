"""The kinds of networks that checkpoints hold, each known by its configuration."""

from __future__ import annotations

from typing import Any

from stylegan2.config import DiscriminatorConfig, GeneratorConfig
from stylegan2.discriminator import Discriminator
from stylegan2.errors import CheckpointError
from stylegan2.growing import GrowingDiscriminator, GrowingDiscriminatorConfig
from stylegan2.mobile import MobileConfig, MobileGenerator
from stylegan2.networks import Generator
from stylegan2.progressive import ProgressiveConfig, ProgressiveGenerator
from stylegan2.stylegan1 import StyleGANConfig, StyleGANGenerator

AnyGenerator = Generator | MobileGenerator | StyleGANGenerator | ProgressiveGenerator
AnyDiscriminator = Discriminator | GrowingDiscriminator
Network = AnyGenerator | AnyDiscriminator
Config = (
    GeneratorConfig
    | MobileConfig
    | DiscriminatorConfig
    | StyleGANConfig
    | ProgressiveConfig
    | GrowingDiscriminatorConfig
)

# By the names that the project's own files use.
KINDS: dict[str, type[Config]] = {
    "generator": GeneratorConfig,
    "discriminator": DiscriminatorConfig,
    "mobile-generator": MobileConfig,
    "stylegan-generator": StyleGANConfig,
    "progressive-generator": ProgressiveConfig,
    "growing-discriminator": GrowingDiscriminatorConfig,
}
_NETWORKS: dict[type, type[Network]] = {
    GeneratorConfig: Generator,
    DiscriminatorConfig: Discriminator,
    MobileConfig: MobileGenerator,
    StyleGANConfig: StyleGANGenerator,
    ProgressiveConfig: ProgressiveGenerator,
    GrowingDiscriminatorConfig: GrowingDiscriminator,
}


def kind_of(config: object) -> str:
    """Return the name of the kind of networks that have such a configuration."""
    for kind, known in KINDS.items():
        if type(config) is known:
            return kind
    raise CheckpointError(f"no kind of network has a configuration of type {type(config).__name__}")


def new_network(config: Config) -> Network:
    """Make the network of a configuration, with random weights."""
    make: Any = _NETWORKS[type(config)]  # of the same kind as the configuration
    network: Network = make(config)
    return network


def is_discriminator(kind: str) -> bool:
    """Whether networks of a kind are discriminators."""
    return kind.endswith("discriminator")
