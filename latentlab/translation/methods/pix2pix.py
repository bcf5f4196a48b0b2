"""pix2pix: pairs, a conditional discriminator, and the L1 distance.

Isola et al. 2017, "Image-to-Image Translation with Conditional Adversarial Networks".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from latentlab.errors import UserError
from latentlab.translation.data.sources import Batch
from latentlab.translation.losses import l1
from latentlab.translation.methods.base import Method, Move, network_dict
from latentlab.translation.networks import PatchConfig, ResNetConfig, UNetConfig, build
from latentlab.translation.objectives import judged, objective


@dataclass(frozen=True)
class Pix2PixConfig:
    """A pix2pix.

    Attributes
    ----------
    generator
        Its shape.
    discriminator
        Its shape; it sees what goes in stacked to what comes out.
    objective
        See `latentlab.translation.objectives`.
    gan_weight, l1_weight
        Of the two losses of equation (4); without the first there is no discriminator.
    """

    generator: UNetConfig | ResNetConfig = field(default_factory=UNetConfig)
    discriminator: PatchConfig = field(default_factory=lambda: PatchConfig(channels=6, norm="batch"))
    objective: str = "vanilla"
    gan_weight: float = 1.0
    l1_weight: float = 100.0

    def __post_init__(self) -> None:
        objective(self.objective)
        stacked = self.generator.input_channels + self.generator.output_channels
        if self.discriminator.channels != stacked:
            raise UserError(f"this discriminator must take {stacked} channels, not {self.discriminator.channels}")
        if not (self.gan_weight >= 0 and self.l1_weight >= 0 and self.gan_weight + self.l1_weight > 0):
            raise UserError(f"weights of losses are 0 or more, and one is not 0: {self}")

    @classmethod
    def of(cls, size: int, width: int) -> Pix2PixConfig:
        """The paper's, for pictures of `size`."""
        return cls().resized(size, width)

    def resized(self, size: int, width: int) -> Pix2PixConfig:
        """The same for pictures of `size`, with `width` feature maps at the thinnest of both networks."""
        generator = replace(self.generator, ngf=width)
        if isinstance(generator, UNetConfig):
            generator = replace(generator, size=size)
        return replace(self, generator=generator, discriminator=replace(self.discriminator, ndf=width))


def _with_patch(receptive_field: int) -> Pix2PixConfig:
    paper = Pix2PixConfig()
    return replace(paper, discriminator=replace(paper.discriminator, receptive_field=receptive_field))


_PLAIN = UNetConfig(skips=False)

# Tables 1 to 3 and figures 4 to 6 of the paper.
ABLATIONS: dict[str, Pix2PixConfig] = {
    "paper": Pix2PixConfig(),
    "l1": Pix2PixConfig(gan_weight=0.0),
    "cgan": Pix2PixConfig(l1_weight=0.0),
    "encoder-decoder": Pix2PixConfig(_PLAIN),
    "encoder-decoder-l1": Pix2PixConfig(_PLAIN, gan_weight=0.0),
    "pixel": _with_patch(1),
    "patch-16": _with_patch(16),
    "image": _with_patch(286),
}


class Pix2Pix(Method):
    """The discriminator moves first."""

    def __init__(self, config: Pix2PixConfig, seed: int = 0):
        self.config, self.objective = config, objective(config.objective)
        networks = {"G": build(config.generator)}
        if config.gan_weight:
            networks["D"] = build(config.discriminator)
        self.networks = network_dict(networks, seed)
        self.players = {"discriminator": ("D",), "generator": ("G",)} if config.gan_weight else {"generator": ("G",)}
        self.ways = {"a2b": "G"}
        self.pools = {}

    def play(self, batch: Batch, rng: torch.Generator) -> Iterator[Move]:
        """See `Method`."""
        a, b = batch["a"], batch["b"]
        fake = self.networks["G"](a)
        if self.config.gan_weight:
            pairs = torch.cat([a, b], dim=1), torch.cat([a, fake.detach()], dim=1)
            yield Move("discriminator", judged(self.objective, "", self.networks["D"], *pairs, rng))
        losses = {"l1": self.config.l1_weight * l1(fake, b)} if self.config.l1_weight else {}
        if self.config.gan_weight:
            logits = self.networks["D"](torch.cat([a, fake], dim=1))
            losses["gan"] = self.config.gan_weight * self.objective.generator(logits)
        yield Move("generator", losses)

    def show(self, batch: Batch) -> list[Tensor]:
        """Before, made, after."""
        return [batch["a"], self.networks["G"](batch["a"]), batch["b"]]
