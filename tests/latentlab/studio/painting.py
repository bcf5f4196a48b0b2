"""A translator for drawings that takes no time to train."""

import torch

from latentlab.translation import Translator
from latentlab.translation.data.transforms import Augmentation
from latentlab.translation.methods import Pix2PixConfig


def make_painter() -> Translator:
    """A pix2pix of 32 pixels that has learnt nothing."""
    config = Pix2PixConfig.for_resolution(32, 4)
    data = {"augmentation": Augmentation.for_resolution(32).as_dict()}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = config.build().networks["G"].eval()
    return Translator({"a2b": network}, {"method": "pix2pix", "training": {"data": data}})
