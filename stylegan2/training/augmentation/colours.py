"""Brightness, contrast, inversion of luma, hue and saturation: one affine map of colours for each image."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from stylegan2.training.augmentation.chances import Chances


def recoloured(images: Tensor, chances: Chances) -> Tensor:
    """Change the colours of images.

    Parameters
    ----------
    images
        `(b, 3, h, w)`, or `(b, 1, h, w)` for grey ones, which have neither hue nor saturation.
    chances
        The random numbers.

    Returns
    -------
    Tensor
        Images of the same shape.

    Raises
    ------
    ValueError
        Images of another number of channels.
    """
    if images.shape[1] not in (1, 3):
        raise ValueError(f"colours are those of 1 or 3 channels, not {images.shape[1]}: take a pipeline without them")
    matrix = _matrix(len(images), chances, images.device).to(images.dtype)
    if images.shape[1] == 1:
        scale, shift = matrix[:, :3, :3].sum(dim=2).mean(dim=1), matrix[:, :3, 3].mean(dim=1)
        return images * scale[:, None, None, None] + shift[:, None, None, None]
    mixed = torch.einsum("bij,bjhw->bihw", matrix[:, :3, :3], images)
    return mixed + matrix[:, :3, 3, None, None]


def _matrix(count: int, chances: Chances, device: torch.device) -> Tensor:
    """Maps of homogeneous colours, `(b, 4, 4)`."""
    eye = torch.eye(4, device=device)
    grey = torch.tensor([1.0, 1.0, 1.0, 0.0], device=device) / math.sqrt(3)
    along = torch.outer(grey, grey)  # the projection to the axis of greys
    brightness = chances.chosen(chances.normal(0.2), 0)
    matrix = eye + brightness[:, None, None] * torch.tensor([[0.0, 0, 0, 1]] * 3 + [[0.0] * 4], device=device)
    contrast = chances.chosen(chances.factor(0.5), 1)
    matrix = torch.diag_embed(torch.stack([contrast] * 3 + [torch.ones_like(contrast)], dim=1)) @ matrix
    inverted = chances.chosen(chances.uniform(0, 2).floor(), 0)
    matrix = (eye - 2 * inverted[:, None, None] * along) @ matrix
    matrix = _hue(chances.chosen(chances.uniform(-math.pi, math.pi), 0), along, eye) @ matrix
    saturation = chances.chosen(chances.factor(1.0), 1)
    colour = torch.diag(torch.tensor([1.0, 1.0, 1.0, 0.0], device=device)) - along
    return (eye + (saturation - 1)[:, None, None] * colour) @ matrix


def _hue(angle: Tensor, along: Tensor, eye: Tensor) -> Tensor:
    """Turns about the axis of greys, by Rodrigues' formula: `(b, 4, 4)`."""
    across = torch.tensor(
        [[0.0, -1, 1, 0], [1, 0, -1, 0], [-1, 1, 0, 0], [0, 0, 0, 0]], device=angle.device
    ) / math.sqrt(3)
    colour = torch.diag(torch.tensor([1.0, 1.0, 1.0, 0.0], device=angle.device)) - along
    cosine, sine = angle.cos()[:, None, None], angle.sin()[:, None, None]
    return eye + (cosine - 1) * colour + sine * across
