"""InstaGAN: two unpaired sets whose images come with the masks of their instances.

Mo et al. 2019, "InstaGAN: Instance-aware Image-to-Image Translation". Unlike the original it takes batches of any
size, and images with any number of instances: see `latentlab.translation.networks.instagan` for their representation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor, nn

from latentlab.errors import UserError
from latentlab.translation.augment import augment
from latentlab.translation.data.sources import Batch
from latentlab.translation.losses import context_loss, context_weight, l1
from latentlab.translation.methods.adversarial import AdversarialConfig, AdversarialMethod
from latentlab.translation.methods.base import OptimiserStep, network_dict
from latentlab.translation.networks import InstaDiscriminatorConfig, InstaGeneratorConfig
from latentlab.translation.networks.instagan import AT_ONCE, present, translate_instances
from latentlab.translation.networks.passes import run_on_each
from latentlab.translation.networks.resnet import blocks_for
from latentlab.translation.objectives import objective
from latentlab.translation.pool import ImagePool
from latentlab.translation.sizes import Size
from stylegan2.defaults import own_draws


@dataclass(frozen=True)
class InstaGANConfig(AdversarialConfig):
    """Configuration of InstaGAN.

    Attributes
    ----------
    generator, discriminator
        Shapes of both generators and of both discriminators.
    objective
        Adversarial objective without a penalty, see `latentlab.translation.objectives`.
    cycle_weight
        Weight of the cycle loss of images and masks.
    identity_weight, context_weight
        Weights of the identity and the context loss, in units of `cycle_weight`.
    instances
        Largest number of instances of an image that are translated; these are the largest ones.
    at_once
        Instances in each step of the sequential mini-batch translation (section 2.3).
    pool_size
        Number of generated images, with their masks, kept for each discriminator.
    """

    generator: InstaGeneratorConfig = field(default_factory=InstaGeneratorConfig)
    discriminator: InstaDiscriminatorConfig = field(default_factory=InstaDiscriminatorConfig)
    objective: str = "least-squares"
    cycle_weight: float = 10.0
    identity_weight: float = 1.0
    context_weight: float = 1.0
    instances: int = 4
    at_once: int = AT_ONCE
    pool_size: int = 50

    takes_spectral_norm: ClassVar[bool] = False  # its discriminator has it already, besides the normalisation

    def __post_init__(self) -> None:
        super().__post_init__()
        if objective(self.objective).penalty_weight:
            raise UserError(f"InstaGAN takes no {self.objective}: a penalty between sets of masks is not defined")
        if min(self.cycle_weight, self.identity_weight, self.context_weight, self.pool_size) < 0:
            raise UserError(f"weights of losses and the pool's size are 0 or more, unlike {self}")
        if not 1 <= self.at_once <= self.instances or self.instances % self.at_once:
            raise UserError(f"instances are a multiple of those at once: not {self.instances} by {self.at_once}")

    @classmethod
    def for_resolution(cls, resolution: Size, base_channels: int) -> InstaGANConfig:
        """See `TranslationConfig`."""
        generator = InstaGeneratorConfig(blocks_for(resolution), base_channels)
        return cls(generator, InstaDiscriminatorConfig(base_channels))

    @own_draws()
    def build(self, seed: int = 0) -> InstaGAN:
        """See `TranslationConfig`."""
        return InstaGAN(self, seed)

    @property
    def masks_per_image(self) -> int:
        """See `TranslationConfig`: `instances`."""
        return self.instances


@dataclass
class _MiniBatch:
    """A mini-batch of instances, translated: images `(r, 3, h, w)` and masks `(r, k, h, w)` before and after.

    Attributes
    ----------
    all_masks
        `(r, n, h, w)`: masks translated so far, those of this mini-batch with their gradients, for the discriminator.
    """

    images: Tensor
    masks: Tensor
    made: Tensor
    made_masks: Tensor
    all_masks: Tensor


@dataclass
class _Translation:
    """A batch of images on its way to the other set, some of their instances at a time.

    Attributes
    ----------
    source, target
        Names of its set and of the other one, 'a' or 'b'.
    generator, inverse
        Generators to the other set and back.
    discriminator
        Discriminator of the other set.
    images
        `(b, 3, h, w)`: images with the instances translated so far.
    masks
        `(b, n, h, w)`: masks of all instances, in the order of their translation.
    translated
        `(b, k, h, w)`: masks of the k instances translated so far.
    """

    source: str
    target: str
    generator: nn.Module
    inverse: nn.Module
    discriminator: nn.Module
    images: Tensor
    masks: Tensor
    translated: Tensor

    def next_rows(self, count: int) -> Tensor:
        """Return the indices of the images that have an instance among the next `count`."""
        return present(self._next(count)).any(dim=1).nonzero()[:, 0]

    def _next(self, count: int) -> Tensor:
        done = self.translated.shape[1]
        return self.masks[:, done : done + count]

    def advance(self, rows: Tensor, count: int) -> _MiniBatch:
        """Translate the next `count` instances of some images, and continue from the detached result."""
        images, masks = self.images[rows], self._next(count)[rows]
        image, mask = self.generator(images, masks)
        made, made_masks = image.float(), mask.float()  # they are half precision in mixed precision
        all_masks = torch.cat([self.translated[rows], made_masks], dim=1)
        self.images = self.images.index_copy(0, rows, made.detach())
        none = torch.full_like(self._next(count), -1)
        self.translated = torch.cat([self.translated, none.index_copy(0, rows, made_masks.detach())], dim=1)
        return _MiniBatch(images, masks, made, made_masks, all_masks)


class InstaGAN(AdversarialMethod):
    """InstaGAN; generators and discriminators step once for each mini-batch of instances, the generators first."""

    name = "instagan"
    config_class = InstaGANConfig
    optimiser_networks = {"generator": ("G_A", "G_B"), "discriminator": ("D_A", "D_B")}
    generators = {"a2b": "G_A", "b2a": "G_B"}

    config: InstaGANConfig

    def __init__(self, config: InstaGANConfig, seed: int = 0):
        super().__init__(config)
        generators = {name: config.generator.build() for name in ("G_A", "G_B")}
        discriminators = {name: config.discriminator.build() for name in ("D_A", "D_B")}
        self.networks = network_dict({**generators, **discriminators}, seed)
        self.pools = {"b": ImagePool(config.pool_size), "a": ImagePool(config.pool_size)}

    def optimiser_steps(self, batch: Batch, rng: torch.Generator) -> Iterator[OptimiserStep]:
        """See `TranslationMethod`. Images without further instances sit out; once all do, there are no more steps."""
        g_a, g_b, d_a, d_b = self.networks.values()
        translations = [
            _Translation("a", "b", g_a, g_b, d_a, batch["a"], batch["a_masks"], batch["a_masks"][:, :0]),
            _Translation("b", "a", g_b, g_a, d_b, batch["b"], batch["b_masks"], batch["b_masks"][:, :0]),
        ]
        for _ in range(0, self.config.instances, self.config.at_once):
            losses: dict[str, Tensor] = {}
            made: list[tuple[_Translation, _MiniBatch]] = []
            for one in translations:
                rows = one.next_rows(self.config.at_once)
                if not len(rows):
                    continue
                mini_batch = one.advance(rows, self.config.at_once)
                logits = self._logits(one, mini_batch.made, mini_batch.all_masks, rng)
                losses[f"gan_{one.target}"] = self.objective.generator(logits)
                losses |= self._reconstruction_losses(one, mini_batch)
                made.append((one, mini_batch))
            if not made:
                return
            yield OptimiserStep("generator", losses)
            losses = {f"d_{one.target}": self._discriminator_loss(one, batch, fake, rng) for one, fake in made}
            yield OptimiserStep("discriminator", losses)

    def _discriminator_loss(
        self, translation: _Translation, batch: Batch, fake: _MiniBatch, rng: torch.Generator
    ) -> Tensor:
        images, masks, target = fake.made.detach(), fake.all_masks.detach(), translation.target
        real = self._logits(translation, batch[target], batch[f"{target}_masks"], rng)
        none = masks.new_full((len(masks), self.config.instances - masks.shape[1], *masks.shape[2:]), -1)
        seen = self.pools[target].swap(torch.cat([images, masks, none], dim=1), rng)
        channels = images.shape[1]
        logits = self._logits(translation, seen[:, :channels], seen[:, channels:], rng)
        return self.objective.discriminator(real, logits)

    def _logits(self, translation: _Translation, images: Tensor, masks: Tensor, rng: torch.Generator) -> Tensor:
        """Judge images with masks, augmented alike if the configuration says so."""
        if self.config.diff_augment:
            images, masks = augment(images, masks, -1.0, rng)
        logits: Tensor = translation.discriminator(images, masks)
        return logits

    def _reconstruction_losses(self, translation: _Translation, batch: _MiniBatch) -> dict[str, Tensor]:
        """Losses that preserve an image and its masks: cycle, identity, context."""
        name, back, weight = translation.source, translation.inverse, self.config.cycle_weight
        source = torch.cat([batch.images, batch.masks], dim=1)
        keeps = bool(self.config.identity_weight)  # images that are of the wanted kind already
        (again, masks_again), *same = run_on_each(
            back, [batch.made, batch.made_masks], *[[batch.images, batch.masks]] * keeps
        )
        losses = {f"cycle_{name}": weight * l1(torch.cat([again, masks_again], dim=1), source)}
        losses |= self.perceptual_losses(**{f"lpips_{name}": (again, batch.images)})
        for kept in same:
            identity = l1(torch.cat(kept, dim=1), source)
            losses[f"identity_{name}"] = weight * self.config.identity_weight * identity
        if self.config.context_weight:
            outside = context_weight(batch.masks, batch.made_masks)
            context = context_loss(batch.images, batch.made, outside)
            losses[f"context_{name}"] = weight * self.config.context_weight * context
        return losses

    def preview(self, batch: Batch) -> list[Tensor]:
        """Return A and its masks, translated to B with its masks; then B, translated to A."""
        columns = []
        for generator, x in (("G_A", "a"), ("G_B", "b")):
            images, masks = batch[x], batch[f"{x}_masks"]
            made, made_masks = translate_instances(self.networks[generator], images, masks, self.config.at_once)
            columns += [images, _union(masks), made, _union(made_masks)]
        return columns


def _union(masks: Tensor) -> Tensor:
    """Render the union of masks `(b, n, h, w)` as grey images."""
    return masks.amax(dim=1, keepdim=True).expand(-1, 3, -1, -1)
