"""Penalties on the gradients of discriminator and generator."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

PATH_DECAY = 0.01
"""How far the running mean of path lengths moves towards that of a batch (Karras et al. 2020, appendix B)."""


def r1_penalty(discriminate: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """Half the squared norm of the gradient at real images, one value for each (Mescheder et al. 2018, equation 9).

    Parameters
    ----------
    discriminate
        Images to logits `(b, 1)`.
    images
        `(b, c, h, w)`, real ones.

    Returns
    -------
    Tensor
        `(b,)`.
    """
    images = images.detach().requires_grad_()
    (gradients,) = torch.autograd.grad(discriminate(images).sum(), images, create_graph=True)
    return gradients.square().sum(dim=(1, 2, 3)) / 2


def gradient_penalty(discriminate: Callable[[Tensor], Tensor], between: Tensor) -> Tensor:
    """Squared distance of the gradient's norm from 1, one value for each (Gulrajani et al. 2017, equation 3).

    Parameters
    ----------
    discriminate
        Images to logits `(b, 1)`.
    between
        `(b, c, h, w)`: mixtures of real and generated images.

    Returns
    -------
    Tensor
        `(b,)`.
    """
    between = between.detach().requires_grad_()
    (gradients,) = torch.autograd.grad(discriminate(between).sum(), between, create_graph=True)
    return (gradients.square().sum(dim=(1, 2, 3)).sqrt() - 1).square()


def path_lengths(images: Tensor, ws: Tensor, noise: Tensor) -> Tensor:
    """How much images change with their latents: the norm of Jᵀ y for a random image y.

    Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", section 3.2.

    Parameters
    ----------
    images
        `(b, c, h, w)`, made from `ws` with gradients.
    ws
        `(b, num_ws, w_dim)`; the squared norms of the rows are averaged.
    noise
        Normal variables `(b, c, h, w)`; y is these divided by the square root of the number of pixels.

    Returns
    -------
    Tensor
        `(b,)`, differentiable.
    """
    y = noise / math.sqrt(images.shape[2] * images.shape[3])
    (gradients,) = torch.autograd.grad((images * y).sum(), ws, create_graph=True)
    return gradients.square().sum(dim=2).mean(dim=1).sqrt()
