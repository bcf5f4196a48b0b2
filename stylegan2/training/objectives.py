"""Adversarial objectives: what generator and discriminator minimise, given logits `(b, 1)`, above zero for real."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from stylegan2.training.settings import Objective

DRIFT = 1e-3
"""Weight of the square of the logits of real images in 'wgan-gp' (Karras et al. 2018, appendix A.1)."""


def generator_loss(objective: Objective, fake: Tensor) -> Tensor:
    """Loss of the generator, from the logits of its images: a scalar.

    'logistic' is the non-saturating loss of Goodfellow et al. 2014, section 3.
    """
    return F.softplus(-fake).mean() if objective == "logistic" else -fake.mean()


def discriminator_loss(objective: Objective, fake: Tensor, real: Tensor) -> Tensor:
    """Loss of the discriminator, from the logits of generated and of real images: a scalar.

    The gradient penalty of 'wgan-gp' comes on top; see `regularisers.gradient_penalty`.
    """
    if objective == "logistic":
        return F.softplus(fake).mean() + F.softplus(-real).mean()
    return fake.mean() - real.mean() + DRIFT * real.square().mean()
