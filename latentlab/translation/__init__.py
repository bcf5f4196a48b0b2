"""Image-to-image translators: pix2pix, CycleGAN, InstaGAN, CUT, distilled editors, and methods of other packages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stylegan2.lazy import lazy_names

if TYPE_CHECKING:
    from latentlab.translation.applying import Application
    from latentlab.translation.data.folders import Reading
    from latentlab.translation.data.transforms import Augmentation
    from latentlab.translation.methods import (
        CUT,
        CUTConfig,
        CycleGAN,
        CycleGANConfig,
        InstaGAN,
        InstaGANConfig,
        OptimiserStep,
        Pix2Pix,
        Pix2PixConfig,
        Techniques,
        TranslationConfig,
        TranslationMethod,
        load_method,
        network_dict,
    )
    from latentlab.translation.networks import NetworkConfig, TranslationGenerator
    from latentlab.translation.training import RunOptions, TrainingSettings, launch, train
    from latentlab.translation.translator import Translator, load_translator

__all__ = [
    "CUT",
    "CUTConfig",
    "Application",
    "Augmentation",
    "CycleGAN",
    "CycleGANConfig",
    "InstaGAN",
    "InstaGANConfig",
    "NetworkConfig",
    "OptimiserStep",
    "Pix2Pix",
    "Pix2PixConfig",
    "Reading",
    "RunOptions",
    "Techniques",
    "TrainingSettings",
    "TranslationConfig",
    "TranslationGenerator",
    "TranslationMethod",
    "Translator",
    "launch",
    "load_method",
    "load_translator",
    "network_dict",
    "train",
]

# They import torch, which takes a second.
if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "applying": ("Application",),
            "data.folders": ("Reading",),
            "data.transforms": ("Augmentation",),
            "methods": (
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
            ),
            "networks": ("NetworkConfig", "TranslationGenerator"),
            "training": ("RunOptions", "TrainingSettings", "launch", "train"),
            "translator": ("Translator", "load_translator"),
        },
    )
