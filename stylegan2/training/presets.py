"""Networks and settings that go together, by name."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from stylegan2.config import SQUARE, DiscriminatorConfig, GeneratorConfig, block_size
from stylegan2.defaults import own_draws, plain_defaults
from stylegan2.discriminator import Discriminator
from stylegan2.growing import GrowingDiscriminator, GrowingDiscriminatorConfig
from stylegan2.networks import Generator
from stylegan2.progressive import ProgressiveConfig, ProgressiveGenerator
from stylegan2.stylegan1 import StyleGANConfig, StyleGANGenerator
from stylegan2.training.settings import Growth, TrainingSettings

_KINDS: dict[type, Callable[[Any], nn.Module]] = {
    GeneratorConfig: Generator,
    StyleGANConfig: StyleGANGenerator,
    ProgressiveConfig: ProgressiveGenerator,
    DiscriminatorConfig: Discriminator,
    GrowingDiscriminatorConfig: GrowingDiscriminator,
}


@dataclass(frozen=True)
class Preset:
    """Networks and settings.

    Attributes
    ----------
    generator, discriminator
        Configurations of the networks.
    settings
        Settings of their training.
    """

    generator: GeneratorConfig | StyleGANConfig | ProgressiveConfig
    discriminator: DiscriminatorConfig | GrowingDiscriminatorConfig
    settings: TrainingSettings

    @plain_defaults()
    @own_draws()
    def networks(self) -> tuple[Any, Any]:  # which one it is, the configurations say
        """Generator and discriminator with weights drawn from the settings' seed."""
        torch.manual_seed(self.settings.seed)
        return _KINDS[type(self.generator)](self.generator), _KINDS[type(self.discriminator)](self.discriminator)


def tiny(
    resolution: int,
    images: int,
    channels: int = 3,
    c_dim: int = 0,
    base_size: tuple[int, int] = SQUARE,
    **changes: Any,
) -> Preset:
    """A small StyleGAN2 that learns on a CPU: up to 128 feature maps, adaptive augmentation.

    Parameters
    ----------
    resolution, channels, c_dim
        Side and channels of the images, and the width of their labels.
    images
        Real images to be shown in total.
    base_size
        Height and width of the constant; for images that are not square, `stylegan2.config.shape_for` gives it and the
        resolution.
    changes
        Other settings, see `TrainingSettings`.
    """
    batch = int(changes.pop("batch_size", 16))
    widths = {"channel_base": max(2048, resolution), "channel_max": 128}
    mapping = {"z_dim": 128, "w_dim": 128, "mapping_layers": 2}
    return _stylegan2(
        _shape(resolution, channels, c_dim, base_size),
        {**widths, **mapping},
        {**widths, "mbstd_group_size": 4},
        _heuristic(block_size(base_size, resolution), images, batch, changes),
    )


