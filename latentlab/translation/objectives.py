"""Adversarial objectives: losses of the discriminator and the generator at logits of any shape."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from latentlab.errors import UserError
from latentlab.translation.networks.passes import run_on_each

Discriminate = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Objective:
    """Adversarial objective.

    Attributes
    ----------
    name
        'vanilla', 'least-squares', 'wgan-gp' or 'hinge'.
    on_real, on_fake
        Loss of the discriminator at each logit of a real and of a generated image.
    on_generated
        Loss of the generator at each logit of a generated image.
    penalty_weight
        Weight of `gradient_penalty` in the loss of the discriminator.
    """

    name: str
    on_real: Callable[[Tensor], Tensor]
    on_fake: Callable[[Tensor], Tensor]
    on_generated: Callable[[Tensor], Tensor]
    penalty_weight: float = 0.0

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Loss of the discriminator: half of the sum of the means over real and over generated logits."""
        loss: Tensor = 0.5 * (self.on_real(real.float()).mean() + self.on_fake(fake.float()).mean())
        return loss

    def generator(self, fake: Tensor) -> Tensor:
        """Loss of the generator: the mean over the logits of what it made."""
        loss: Tensor = self.on_generated(fake.float()).mean()
        return loss


def discriminator_losses(
    objective: Objective, name: str, discriminate: Discriminate, real: Tensor, fake: Tensor, rng: torch.Generator
) -> dict[str, Tensor]:
    """Losses of a discriminator on images `(b, …)`: "d" + `name` and, if the objective has one, "penalty" + `name`."""
    losses = {f"d{name}": objective.discriminator(*run_on_each(discriminate, [real], [fake]))}
    if objective.penalty_weight:
        losses[f"penalty{name}"] = objective.penalty_weight * gradient_penalty(discriminate, real, fake, rng)
    return losses


def gradient_penalty(discriminate: Discriminate, real: Tensor, fake: Tensor, rng: torch.Generator) -> Tensor:
    r"""Gradient penalty at a random point x between each real image `(b, …)` and its generated one.

    .. math:: \mathbb{E}_x\left(\lVert\nabla D(x)\rVert - 1\right)^2

    Gulrajani et al. 2017, "Improved Training of Wasserstein GANs", equation (3). The norm is over all values of
    the gradient of an image's mean logit. `rng` is on the CPU.
    """
    share = torch.rand(len(real), *[1] * (real.ndim - 1), generator=rng).to(real.device)
    between = (share * real + (1 - share) * fake).detach().requires_grad_()
    logits = discriminate(between).reshape(len(real), -1).mean(dim=1).sum()
    (gradient,) = torch.autograd.grad(logits, between, create_graph=True)
    penalty: Tensor = (gradient.flatten(1).norm(dim=1) - 1).square().mean()
    return penalty


def _least_squares(target: float) -> Callable[[Tensor], Tensor]:
    return lambda logits: (logits - target).square()


OBJECTIVES = {
    objective.name: objective
    for objective in (
        # Goodfellow et al. 2014, with the non-saturating loss of the generator.
        Objective("vanilla", lambda x: F.softplus(-x), F.softplus, lambda x: F.softplus(-x)),
        # Mao et al. 2017, "Least Squares Generative Adversarial Networks", equation (9).
        Objective("least-squares", _least_squares(1.0), _least_squares(0.0), _least_squares(1.0)),
        # Half the usual weight of 10, as the critic's difference is halved, too.
        Objective("wgan-gp", lambda x: -x, lambda x: x, lambda x: -x, penalty_weight=5.0),
        # Lim and Ye 2017, "Geometric GAN".
        Objective("hinge", lambda x: F.relu(1 - x), lambda x: F.relu(1 + x), lambda x: -x),
    )
}


def objective(name: str) -> Objective:
    """Return the objective called `name`.

    Raises
    ------
    UserError
        No objective has this name.
    """
    if name not in OBJECTIVES:
        raise UserError(f"an adversarial objective is one of {', '.join(OBJECTIVES)}, not {name!r}")
    return OBJECTIVES[name]
