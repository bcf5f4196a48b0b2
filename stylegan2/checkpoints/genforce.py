"""Files of genforce's model zoo: {generator, discriminator, generator_smooth}."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from torch import Tensor

from stylegan2.checkpoints.format import Content, Loaded, Networks, State
from stylegan2.checkpoints.found import Tensors, by_names, constant_size
from stylegan2.checkpoints.layout import common_taps, discriminator_config, generator_config
from stylegan2.describing import describe
from stylegan2.errors import CheckpointError

READS = "genforce (.pth)"

_CONSTANT = "synthesis.early_layer.const"
_PARAMETERS = {
    "weight": "weight",
    "bias": "bias",
    "noise_strength": "noise_strength",
    "noise": "noise_const",
    "style.weight": "affine.weight",
    "style.bias": "affine.bias",
}


def networks(content: Content) -> Networks | None:
    """Return the networks of the file by name; see `format.Format`."""
    found = by_names(content.networks, _is_generator, lambda own: "input0.weight" in own)
    return {
        name: partial(_read_discriminator if name == "D" else _read_generator, content, tensors)
        for name, tensors in found.items()
    } or None


def _is_generator(tensors: Mapping[str, Any]) -> bool:
    """Whether these are the names of one of its generators, StyleGAN2's or another of its zoo."""
    return not tensors.keys().isdisjoint(("mapping.dense0.weight", "synthesis.layer0.weight", "layer0.weight"))


def _read_generator(content: Content, tensors: Tensors) -> Loaded:
    state: State = {}
    kernels = {}
    for name, tensor in content.read(tensors).items():
        if name.endswith(".kernel"):
            kernels[name] = tensor
        else:
            ours = _generator_name(name)
            state[ours] = _convert(ours, tensor)
    return Loaded(generator_config(state, common_taps(kernels)), state)


def _generator_name(name: str) -> str:
    """Return the project's name for a parameter of the generator."""
    if name == "truncation.w_avg":
        return "mapping.w_avg"
    if name == _CONSTANT:
        return "synthesis.b4.const"
    dense = re.fullmatch(r"mapping\.dense(\d{1,2})\.(weight|bias)", name)
    if dense:
        return f"mapping.fc{dense[1]}.{dense[2]}"
    match = re.fullmatch(r"synthesis\.(layer|output)(\d{1,2})\.(.+)", name)
    if not match or match[3] not in _PARAMETERS:
        raise CheckpointError(f"unsupported: a genforce file with {describe(name)}, which no StyleGAN2 generator has")
    k = int(match[2])
    # layer0 is of 4x4, and from 8x8 on there are two of each resolution.
    layer = f"b{4 << k}.torgb" if match[1] == "output" else f"b{4 << ((k + 1) // 2)}.conv{1 - k % 2}"
    return f"synthesis.{layer}.{_PARAMETERS[match[3]]}"


def _convert(name: str, tensor: Tensor) -> Tensor:
    """Convert the parameter that the project calls `name` to the project's layout."""
    if name.endswith("conv0.weight"):
        return tensor.flip(2, 3)
    if name.endswith("affine.bias"):
        return tensor + 1
    if name.endswith("noise_const"):
        return tensor[0, 0]
    return tensor[0] if name.endswith("b4.const") else tensor


def _read_discriminator(content: Content, tensors: Tensors) -> Loaded:
    values = content.read(tensors)
    kernels = {name: value for name, value in values.items() if name.endswith(".kernel")}
    blocks = sum(bool(re.fullmatch(r"skip_layer\d+\.weight", name)) for name in values)
    state = {_discriminator_name(n, blocks): value for n, value in values.items() if n not in kernels}
    size = constant_size(content.networks, _CONSTANT)
    return Loaded(discriminator_config(state, common_taps(kernels), size), state)


def _discriminator_name(name: str, blocks: int) -> str:
    """Return the project's name for a parameter of a discriminator of `blocks` residual blocks, the largest first."""
    match = re.fullmatch(r"(input|layer|skip_layer)(\d{1,2})\.(weight|bias)", name)
    k = int(match[2]) if match else 0
    if not match or k > 2 * blocks + 2:
        raise CheckpointError(
            f"unsupported: a genforce file with {describe(name)}, which no StyleGAN2 discriminator has"
        )
    if match[1] == "input":
        layer = f"b{4 << blocks}.fromrgb"
    elif match[1] == "skip_layer":
        layer = f"b{4 << (blocks - k)}.skip"
    elif k < 2 * blocks:
        layer = f"b{4 << (blocks - k // 2)}.conv{k % 2}"
    else:
        layer = ("b4.conv", "b4.fc", "b4.out")[k - 2 * blocks]
    return f"{layer}.{match[3]}"
