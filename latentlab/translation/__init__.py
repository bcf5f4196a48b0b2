"""Image-to-image translators: pix2pix, CycleGAN, InstaGAN, and methods of other packages."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from latentlab.translation.data.transforms import Augmentation
    from latentlab.translation.methods import (
        CycleGAN,
        CycleGANConfig,
        InstaGAN,
        InstaGANConfig,
        OptimiserStep,
        Pix2Pix,
        Pix2PixConfig,
        TranslationConfig,
        TranslationMethod,
        load_method,
        network_dict,
    )
    from latentlab.translation.networks import NetworkConfig, TranslationGenerator
    from latentlab.translation.training import RunOptions, TrainingSettings, launch, train
    from latentlab.translation.translator import Translator, load_translator

__all__ = [
    "Augmentation",
    "CycleGAN",
    "CycleGANConfig",
    "InstaGAN",
    "InstaGANConfig",
    "NetworkConfig",
    "OptimiserStep",
    "Pix2Pix",
    "Pix2PixConfig",
    "RunOptions",
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
_LATER = {
    "Augmentation": "data.transforms",
    **dict.fromkeys(("NetworkConfig", "TranslationGenerator"), "networks"),
    **dict.fromkeys(("RunOptions", "TrainingSettings", "launch", "train"), "training"),
    **dict.fromkeys(("Translator", "load_translator"), "translator"),
}


if not TYPE_CHECKING:  # where a type checker sees it, it takes any name for an attribute

    def __getattr__(name: str) -> Any:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_LATER.get(name, 'methods')}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
