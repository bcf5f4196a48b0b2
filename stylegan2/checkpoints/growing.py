"""What the formats of Progressive GAN and StyleGAN share: configurations, and how they store enlarging layers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor

from stylegan2.checkpoints.format import Loaded, State
from stylegan2.checkpoints.layout import (
    block_resolutions,
    channel_limits,
    complete,
    configuration,
    count_layers,
    label_widths,
)
from stylegan2.errors import CheckpointError
from stylegan2.growing import GrowingDiscriminatorConfig
from stylegan2.progressive import ProgressiveConfig
from stylegan2.stylegan1 import StyleGANConfig

FUSED_FROM = 128
"""Resolution from which 'auto' fuses enlarging and convolution: the choice of StyleGAN's code bases by default."""
MOST_LAYERS = 100
"""Largest number of mapping layers that is looked for."""


def convolved(weight: Tensor, fused: bool) -> Tensor:
    """Turn the weight `(o, i, k, k)` of an enlarging layer into the one that is convolved, as a fused layer has it."""
    return weight if fused else weight.flip(2, 3)


def with_multiplier(state: State, factor: float) -> State:
    """Return the state with the weights and biases of the mapping network times `factor`.

    Layers multiply them by a learning-rate multiplier, and code bases differ in it: the factor is the quotient.
    """
    return {name: value * factor if name.startswith("mapping.fc") else value for name, value in state.items()}


def level_of_detail(lod: Tensor | None) -> float:
    """Return the level of detail that a file stores, 0 if it stores none."""
    if lod is None:
        return 0.0
    if lod.numel() != 1:
        raise CheckpointError(f"it is damaged: its level of detail is of shape {tuple(lod.shape)}")
    return float(lod)


def _checked_lod(lod: float, sides: list[int]) -> float:
    if not 0 <= lod <= len(sides) - 1:
        raise CheckpointError(f"it is damaged: its level of detail is {lod}, not in 0 … {len(sides) - 1}")
    return lod


def stylegan(state: State, lod: float, **settings: Any) -> Loaded:
    """Complete a StyleGAN generator with its configuration.

    Parameters
    ----------
    state
        Tensors by the project's names.
    lod
        Level of detail.
    settings
        Further fields of the configuration, which do not show in names and shapes.

    Raises
    ------
    CheckpointError
        A tensor is missing, or no network has such shapes.
    """
    state = complete(state)
    sides = block_resolutions(state, "synthesis.")
    limits = channel_limits({r: _sides(state, f"synthesis.b{r}.conv1.conv.weight", 4)[0] for r in sides})
    c_dim, embedded = label_widths(state)
    config = configuration(
        StyleGANConfig,
        resolution=sides[-1],
        z_dim=_sides(state, "mapping.fc0.weight", 2)[1] - embedded,
        c_dim=c_dim,
        w_dim=_sides(state, "synthesis.b4.conv0.affine.weight", 2)[1],
        hidden_dim=_sides(state, "mapping.fc0.weight", 2)[0],
        img_channels=_sides(state, f"synthesis.b{sides[-1]}.torgb.weight", 4)[0],
        mapping_layers=count_layers(state, "mapping."),
        lod=_checked_lod(lod, sides),
        **(limits | settings),
    )
    return Loaded(config, state)


def progressive(state: State, lod: float, c_dim: int = 0) -> Loaded:
    """Complete a Progressive GAN generator with its configuration; parameters and errors as in `stylegan`."""
    state = complete(state)
    sides = block_resolutions(state, "synthesis.")
    config = configuration(
        ProgressiveConfig,
        resolution=sides[-1],
        z_dim=_sides(state, "synthesis.b4.conv0.weight", 4)[1] - c_dim,
        c_dim=c_dim,
        img_channels=_sides(state, f"synthesis.b{sides[-1]}.torgb.weight", 4)[0],
        lod=_checked_lod(lod, sides),
        **channel_limits({r: _sides(state, f"synthesis.b{r}.conv1.weight", 4)[0] for r in sides}),
    )
    return Loaded(config, state)


def discriminator(state: State, lod: float, blur: bool, **settings: Any) -> Loaded:
    """Complete a discriminator with its configuration; `blur` marks StyleGAN's, otherwise as in `stylegan`."""
    state = complete(state)
    sides = block_resolutions(state)
    config = configuration(
        GrowingDiscriminatorConfig,
        resolution=sides[-1],
        blur=blur,
        img_channels=_sides(state, f"b{sides[-1]}.fromrgb.weight", 4)[1],
        lod=_checked_lod(lod, sides),
        **channel_limits({r: _sides(state, f"b{r}.fromrgb.weight", 4)[0] for r in sides}),
        **settings,
    )
    return Loaded(config, state)


def _sides(state: Mapping[str, Tensor], name: str, dimensions: int) -> tuple[int, ...]:
    """The shape of a tensor that has to have so many dimensions."""
    shape = tuple(state[name].shape)
    if len(shape) != dimensions or 0 in shape:
        raise CheckpointError(f"it is damaged or another architecture: {name} has the shape {shape}")
    return shape


def layer_of(index: int) -> str:
    """Return the project's name of the layer that is the `index`-th of two for each resolution, 4x4 first."""
    return f"b{4 << (index // 2)}.conv{index % 2}"


def finest(names: Iterable[str], pattern: str) -> int:
    """Return the largest number that `pattern` finds at the start of names; CheckpointError if there is none."""
    found = [int(match[1]) for match in (re.match(pattern, name) for name in names) if match]
    if not found or max(found) > 30:
        raise CheckpointError("it is damaged or another architecture: its levels cannot be told")
    return max(found)
