"""A distilled editor, which learns from edits of generated faces to make such edits in one pass.

Viazovetskyi et al. 2020, "StyleGAN2 Distillation for Feed-forward Image Manipulation".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from latentlab.errors import UserError
from latentlab.translation.data.folders import Reading
from latentlab.translation.data.sets import Folders, OpenedSet
from latentlab.translation.data.sources import Batch
from latentlab.translation.data.strips import strips_in
from latentlab.translation.data.transforms import Augmentation
from latentlab.translation.losses import l1
from latentlab.translation.methods.adversarial import AdversarialConfig, AdversarialMethod
from latentlab.translation.methods.base import OptimiserStep, Techniques, TranslationConfig, network_dict
from latentlab.translation.networks import EditorConfig, PatchConfig
from latentlab.translation.sizes import Size, sides_of
from stylegan2.defaults import own_draws


@dataclass(frozen=True)
class DistilledConfig(AdversarialConfig):
    """Configuration of a distilled editor.

    Attributes
    ----------
    generator
        Shape of the editor.
    discriminator
        Shape of the discriminator, which sees edited images of either kind.
    objective
        Adversarial objective, see `latentlab.translation.objectives`.
    l1_weight, l2_weight, perceptual_weight
        Weights of the mean absolute and of the mean squared difference to the generator's own edit, and of LPIPS
        (AlexNet) to it. Most pixels of an edit stay as they were, and leaving all of them so is a minimum of the first
        that a training does not escape on its own: the second has a slope there.
    mask_weight
        Weight of the mean of the mask, which keeps the edit to where it is needed.
    gan_weight
        Weight of the adversarial loss; without it there is no discriminator.
    """

    generator: EditorConfig = field(default_factory=EditorConfig)
    discriminator: PatchConfig = field(default_factory=lambda: PatchConfig(34, 32))
    objective: str = "least-squares"
    l1_weight: float = 1.0
    l2_weight: float = 20.0
    perceptual_weight: float = field(default=2.0, kw_only=True)
    mask_weight: float = 0.002
    gan_weight: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        compared = (self.l1_weight, self.l2_weight, self.perceptual_weight)
        if min(*compared, self.mask_weight, self.gan_weight) < 0 or not any(compared):
            raise UserError(f"weights of losses are 0 or more, and one of l1, l2 and LPIPS is not 0: {self}")

    @classmethod
    def for_resolution(cls, resolution: Size, base_channels: int) -> DistilledConfig:
        """See `TranslationConfig`; from 256² on the resolution is halved once more."""
        halvings = 3 if min(sides_of(resolution)) < 256 else 4
        return cls(EditorConfig(base_channels=base_channels, halvings=halvings))

    @own_draws()
    def build(self, seed: int = 0) -> Distilled:
        """See `TranslationConfig`."""
        return Distilled(self, seed)

    def with_techniques(self, techniques: Techniques) -> TranslationConfig:
        """See `TranslationConfig`: the editor has techniques of its own, and takes no others."""
        return TranslationConfig.with_techniques(self, techniques)

    def for_attributes(self, names: tuple[str, ...]) -> DistilledConfig:
        """Return the configuration for other attributes."""
        return replace(self, generator=replace(self.generator, attributes=names))


class Distilled(AdversarialMethod):
    """A distilled editor; with an adversarial loss, the discriminator steps first."""

    name = "distilled"
    config_class = DistilledConfig
    paired = True
    generators = {"a2b": "G"}
    config: DistilledConfig

    def __init__(self, config: DistilledConfig, seed: int = 0):
        super().__init__(config)
        editor = config.generator.build()
        networks: dict[str, torch.nn.Module] = {"G": editor}
        self.optimiser_networks = {"generator": ("G",)}
        if config.gan_weight:
            networks["D"] = config.discriminator.build()
            self.optimiser_networks = {"discriminator": ("D",), "generator": ("G",)}
        self.networks = network_dict(networks, seed)
        editor.draw_weights_(seed)

    @classmethod
    def open_folder(
        cls,
        folder: Folders,
        part: str,
        config: TranslationConfig,
        augmentation: Augmentation,
        reading: Reading | None = None,
    ) -> OpenedSet:
        """Open a part of a set of strips; see `latentlab.translation.data.strips`.

        Raises
        ------
        UserError
            The folder has no such part, or no strips of the attributes of the configuration.
        """
        if isinstance(folder, tuple) or not isinstance(config, DistilledConfig):
            raise UserError("a distilled editor learns from a folder of strips, as `latentlab distil` makes it")
        return OpenedSet(strips_in(folder, part, config.generator.attributes, augmentation), ())

    def optimiser_steps(self, batch: Batch, rng: torch.Generator) -> Iterator[OptimiserStep]:
        """See `TranslationMethod`."""
        a, b, strengths = batch["a"], batch["b"], batch["strengths"]
        fake, mask = self.networks["G"](a, strengths)
        if self.config.gan_weight:
            judged = self.judge(self.networks["D"], rng)
            yield OptimiserStep("discriminator", self.discriminator_losses("", judged, b, fake.detach(), rng))
        losses = {"l1": self.config.l1_weight * l1(fake, b)}
        losses["l2"] = self.config.l2_weight * (fake - b).square().mean()
        losses |= self.perceptual_losses(lpips=(fake, b))
        losses["mask"] = self.config.mask_weight * mask.mean()
        if self.config.gan_weight:
            losses["gan"] = self.config.gan_weight * self.objective.generator(judged(fake))
        yield OptimiserStep("generator", losses)

    def preview(self, batch: Batch) -> list[Tensor]:
        """Return the input, the edit, where it was edited, and the generator's own edit."""
        made, mask = self.networks["G"](batch["a"], batch["strengths"])
        return [batch["a"], made, 2 * mask.expand(-1, 3, -1, -1) - 1, batch["b"]]
