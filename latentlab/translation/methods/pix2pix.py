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
from latentlab.translation.methods.adversarial import AdversarialConfig, AdversarialMethod
from latentlab.translation.methods.base import OptimiserStep, network_dict
from latentlab.translation.networks import PatchConfig, ResNetConfig, UNetConfig
from latentlab.translation.networks.padding import pad
from latentlab.translation.sizes import Size
from stylegan2.defaults import own_draws


@dataclass(frozen=True)
class Pix2PixConfig(AdversarialConfig):
    """Configuration of pix2pix.

    Attributes
    ----------
    generator
        Shape of the generator.
    discriminator
        Shape of the discriminator, which sees the input stacked with the output.
    objective
        Adversarial objective, see `latentlab.translation.objectives`.
    gan_weight, l1_weight
        Weights of the two losses of equation (4); without the first there is no discriminator.
    """

    generator: UNetConfig | ResNetConfig = field(default_factory=UNetConfig)
    discriminator: PatchConfig = field(default_factory=lambda: PatchConfig(channels=6, norm="batch"))
    objective: str = "vanilla"
    gan_weight: float = 1.0
    l1_weight: float = 100.0

    def __post_init__(self) -> None:
        super().__post_init__()
        stacked = self.generator.input_channels + self.generator.output_channels
        if self.discriminator.channels != stacked:
            raise UserError(f"this discriminator must take {stacked} channels, not {self.discriminator.channels}")
        if not (self.gan_weight >= 0 and self.l1_weight >= 0 and self.gan_weight + self.l1_weight > 0):
            raise UserError(f"weights of losses are 0 or more, and one is not 0: {self}")

    @classmethod
    def for_resolution(cls, resolution: Size, base_channels: int) -> Pix2PixConfig:
        """See `TranslationConfig` and `UNetConfig.for_resolution`."""
        discriminator = PatchConfig(ndf=base_channels, channels=6, norm="batch")
        return cls(UNetConfig.for_resolution(resolution, base_channels), discriminator)

    @own_draws()
    def build(self, seed: int = 0) -> Pix2Pix:
        """See `TranslationConfig`."""
        return Pix2Pix(self, seed)

    def for_channels(self, a: int, b: int) -> Pix2PixConfig:
        """See `TranslationConfig`."""
        generator = replace(self.generator, input_channels=a, output_channels=b)
        return replace(self, generator=generator, discriminator=replace(self.discriminator, channels=a + b))

    @property
    def channels(self) -> tuple[int, int]:
        """See `TranslationConfig`."""
        return self.generator.input_channels, self.generator.output_channels

    def without_skips(self) -> Pix2PixConfig:
        """Return the configuration with an encoder-decoder in place of the U-Net.

        Raises
        ------
        UserError
            The generator is not a U-Net.
        """
        if not isinstance(self.generator, UNetConfig):
            raise UserError(f"only a U-Net has skips, unlike {self.generator}")
        return replace(self, generator=replace(self.generator, skips=False))

    def with_receptive_field(self, pixels: int) -> Pix2PixConfig:
        """Return the configuration with another receptive field of the discriminator."""
        return replace(self, discriminator=replace(self.discriminator, receptive_field=pixels))


class Pix2Pix(AdversarialMethod):
    """pix2pix; the discriminator steps first."""

    name = "pix2pix"
    config_class = Pix2PixConfig
    paired = True
    # Tables 1 to 3 and figures 4 to 6 of the paper.
    variants = {
        "l1": lambda paper: replace(paper, gan_weight=0.0),
        "cgan": lambda paper: replace(paper, l1_weight=0.0),
        "encoder-decoder": lambda paper: paper.without_skips(),
        "encoder-decoder-l1": lambda paper: replace(paper.without_skips(), gan_weight=0.0),
        "pixel": lambda paper: paper.with_receptive_field(1),
        "patch-16": lambda paper: paper.with_receptive_field(16),
        "image": lambda paper: paper.with_receptive_field(286),
    }
    generators = {"a2b": "G"}

    config: Pix2PixConfig

    def __init__(self, config: Pix2PixConfig, seed: int = 0):
        super().__init__(config)
        generator = config.generator.build()
        self._accepted = generator.size_multiple, generator.least_size
        networks: dict[str, torch.nn.Module] = {"G": generator}
        self.optimiser_networks = {"generator": ("G",)}
        if config.gan_weight:
            networks["D"] = config.discriminator.build()
            self.optimiser_networks = {"discriminator": ("D",), "generator": ("G",)}
        self.networks = network_dict(networks, seed)

    def optimiser_steps(self, batch: Batch, rng: torch.Generator) -> Iterator[OptimiserStep]:
        """See `TranslationMethod`."""
        a, b = batch["a"], batch["b"]
        fake = self._translated(a)
        if self.config.gan_weight:
            judged = self.judge(self.networks["D"], rng, given=a.shape[1])
            real_pair, fake_pair = torch.cat([a, b], dim=1), torch.cat([a, fake.detach()], dim=1)
            yield OptimiserStep("discriminator", self.discriminator_losses("", judged, real_pair, fake_pair, rng))
        losses = {"l1": self.config.l1_weight * l1(fake, b)} if self.config.l1_weight else {}
        losses |= self.perceptual_losses(lpips=(fake, b))
        if self.config.gan_weight:
            logits = judged(torch.cat([a, fake], dim=1))
            losses["gan"] = self.config.gan_weight * self.objective.generator(logits)
        yield OptimiserStep("generator", losses)

    def preview(self, batch: Batch) -> list[Tensor]:
        """Return the input, the translation and the truth."""
        return [batch["a"], self._translated(batch["a"]), batch["b"]]

    def _translated(self, a: Tensor) -> Tensor:
        """Return the translations of `a (b, c, h, w)`, padded on the way as a `Translator` pads."""
        multiple, least = self._accepted
        made: Tensor = self.networks["G"](pad(a, multiple, least))
        return made[..., : a.shape[2], : a.shape[3]]
