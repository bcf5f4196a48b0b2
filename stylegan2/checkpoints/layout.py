"""Infer the configuration of a network from the names and shapes of its tensors."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor

from stylegan2.checkpoints.format import State
from stylegan2.config import SQUARE, Architecture, DiscriminatorConfig, GeneratorConfig
from stylegan2.describing import describe
from stylegan2.errors import CheckpointError


def number(value: Any, name: str) -> float:
    """Return a setting of a file that has to be a number.

    Raises
    ------
    CheckpointError
        It is something else.
    """
    if type(value) is not float and not (type(value) is int and value.bit_length() <= 64):
        raise CheckpointError(f"it is damaged: its {name} is {describe(value)}, not a number")
    return float(value)


_MOST_TAPS = 64
_WIDEST_LABELS = 1 << 24


def filter_taps(kernel: Tensor) -> tuple[float, ...]:
    """Return the taps whose outer product is the resample filter `kernel (n, n)`; 1-d ones are taps already.

    Scaled so that the smallest is 1 where that makes all whole, as in (1, 3, 3, 1): formats scale them
    differently, and the networks normalise them.
    """
    kernel = kernel.double()
    if kernel.dim() > 2:  # genforce has two axes of length 1 in front
        kernel = kernel.reshape(kernel.shape[-2:])
    taps = kernel if kernel.dim() == 1 else kernel.sum(0)
    total = float(taps.sum())
    if taps.dim() != 1 or not 1 <= len(taps) <= _MOST_TAPS or not math.isfinite(total) or total == 0:
        raise CheckpointError("it is damaged: a resample filter without taps")
    taps = taps / total
    if kernel.dim() == 2 and (
        kernel.shape != (len(taps), len(taps)) or not torch.allclose(torch.outer(taps, taps), kernel / total, atol=1e-5)
    ):
        raise CheckpointError("unsupported: its resample filter is not separable")
    whole = taps / taps[taps != 0].abs().min()
    if torch.allclose(whole, whole.round(), atol=1e-3):
        taps = whole.round()
    return tuple(taps.tolist())


def common_taps(kernels: Mapping[str, Tensor]) -> tuple[float, ...]:
    """Return the taps that all `kernels` share; the paper's (1, 3, 3, 1) if there are no kernels."""
    found = {filter_taps(kernel) for kernel in kernels.values()}
    if len(found) > 1:
        raise CheckpointError(f"unsupported: its layers resample with {len(found)} different filters")
    return found.pop() if found else (1.0, 3.0, 3.0, 1.0)


def block_resolutions(names: Mapping[str, Any], prefix: str = "") -> list[int]:
    """List the resolutions R of the blocks `prefix`b{R}, which must be 4, 8, … without a gap."""
    matches = (re.match(rf"{re.escape(prefix)}b(\d{{1,5}})\.", name) for name in names)
    found = sorted({int(match[1]) for match in matches if match})
    if len(found) < 2 or found != [2**k for k in range(2, len(found) + 2)]:
        raise CheckpointError(f"it is damaged or not a StyleGAN2: its blocks are {found[:12]}, not 4, 8, …")
    return found


