"""Training of generators on images: the set, the loop, and what is watched.

The method itself, in plain torch, is in `stylegan2.training`.
"""

from latentlab.generators.data import ImageSet, ImageSetSettings, open_images
from latentlab.generators.loop import (
    BEST,
    DISCRIMINATOR,
    GENERATOR,
    GeneratorRun,
    GeneratorRunOptions,
    train_generator,
)

__all__ = [
    "BEST",
    "DISCRIMINATOR",
    "GENERATOR",
    "GeneratorRun",
    "GeneratorRunOptions",
    "ImageSet",
    "ImageSetSettings",
    "open_images",
    "train_generator",
]
