"""CycleGAN: two unpaired sets, and cycle consistency.

Zhu et al. 2017, "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from latentlab.errors import UserError
from latentlab.translation.data.sources import Batch
from latentlab.translation.losses import l1
from latentlab.translation.methods.base import OptimiserStep, TranslationConfig, TranslationMethod, network_dict
from latentlab.translation.networks import PatchConfig, ResNetConfig, UNetConfig
from latentlab.translation.networks.resnet import blocks_for
from latentlab.translation.objectives import discriminator_losses, objective
from latentlab.translation.pool import ImagePool


@dataclass(frozen=True)
class CycleGANConfig(TranslationConfig):
    """Configuration of CycleGAN.

    Attributes
    ----------
    generator
        Shape of both generators.
    discriminator
        Shape of both discriminators.
    objective
        Adversarial objective, see `latentlab.translation.objectives`.
    cycle_weight
        λ of equation (3).
    identity_weight
        Weight of the identity loss of section 5.2, in units of `cycle_weight`.
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
        objective(self.objective)
        channels = {self.generator.input_channels, self.generator.output_channels, self.discriminator.channels}
        if len(channels) > 1:
            raise UserError(f"all networks of a CycleGAN have one number of channels, not {sorted(channels)}")
        if min(self.cycle_weight, self.identity_weight, self.pool_size) < 0:
            raise UserError(f"weights of losses and the pool's size are 0 or more, unlike {self}")

    @classmethod
    def for_resolution(cls, resolution: int, base_channels: int) -> CycleGANConfig:
        """See `TranslationConfig`."""
        return cls(ResNetConfig(blocks_for(resolution), base_channels), PatchConfig(ndf=base_channels))

    def build(self, seed: int = 0) -> CycleGAN:
        """See `TranslationConfig`."""
        return CycleGAN(self, seed)


class CycleGAN(TranslationMethod):
    """CycleGAN; the generators step first. G_A makes B from A and D_A judges B, as in the published code."""

    name = "cyclegan"
    config_class = CycleGANConfig
    optimiser_networks = {"generator": ("G_A", "G_B"), "discriminator": ("D_A", "D_B")}
    generators = {"a2b": "G_A", "b2a": "G_B"}

    def __init__(self, config: CycleGANConfig, seed: int = 0):
        self.config, self.objective = config, objective(config.objective)
        generators = {name: config.generator.build() for name in ("G_A", "G_B")}
        discriminators = {name: config.discriminator.build() for name in ("D_A", "D_B")}
        self.networks = network_dict({**generators, **discriminators}, seed)
        self.pools = {"b": ImagePool(config.pool_size), "a": ImagePool(config.pool_size)}

    def optimiser_steps(self, batch: Batch, rng: torch.Generator) -> Iterator[OptimiserStep]:
        """See `TranslationMethod`."""
        a, b, (g_a, g_b, d_a, d_b) = batch["a"], batch["b"], self.networks.values()
        fake_b, fake_a = g_a(a), g_b(b)
        losses = {
            "gan_b": self.objective.generator(d_a(fake_b)),
            "gan_a": self.objective.generator(d_b(fake_a)),
            "cycle_a": self.config.cycle_weight * l1(g_b(fake_b), a),
            "cycle_b": self.config.cycle_weight * l1(g_a(fake_a), b),
        }
        if self.config.identity_weight:
            weight = self.config.cycle_weight * self.config.identity_weight
            losses |= {"identity_a": weight * l1(g_b(a), a), "identity_b": weight * l1(g_a(b), b)}
        yield OptimiserStep("generator", losses)
        losses = discriminator_losses(self.objective, "_b", d_a, b, self.pools["b"].swap(fake_b, rng), rng)
        losses |= discriminator_losses(self.objective, "_a", d_b, a, self.pools["a"].swap(fake_a, rng), rng)
        yield OptimiserStep("discriminator", losses)

    def preview(self, batch: Batch) -> list[Tensor]:
        """Return A, translated to B, back to A; B, translated to A, back to B."""
        g_a, g_b = self.networks["G_A"], self.networks["G_B"]
        fake_b, fake_a = g_a(batch["a"]), g_b(batch["b"])
        return [batch["a"], fake_b, g_b(fake_b), batch["b"], fake_a, g_a(fake_a)]