def auto(
    resolution: int,
    images: int,
    channels: int = 3,
    c_dim: int = 0,
    base_size: tuple[int, int] = SQUARE,
    **changes: Any,
) -> Preset:
    """StyleGAN2 with settings by rule of thumb, as in the release of adaptive augmentation; parameters as in `tiny`.

    The weight of R1 is proportional to the number of pixels divided by the batch size (Karras et al. 2020, "Training
    Generative Adversarial Networks with Limited Data", appendix C).
    """
    height, width = block_size(base_size, resolution)
    batch = int(changes.pop("batch_size", max(4, min(4096 // math.isqrt(height * width), 32))))
    widths = {"channel_base": 32768 if resolution >= 512 else 16384}
    rate = {"learning_rate": 0.002} if resolution >= 1024 else {}
    return _stylegan2(
        _shape(resolution, channels, c_dim, base_size),
        {**widths, "mapping_layers": 2},
        widths,
        _heuristic((height, width), images, batch, {**rate, **changes}),
    )


def paper256(
    resolution: int,
    images: int,
    channels: int = 3,
    c_dim: int = 0,
    base_size: tuple[int, int] = SQUARE,
    **changes: Any,
) -> Preset:
    """StyleGAN2 as in the experiments at 256² of the paper on limited data; parameters as in `tiny`.

    Raises
    ------
    ValueError
        The resolution is not 256, or images are not square.
    """
    height, width = block_size(base_size, resolution)
    if (height, width) != (256, 256):
        raise ValueError(f"paper256 is for square images of 256 pixels, not {width}x{height}; take auto")
    widths = {"channel_base": 16384}
    own = {"batch_size": 64, "r1_gamma": 1.0, "ema_images": 20_000.0, "ema_rampup": None, "augment": "adaptive"}
    settings = TrainingSettings(images=images, **{**own, **changes})
    return _stylegan2(
        _shape(resolution, channels, c_dim, base_size), widths, {**widths, "mbstd_group_size": 8}, settings
    )


def stylegan(
    resolution: int,
    images: int,
    channels: int = 3,
    c_dim: int = 0,
    base_size: tuple[int, int] = SQUARE,
    **changes: Any,
) -> Preset:
    """StyleGAN as in its paper, growing from 8²: logistic loss with R1, style mixing; parameters as in `tiny`.

    Raises
    ------
    ValueError
        Images are not square.
    """
    _check_square("StyleGAN", base_size)
    own = {"learning_rate": 0.001, "path_weight": 0.0, "growth": Growth(), "mirror": False}
    settings = TrainingSettings(images=images, **{**own, **changes})
    discriminator = GrowingDiscriminatorConfig(resolution, blur=True, img_channels=channels, c_dim=c_dim)
    return Preset(StyleGANConfig(resolution, img_channels=channels, c_dim=c_dim), discriminator, settings)


def progressive(
    resolution: int,
    images: int,
    channels: int = 3,
    c_dim: int = 0,
    base_size: tuple[int, int] = SQUARE,
    **changes: Any,
) -> Preset:
    """Progressive GAN as in its paper, growing from 4²: WGAN-GP; parameters as in `tiny`.

    Raises
    ------
    ValueError
        Images are not square, or there are labels, with which it is not trained here.
    """
    _check_square("Progressive GAN", base_size)
    if c_dim:
        raise ValueError("Progressive GAN is trained without labels here: leave them out, or take the preset stylegan")
    own = {
        "learning_rate": 0.001,
        "objective": "wgan-gp",
        "r1_gamma": 0.0,
        "path_weight": 0.0,
        "style_mixing": 0.0,
        "growth": Growth(start=4),
    }
    settings = TrainingSettings(images=images, **{**own, **changes})
    discriminator = GrowingDiscriminatorConfig(resolution, blur=False, img_channels=channels, channel_base=8192)
    return Preset(ProgressiveConfig(resolution, img_channels=channels), discriminator, settings)


PRESETS: dict[str, Callable[..., Preset]] = {
    "tiny": tiny,
    "auto": auto,
    "paper256": paper256,
    "stylegan": stylegan,
    "progressive": progressive,
}
"""Presets by name."""


def _check_square(name: str, base_size: tuple[int, int]) -> None:
    if base_size != SQUARE:
        raise ValueError(f"{name} makes square images, and these are not: take the preset tiny or auto")


def _heuristic(size: tuple[int, int], images: int, batch: int, changes: dict[str, Any]) -> TrainingSettings:
    own = {
        "r1_gamma": 0.0002 * (size[0] * size[1]) / batch,
        "ema_images": batch * 10_000 / 32,
        "ema_rampup": 0.05,
        "augment": "adaptive",
    }
    return TrainingSettings(images=images, batch_size=batch, **{**own, **changes})


def _shape(resolution: int, channels: int, c_dim: int, base_size: tuple[int, int]) -> dict[str, Any]:
    return {"resolution": resolution, "img_channels": channels, "c_dim": c_dim, "base_size": base_size}


def _stylegan2(
    shape: dict[str, Any], generator: dict[str, Any], discriminator: dict[str, Any], settings: TrainingSettings
) -> Preset:
    return Preset(GeneratorConfig(**shape, **generator), DiscriminatorConfig(**shape, **discriminator), settings)