def channel_limits(widths: Mapping[int, int]) -> dict[str, int]:
    """Return the channel_base and channel_max, as in `GeneratorConfig`, that give the widths by resolution."""
    channel_max = max(widths.values())
    channel_base = max(resolution * width for resolution, width in widths.items())
    if any(min(channel_base // resolution, channel_max) != width for resolution, width in widths.items()):
        raise CheckpointError(f"unsupported: its widths, {dict(widths)}, follow no channel_base")
    return {"channel_base": channel_base, "channel_max": channel_max}


def count_layers(names: Mapping[str, Any], prefix: str) -> int:
    """Count the layers `prefix`fc{i}."""
    return sum(bool(re.fullmatch(rf"{re.escape(prefix)}fc\d+\.weight", name)) for name in names)


def complete(state: State) -> State:
    """Return the state as one that raises CheckpointError where a name is missing."""
    return _Tensors(state)


T = TypeVar("T")


class _Tensors(State):
    """A state that raises CheckpointError for a missing name."""

    def __missing__(self, name: str) -> Tensor:
        raise CheckpointError(f"it is damaged or another architecture: it lacks {name}")


def _architecture(state: State, of_skip: str) -> Architecture:
    """Tell architectures apart: residual blocks have a shortcut; 'skip' reads or writes an image at 4x4, too."""
    if any(name.endswith(".skip.weight") for name in state):
        return "resnet"
    return "skip" if of_skip in state else "orig"


def configuration(kind: type[T], **fields: Any) -> T:
    """Make a configuration of a kind; CheckpointError where no network has one with such fields."""
    try:
        return kind(**fields)
    except ValueError as error:
        raise CheckpointError(f"it is damaged: no network has such a configuration: {error}") from error


LABEL_CONCAT = "mapping.label_weight"
"""Name of the vectors that labels become in networks with `GeneratorConfig.label_concat`."""


def label_widths(state: State) -> tuple[int, int]:
    """Width of the condition of a generator, and of the vector that its mapping makes from it; 0 and 0 without one."""
    name = LABEL_CONCAT if LABEL_CONCAT in state else "mapping.embed.weight"
    if name not in state:
        return 0, 0
    shape = tuple(state[name].shape)
    if len(shape) != 2 or 0 in shape:
        raise CheckpointError(f"it is damaged or another architecture: {name} has the shape {shape}")
    return shape if name == LABEL_CONCAT else shape[::-1]


def label_size(settings: Mapping[str, Any]) -> int:
    """Width of the labels that a TensorFlow network was made for.

    Raises
    ------
    CheckpointError
        It is not a whole number, 0 or more.
    """
    size = settings.get("label_size")
    if size is None:
        return 0
    if type(size) is not int or not 0 <= size <= _WIDEST_LABELS:
        raise CheckpointError(f"it is damaged: its label_size is {describe(size)}, not a number of labels")
    return size


def check_labels(found: int, settings: Mapping[str, Any]) -> None:
    """Refuse a network that takes another number of labels than its settings say; CheckpointError."""
    if found != label_size(settings):
        raise CheckpointError(f"it is damaged: its label_size is {label_size(settings)}, and it takes {found} labels")


def generator_config(state: State, taps: tuple[float, ...], **settings: Any) -> GeneratorConfig:
    """Infer the configuration of a generator.

    Parameters
    ----------
    state
        Tensors by the project's names; resample filters are ignored.
    taps
        Taps of the resample filter.
    settings
        Further fields of the configuration, which do not show in names and shapes.

    Raises
    ------
    CheckpointError
        No network has such names, shapes or settings.
    """
    state = _Tensors(state)
    sides = block_resolutions(state, "synthesis.")
    architecture = _architecture(state, "synthesis.b4.torgb.weight")
    w_dim = state["synthesis.b4.conv1.affine.weight"].shape[1]
    c_dim, embedded = label_widths(state)
    const = state["synthesis.b4.const"].shape
    if len(const) != 3:
        raise CheckpointError(f"it is damaged: its constant is {tuple(const)}, not (channels, height, width)")
    return configuration(
        GeneratorConfig,
        resolution=sides[-1],
        z_dim=state["mapping.fc0.weight"].shape[1] - embedded,
        c_dim=c_dim,
        label_concat=LABEL_CONCAT in state,
        w_dim=w_dim,
        img_channels=state[f"synthesis.b{sides[-1]}.torgb.weight"].shape[0],
        mapping_layers=count_layers(state, "mapping."),
        architecture=architecture,
        resample_filter=taps,
        use_noise="synthesis.b4.conv1.noise_strength" in state,
        base_size=tuple(const[1:]),
        **channel_limits({r: state[f"synthesis.b{r}.conv1.weight"].shape[0] for r in sides}),
        **settings,
    )


def discriminator_config(
    state: State, taps: tuple[float, ...], base_size: tuple[int, int] | None = None, labels: int = 0, **settings: Any
) -> DiscriminatorConfig:
    """Infer the configuration of a discriminator; parameters as in `generator_config`.

    `base_size` is what the file says about it, None for nothing; the shapes of tensors have no more than its product.
    `labels` is how many labels the file says it has outputs for; see `DiscriminatorConfig.label_switch`.
    """
    state = _Tensors(state)
    sides = block_resolutions(state)
    architecture = _architecture(state, "b4.fromrgb.weight")
    widths = {r: state[f"b{r}.conv0.weight"].shape[1] for r in sides[1:]}
    widths[4] = state["b4.conv.weight"].shape[0]
    conditional = "mapping.embed.weight" in state
    return configuration(
        DiscriminatorConfig,
        resolution=sides[-1],
        c_dim=state["mapping.embed.weight"].shape[1] if conditional else labels,
        label_switch=bool(labels),
        img_channels=state[f"b{sides[-1]}.fromrgb.weight"].shape[1],
        architecture=architecture,
        resample_filter=taps,
        mbstd_channels=state["b4.conv.weight"].shape[1] - widths[4],
        base_size=_judged_size(state["b4.fc.weight"].shape[1] // widths[4], base_size),
        **({"mapping_layers": count_layers(state, "mapping.")} if conditional else {}),
        **channel_limits(widths),
        **settings,
    )


def _judged_size(pixels: int, told: tuple[int, int] | None) -> tuple[int, int]:
    """Height and width of a discriminator's smallest feature maps, of which it sees so many pixels."""
    height, width = told or SQUARE
    if height * width != pixels:
        known = f"{height} × {width} as its file has them" if told else "4 × 4"
        raise CheckpointError(
            f"unsupported: the discriminator's smallest feature maps have {pixels} pixels, which are not {known}; "
            "height and width of others are known where its generator is in the same file"
        )
    return height, width
