"""Augmentation of all that a discriminator sees, which does not leak into what a generator makes.

The pipeline of Karras et al. 2020, "Training Generative Adversarial Networks with Limited Data", appendix B. Each
augmentation has a probability below 1, so that a generator still does best to make images that are as they should be.
Gradients of any order pass through it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from stylegan2.describing import describe
from stylegan2.training.augmentation.chances import Chances
from stylegan2.training.augmentation.colours import recoloured
from stylegan2.training.augmentation.corruption import cut_out, noisy
from stylegan2.training.augmentation.filters import filtered
from stylegan2.training.augmentation.geometry import blit, move, warp

PIPELINES: dict[str, tuple[str, ...]] = {
    "blit": ("blit",),
    "geom": ("geom",),
    "color": ("color",),
    "filter": ("filter",),
    "noise": ("noise",),
    "cutout": ("cutout",),
    "bg": ("blit", "geom"),
    "bgc": ("blit", "geom", "color"),
    "bgcf": ("blit", "geom", "color", "filter"),
    "bgcfn": ("blit", "geom", "color", "filter", "noise"),
    "bgcfnc": ("blit", "geom", "color", "filter", "noise", "cutout"),
}
"""Groups of augmentations by the names of the paper's figure 4."""


class AugmentPipeline:
    """Augmentations by the name of a pipeline.

    Parameters
    ----------
    name
        One of `PIPELINES`.

    Raises
    ------
    ValueError
        There is no such pipeline.
    """

    def __init__(self, name: str) -> None:
        if not isinstance(name, str) or name not in PIPELINES:
            raise ValueError(f"the augmentations are {', '.join(PIPELINES)}, not {describe(name)}")
        self.groups = PIPELINES[name]

    def __call__(self, images: Tensor, probability: Tensor | float, rngs: Sequence[torch.Generator]) -> Tensor:
        """Augment images.

        Parameters
        ----------
        images
            `(b, c, h, w)`, about [-1, 1], of 32 or 64 bits: with fewer, places between pixels are lost.
        probability
            That of each augmentation, from 0 to 1; a tensor on the images' device is not read. At 0 images stay the
            same to the bit.
        rngs
            A generator on the CPU for each image, on which alone its augmentation depends.

        Returns
        -------
        Tensor
            `(b, c, h, w)`.
        """
        height, width = images.shape[2:]
        if {"blit", "geom"} & set(self.groups):
            inverse = torch.eye(3, device=images.device).expand(len(images), 3, 3)
            for group, add in (("blit", blit), ("geom", move)):
                if group in self.groups:
                    inverse = add(Chances(probability, rngs, images.device), inverse, height, width)
            images = warp(images, inverse)
        for group, change in (("color", recoloured), ("filter", filtered)):
            if group in self.groups:
                images = change(images, Chances(probability, rngs, images.device))
        if "noise" in self.groups:
            images = noisy(images, Chances(probability, rngs, images.device), rngs)
        if "cutout" in self.groups:
            images = cut_out(images, Chances(probability, rngs, images.device))
        return images
