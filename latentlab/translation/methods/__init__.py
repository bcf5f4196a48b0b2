"""Translation methods: configurations, networks, and the losses of their optimiser steps."""

from __future__ import annotations

from latentlab import registry
from latentlab.errors import UserError
from latentlab.translation.methods.base import (
    OptimiserStep,
    Techniques,
    TranslationConfig,
    TranslationMethod,
    network_dict,
)
from latentlab.translation.methods.cut import CUT, CUTConfig
from latentlab.translation.methods.cyclegan import CycleGAN, CycleGANConfig
from latentlab.translation.methods.instagan import InstaGAN, InstaGANConfig
from latentlab.translation.methods.pix2pix import Pix2Pix, Pix2PixConfig


def load_method(name: str) -> type[TranslationMethod]:
    """Return the translation method called `name`, built-in or of another package.

    Raises
    ------
    UserError
        No method has this name, or what is registered under it is not a translation method.
    """
    found = registry.translators.load(name)
    if not (isinstance(found, type) and issubclass(found, TranslationMethod)):
        raise UserError(f"the translation method {name!r} is no subclass of TranslationMethod but {found!r}")
    if found.name != name:
        raise UserError(f"the translation method {name!r} calls itself {found.name!r}; its entry point needs that name")
    return found


__all__ = [
    "CUT",
    "CUTConfig",
    "CycleGAN",
    "CycleGANConfig",
    "InstaGAN",
    "InstaGANConfig",
    "OptimiserStep",
    "Pix2Pix",
    "Pix2PixConfig",
    "Techniques",
    "TranslationConfig",
    "TranslationMethod",
    "load_method",
    "network_dict",
]
