"""What methods with a discriminator share: techniques of the field beyond their papers, and the losses they change.

A loss on the features of a network makes images sharper than a difference of pixels; a decoder that resizes leaves no
checkerboards; discriminators at several scales see more than a patch; augmented images keep a discriminator from
memorising a small set.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from latentlab.errors import UserError
from latentlab.perceptual import Backbone, PerceptualDistance, load_perceptual
from latentlab.translation.augment import augment
from latentlab.translation.data.pixels import as_colour
from latentlab.translation.methods.base import Techniques, TranslationConfig, TranslationMethod
from latentlab.translation.objectives import Discriminate, Objective, discriminator_losses, objective


@dataclass(frozen=True)
class AdversarialConfig(TranslationConfig):
    """Fields that the configurations of these methods share.

    Subclasses have a `generator` that says how it doubles the resolution, a `discriminator` that says at how many
    scales it judges, and an `objective`.

    Attributes
    ----------
    perceptual_weight
        Weight of LPIPS between what a method compares with L1; 0 for none.
    backbone
        Network of LPIPS: 'alex', fast, or 'vgg'.
    diff_augment
        Whether the discriminator sees real and generated images augmented alike; see `latentlab.translation.augment`.
    """

    perceptual_weight: float = field(default=0.0, kw_only=True)
    backbone: Backbone = field(default="alex", kw_only=True)
    diff_augment: bool = field(default=False, kw_only=True)

    takes_spectral_norm: ClassVar[bool] = True

    def __post_init__(self) -> None:
        objective(self.objective)  # type: ignore[attr-defined]
        if self.perceptual_weight < 0:
            raise UserError(f"weights of losses are 0 or more, unlike {self.perceptual_weight:g} of LPIPS")

    def with_techniques(self, techniques: Techniques) -> TranslationConfig:
        """See `TranslationConfig`."""
        own: Any = self
        judge: dict[str, Any] = {"scales": techniques.scales}
        if techniques.spectral_norm:
            judge |= {"norm": "spectral"} if self.takes_spectral_norm else {}
        changed: TranslationConfig = replace(
            own,
            generator=replace(own.generator, upsampling=techniques.upsampling),
            discriminator=replace(own.discriminator, **judge),
            perceptual_weight=techniques.perceptual_weight,
            backbone=techniques.backbone,
            diff_augment=techniques.diff_augment,
        )
        return changed


class AdversarialMethod(TranslationMethod):
    """A method with a discriminator.

    Parameters
    ----------
    config
        Its configuration.

    Attributes
    ----------
    objective
        Adversarial objective.
    """

    config: AdversarialConfig
    objective: Objective

    def __init__(self, config: AdversarialConfig) -> None:
        self.config, self.objective = config, objective(config.objective)  # type: ignore[attr-defined]
        self._distance: PerceptualDistance | None = None  # no network of the method: it is not trained

    def judge(self, discriminator: nn.Module, rng: torch.Generator, given: int = 0) -> Discriminate:
        """Return `discriminator` as the method uses it: on augmented images, if the configuration says so.

        The first `given` channels, such as the input of pix2pix, are not judged themselves.
        """
        if not self.config.diff_augment:
            return discriminator

        def judged(x: Tensor) -> Tensor:
            beside, images = x[:, :given], x[:, given:]
            images, beside = augment(images, beside, 0.0, rng)
            logits: Tensor = discriminator(torch.cat([beside, images], dim=1))
            return logits

        return judged

    def discriminator_losses(
        self, name: str, judged: Discriminate, real: Tensor, fake: Tensor, rng: torch.Generator
    ) -> dict[str, Tensor]:
        """Return the losses of a discriminator; see `latentlab.translation.objectives.discriminator_losses`."""
        return discriminator_losses(self.objective, name, judged, real, fake, rng)

    def perceptual_losses(self, **pairs: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        """Return the weighted LPIPS of pairs of images `(b, c, h, w)`, by name; nothing if its weight is 0."""
        if not self.config.perceptual_weight:
            return {}
        distance = self._perceptual(next(iter(pairs.values()))[0].device)
        weight = self.config.perceptual_weight
        return {
            name: weight * distance(as_colour(made), as_colour(wanted)).mean() for name, (made, wanted) in pairs.items()
        }

    def _perceptual(self, device: torch.device) -> Callable[[Tensor, Tensor], Tensor]:
        if self._distance is None:
            self._distance = load_perceptual(self.config.backbone, device)
        return self._distance
