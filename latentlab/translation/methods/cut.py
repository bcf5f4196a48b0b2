"""CUT: two unpaired sets and one generator, whose patches stay recognisable.

Park et al. 2020, "Contrastive Learning for Unpaired Image-to-Image Translation". A patch of the translation should
be more like the patch at the same place in the input than like any other patch of the input, in the features of the
generator's own encoder. There is no way back, which leaves half of CycleGAN's networks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentlab.errors import UserError
from latentlab.translation.data.sources import Batch
from latentlab.translation.losses import patch_nce
from latentlab.translation.methods.adversarial import AdversarialConfig, AdversarialMethod
from latentlab.translation.methods.base import OptimiserStep, network_dict
from latentlab.translation.networks import PatchConfig, ResNetConfig
from latentlab.translation.networks.passes import run_on_each
from latentlab.translation.networks.resnet import Encoder, blocks_for
from latentlab.translation.sizes import Size
from stylegan2.defaults import own_draws

_FIFTH = 5


@dataclass(frozen=True)
class CUTConfig(AdversarialConfig):
    """Configuration of CUT.

    Attributes
    ----------
    generator
        Shape of the generator, whose encoder also gives the features of the patches.
    discriminator
        Shape of the discriminator of B.
    objective
        Adversarial objective, see `latentlab.translation.objectives`.
    contrast_weight
        λ_X of equation (5), for the patches of A.
    identity_weight
        λ_Y, for the patches of B, which should stay as they are; 0 as in FastCUT.
    temperature
        τ of equation (3).
    patches
        Number of places that are compared in each layer.
    features
        Channels that the features of each layer are projected to.
    """

    generator: ResNetConfig = field(default_factory=ResNetConfig)
    discriminator: PatchConfig = field(default_factory=PatchConfig)
    objective: str = "least-squares"
    contrast_weight: float = 1.0
    identity_weight: float = 1.0
    temperature: float = 0.07
    patches: int = 256
    features: int = 256

    def __post_init__(self) -> None:
        super().__post_init__()
        a, b = self.channels
        if self.discriminator.channels != b:
            raise UserError(f"the discriminator of B takes its {b} channels, not {self.discriminator.channels}")
        if a != b:
            raise UserError(f"the encoder sees images of both kinds, which have {a} and {b} channels: take CycleGAN")
        if (
            min(self.contrast_weight, self.identity_weight) < 0
            or min(self.temperature, self.patches, self.features) <= 0
        ):
            raise UserError(f"weights are 0 or more; temperature, patches and features are more: {self}")

    @classmethod
    def for_resolution(cls, resolution: Size, base_channels: int) -> CUTConfig:
        """See `TranslationConfig`."""
        return cls(ResNetConfig(blocks_for(resolution), base_channels), PatchConfig(ndf=base_channels))

    def for_channels(self, a: int, b: int) -> CUTConfig:
        """See `TranslationConfig`; A and B have the same number."""
        return replace(
            self,
            generator=replace(self.generator, input_channels=a, output_channels=b),
            discriminator=replace(self.discriminator, channels=b),
        )

    @property
    def channels(self) -> tuple[int, int]:
        """See `TranslationConfig`."""
        return self.generator.input_channels, self.generator.output_channels

    @own_draws()
    def build(self, seed: int = 0) -> CUT:
        """See `TranslationConfig`."""
        return CUT(self, seed)


class CUT(AdversarialMethod):
    """CUT; the discriminator steps first."""

    name = "cut"
    config_class = CUTConfig
    variants = {"fast": lambda paper: replace(paper, contrast_weight=10.0, identity_weight=0.0)}
    optimiser_networks = {"discriminator": ("D",), "generator": ("G", "F")}
    generators = {"a2b": "G"}
    config: CUTConfig

    def __init__(self, config: CUTConfig, seed: int = 0):
        super().__init__(config)
        networks = {"G": config.generator.build(), "D": config.discriminator.build()}
        heads = nn.ModuleList(_Head(width, config.features) for width in _widths(config.generator))
        self.networks = network_dict({**networks, "F": heads}, seed)

    def optimiser_steps(self, batch: Batch, rng: torch.Generator) -> Iterator[OptimiserStep]:
        """See `TranslationMethod`."""
        a, b = batch["a"], batch["b"]
        generator, config = self.networks["G"], self.config
        judged = self.judge(self.networks["D"], rng)
        whole = bool(config.identity_weight or config.perceptual_weight)
        fake, *same = run_on_each(generator, [a], *[[b]] * whole)
        yield OptimiserStep("discriminator", self.discriminator_losses("", judged, b, fake.detach(), rng))
        losses = {"gan": self.objective.generator(judged(fake))}
        losses["contrast"] = config.contrast_weight * self.contrast(fake, a, rng)
        if whole:
            losses |= self.perceptual_losses(lpips=(same[0], b))
        if config.identity_weight:
            losses["identity"] = config.identity_weight * self.contrast(same[0], b, rng)
        yield OptimiserStep("generator", losses)

    def contrast(self, made: Tensor, given: Tensor, rng: torch.Generator) -> Tensor:
        """PatchNCE, equation (4): the mean over the layers of the mean over the patches."""
        encoder: Any = self.networks["G"].encoder
        heads: Any = self.networks["F"]
        losses = []
        with torch.no_grad():  # what is to be kept does not move towards what keeps it
            kept = list(_features(encoder, given))
        for head, own, others in zip(heads, _features(encoder, made), kept, strict=True):
            places = torch.randperm(own.shape[2] * own.shape[3], generator=rng)[: self.config.patches].to(own.device)
            queries, keys = (head(x.flatten(2)[:, :, places].transpose(1, 2)) for x in (own, others))
            losses.append(patch_nce(queries, keys, self.config.temperature))
        return torch.stack(losses).mean()

    def preview(self, batch: Batch) -> list[Tensor]:
        """Return A, translated to B; B, which should stay B."""
        generator = self.networks["G"]
        return [batch["a"], generator(batch["a"]), batch["b"], generator(batch["b"])]


class _Head(nn.Module):
    """Projection of features `(b, n, c)` to the unit sphere."""

    def __init__(self, width: int, features: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(width, features), nn.Linear(features, features)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return F.normalize(self.second(F.relu(self.first(x))).float(), dim=2)


def _features(encoder: Encoder, images: Tensor) -> Iterator[Tensor]:
    """Yield the pixels, the outputs of the two convolutions that halve, and those of the first and the fifth block."""
    yield images
    x = images
    for k, (conv, norm) in enumerate(zip(encoder.convs, encoder.norms, strict=True)):
        x = conv(x)
        if k:
            yield x
        x = F.relu(norm(x))
    chosen = _blocks(len(encoder.blocks))
    for k, block in enumerate(encoder.blocks[: max(chosen, default=-1) + 1]):
        x = block(x)
        if k in chosen:
            yield x


def _widths(config: ResNetConfig) -> list[int]:
    """Channels of `_features`."""
    return [config.input_channels, 2 * config.ngf, *[4 * config.ngf] * (1 + len(_blocks(config.blocks)))]


def _blocks(count: int) -> list[int]:
    """Residual blocks of `count` whose features are compared: the first and the fifth, or the last of fewer."""
    return sorted({0, min(count, _FIFTH) - 1}) if count else []
