"""CycleGAN: two unpaired sets, and cycle consistency.

Zhu et al. 2017, "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks".
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
from latentlab.translation.networks.passes import run_on_each
from latentlab.translation.networks.resnet import blocks_for
from latentlab.translation.pool import ImagePool
from latentlab.translation.sizes import Size
from stylegan2.defaults import own_draws


@dataclass(frozen=True)
class CycleGANConfig(AdversarialConfig):
    """Configuration of CycleGAN.

    Attributes
    ----------
    generator
        Shape of the generator from A to B; the other one has its channels exchanged.
    discriminator
        Shape of the discriminator of B; that of A has the channels of A.
    objective
        Adversarial objective, see `latentlab.translation.objectives`.
    cycle_weight
        λ of equation (3).
    identity_weight
        Weight of the identity loss of section 5.2, in units of `cycle_weight`; 0 where A and B differ in channels.
    pool_size
        Number of generated images kept for each discriminator.
    """

    generator: ResNetConfig | UNetConfig = field(default_factory=ResNetConfig)
    discriminator: PatchConfig = field(default_factory=PatchConfig)
    objective: str = "least-squares"
    cycle_weight: float = 10.0
    identity_weight: float = 0.5
    pool_size: int = 50

    def __post_init__(self) -> None:
        super().__post_init__()
        a, b = self.channels
        if self.discriminator.channels != b:
            raise UserError(f"the discriminator of B takes its {b} channels, not {self.discriminator.channels}")
        if a != b and self.identity_weight:
            raise UserError(f"images of {a} channels are none of {b}: without identity loss (identity_weight=0) alone")
        if min(self.cycle_weight, self.identity_weight, self.pool_size) < 0:
            raise UserError(f"weights of losses and the pool's size are 0 or more, unlike {self}")

    @classmethod
    def for_resolution(cls, resolution: Size, base_channels: int) -> CycleGANConfig:
        """See `TranslationConfig`."""
        return cls(ResNetConfig(blocks_for(resolution), base_channels), PatchConfig(ndf=base_channels))

    def for_channels(self, a: int, b: int) -> CycleGANConfig:
        """See `TranslationConfig`; without identity loss where the two differ."""
        return replace(
            self,
            generator=replace(self.generator, input_channels=a, output_channels=b),
            discriminator=replace(self.discriminator, channels=b),
            identity_weight=self.identity_weight if a == b else 0.0,
        )

    @property
    def channels(self) -> tuple[int, int]:
        """See `TranslationConfig`."""
        return self.generator.input_channels, self.generator.output_channels

    @own_draws()
    def build(self, seed: int = 0) -> CycleGAN:
        """See `TranslationConfig`."""
        return CycleGAN(self, seed)


class CycleGAN(AdversarialMethod):
    """CycleGAN; the generators step first. G_A makes B from A and D_A judges B, as in the published code."""

    name = "cyclegan"
    config_class = CycleGANConfig
    optimiser_networks = {"generator": ("G_A", "G_B"), "discriminator": ("D_A", "D_B")}
    generators = {"a2b": "G_A", "b2a": "G_B"}

    config: CycleGANConfig

    def __init__(self, config: CycleGANConfig, seed: int = 0):
        super().__init__(config)
        a, b = config.channels
        back = replace(config.generator, input_channels=b, output_channels=a)
        generators = {"G_A": config.generator.build(), "G_B": back.build()}
        discriminators = {"D_A": config.discriminator.build(), "D_B": replace(config.discriminator, channels=a).build()}
        self.networks = network_dict({**generators, **discriminators}, seed)
        self.pools = {"b": ImagePool(config.pool_size), "a": ImagePool(config.pool_size)}

    def optimiser_steps(self, batch: Batch, rng: torch.Generator) -> Iterator[OptimiserStep]:
        """See `TranslationMethod`."""
        a, b, (g_a, g_b, d_a, d_b) = batch["a"], batch["b"], self.networks.values()
        judged_b, judged_a = self.judge(d_a, rng), self.judge(d_b, rng)
        keeps = bool(self.config.identity_weight)  # images that are of the wanted kind already
        fake_b, *same_b = run_on_each(g_a, [a], *[[b]] * keeps)
        fake_a, *same_a = run_on_each(g_b, [b], *[[a]] * keeps)
        back_a, back_b = g_b(fake_b), g_a(fake_a)
        losses = {
            "gan_b": self.objective.generator(judged_b(fake_b)),
            "gan_a": self.objective.generator(judged_a(fake_a)),
            "cycle_a": self.config.cycle_weight * l1(back_a, a),
            "cycle_b": self.config.cycle_weight * l1(back_b, b),
            **self.perceptual_losses(lpips_a=(back_a, a), lpips_b=(back_b, b)),
        }
        weight = self.config.cycle_weight * self.config.identity_weight
        if keeps:
            losses |= {"identity_a": weight * l1(same_a[0], a), "identity_b": weight * l1(same_b[0], b)}
        yield OptimiserStep("generator", losses)
        losses = self.discriminator_losses("_b", judged_b, b, self.pools["b"].swap(fake_b, rng), rng)
        losses |= self.discriminator_losses("_a", judged_a, a, self.pools["a"].swap(fake_a, rng), rng)
        yield OptimiserStep("discriminator", losses)

    def preview(self, batch: Batch) -> list[Tensor]:
        """Return A, translated to B, back to A; B, translated to A, back to B."""
        g_a, g_b = self.networks["G_A"], self.networks["G_B"]
        fake_b, fake_a = g_a(batch["a"]), g_b(batch["b"])
        return [batch["a"], fake_b, g_b(fake_b), batch["b"], fake_a, g_a(fake_a)]
