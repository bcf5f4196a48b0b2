"""Levels of networks that grow: which one training is at, and real images as they look there."""

from __future__ import annotations

from typing import TypeAlias

from torch import Tensor

from stylegan2.discriminator import Discriminator
from stylegan2.growing import GrowingDiscriminator, Level, enlarge, reduce
from stylegan2.networks import Generator
from stylegan2.progressive import ProgressiveGenerator
from stylegan2.stylegan1 import StyleGANGenerator

AnyGenerator: TypeAlias = Generator | StyleGANGenerator | ProgressiveGenerator
AnyDiscriminator: TypeAlias = Discriminator | GrowingDiscriminator


def set_lod(network: AnyGenerator | AnyDiscriminator, lod: float) -> None:
    """Set the level of detail of a network; only 0 for networks without levels.

    Raises
    ------
    ValueError
        The network has no levels.
    """
    if isinstance(network, (ProgressiveGenerator, StyleGANGenerator, GrowingDiscriminator)):
        network.lod = lod
    elif lod:
        raise ValueError(f"a {type(network).__name__} does not grow: train it without growth")


def at_level(images: Tensor, lod: float) -> Tensor:
    """Show images as networks see and make them at a level of detail (Karras et al. 2018, appendix A).

    Parameters
    ----------
    images
        `(b, c, h, w)`; square unless `lod` is 0.
    lod
        Level of detail, from 0.

    Returns
    -------
    Tensor
        `(b, c, h, w)`: reduced to the level's resolution, mixed with half of it while that fades in, and enlarged.
    """
    side = images.shape[-1]
    level = Level.of(lod, side)
    small = reduce(images, side // level.resolution)
    if level.fades_in:
        small = enlarge(reduce(small, 2), 2).lerp(small, level.share)
    return enlarge(small, side // level.resolution)
