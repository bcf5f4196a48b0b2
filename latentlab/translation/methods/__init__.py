"""How each translator is trained: its networks, and the moves of a training step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from latentlab.errors import UserError
from latentlab.translation.methods.base import Method, Move
from latentlab.translation.methods.cyclegan import CycleGAN, CycleGANConfig
from latentlab.translation.methods.instagan import InstaGAN, InstaGANConfig
from latentlab.translation.methods.pix2pix import ABLATIONS, Pix2Pix, Pix2PixConfig

MethodConfig: TypeAlias = Pix2PixConfig | CycleGANConfig | InstaGANConfig

_METHODS: dict[str, tuple[type[Any], Callable[[Any, int], Method]]] = {
    "pix2pix": (Pix2PixConfig, Pix2Pix),
    "cyclegan": (CycleGANConfig, CycleGAN),
    "instagan": (InstaGANConfig, InstaGAN),
}


def build(config: MethodConfig, seed: int = 0) -> Method:
    """The method of a configuration, its networks drawn from `seed`."""
    return next(method(config, seed) for shape, method in _METHODS.values() if isinstance(config, shape))


def name_of(config: MethodConfig) -> str:
    """'pix2pix', 'cyclegan' or 'instagan'."""
    return next(name for name, (shape, _) in _METHODS.items() if isinstance(config, shape))


def paper_config(name: str, size: int, width: int) -> MethodConfig:
    """The paper's configuration of a method for pictures of `size`, with `width` feature maps at its thinnest.

    Raises
    ------
    UserError
        There is no such method.
    """
    if name not in _METHODS:
        raise UserError(f"a translator is one of {', '.join(_METHODS)}, not {name!r}")
    return _METHODS[name][0].of(size, width)


__all__ = [
    "ABLATIONS",
    "CycleGAN",
    "CycleGANConfig",
    "InstaGAN",
    "InstaGANConfig",
    "Method",
    "MethodConfig",
    "Move",
    "Pix2Pix",
    "Pix2PixConfig",
    "build",
    "name_of",
    "paper_config",
]
