"""Progressive GAN and StyleGAN of genforce's model zoo: {generator, discriminator, generator_smooth}."""

from __future__ import annotations

import re
from functools import partial

import torch

from stylegan2.checkpoints import growing
from stylegan2.checkpoints.format import Content, Loaded, Networks, State
from stylegan2.checkpoints.found import Tensors, by_names
from stylegan2.describing import describe
from stylegan2.errors import CheckpointError
from stylegan2.growing import BLUR
from stylegan2.layers import resample_buffer

READS = "genforce (.pth, StyleGAN and Progressive GAN)"

_STYLEGAN = {
    "const": "const",
    "weight": "conv.weight",
    "bias": "conv.bias",
    "apply_noise.weight": "noise_strength",
    "apply_noise.noise": "noise_const",
    "style.weight": "affine.weight",
    "style.bias": "affine.bias",
}


def networks(content: Content) -> Networks | None:
    """Return the networks of the file by name; see `format.Format`."""
    found = by_names(content.networks, lambda own: _reader(own) is not None, lambda own: "input1.weight" in own)
    return {
        name: partial(_read_discriminator if name == "D" else _read_generator, content, tensors)
        for name, tensors in found.items()
    } or None


def _reader(tensors: Tensors) -> str | None:
    """Which generator has these names: 'stylegan', 'progressive', or None of the two."""
    if "synthesis.layer0.apply_noise.weight" in tensors:
        return "stylegan"
    return "progressive" if {"layer0.weight", "output0.weight"} <= tensors.keys() else None


def _read_generator(content: Content, tensors: Tensors) -> Loaded:
    values = content.read(tensors)
    return _read_stylegan(values) if _reader(tensors) == "stylegan" else _read_progressive(values)


def _read_stylegan(values: State) -> Loaded:
    lod = growing.level_of_detail(values.pop("synthesis.lod", None))
    state: State = {}
    for name, value in values.items():
        if name.endswith(".blur.kernel"):
            _check_blur(value)
            continue
        ours = _stylegan_name(name)
        up = re.fullmatch(r"synthesis\.b(\d+)\.conv0\.conv\.weight", ours)
        if up:
            value = growing.convolved(value, int(up[1]) >= growing.FUSED_FROM)
        elif ours.endswith("noise_const"):
            value = value.reshape(value.shape[-2:])
        elif ours.endswith(".const"):
            value = value[0]
        state[ours] = value
    return growing.stylegan(state, lod)


def _check_blur(kernel: torch.Tensor) -> None:
    """Refuse another filter than the paper's."""
    wanted = resample_buffer(BLUR)
    if kernel.shape[-2:] != wanted.shape or not torch.allclose(kernel, wanted.expand_as(kernel), atol=1e-5):
        raise CheckpointError("unsupported: it blurs with another filter than [1, 2, 1]")


def _stylegan_name(name: str) -> str:
    """Return the project's name for a parameter of StyleGAN."""
    if name == "truncation.w_avg":
        return "mapping.w_avg"
    dense = re.fullmatch(r"mapping\.dense(\d{1,2})\.(weight|bias)", name)
    if dense:
        return f"mapping.fc{dense[1]}.{dense[2]}"
    image = re.fullmatch(r"synthesis\.output(\d{1,2})\.(weight|bias)", name)
    if image:
        return f"synthesis.b{4 << int(image[1])}.torgb.{image[2]}"
    match = re.fullmatch(r"synthesis\.layer(\d{1,2})\.(.+)", name)
    if not match or match[2] not in _STYLEGAN:
        raise CheckpointError(f"unsupported: a genforce file with {describe(name)}, which no StyleGAN generator has")
    if match[1] == "0" and match[2] in ("const", "bias"):
        return "synthesis.b4.const" if match[2] == "const" else "synthesis.b4.conv0.bias"
    return f"synthesis.{growing.layer_of(int(match[1]))}.{_STYLEGAN[match[2]]}"


def _read_progressive(values: State) -> Loaded:
    lod = growing.level_of_detail(values.pop("lod", None))
    fused = any(_is_fused(values, name) for name in values)
    state: State = {}
    for name, value in values.items():
        match = re.fullmatch(r"(layer|output)(\d{1,2})\.(weight|bias)", name)
        if not match:
            raise CheckpointError(f"unsupported: a genforce file with {describe(name)}, which no Progressive GAN has")
        index = int(match[2])
        layer = f"b{4 << index}.torgb" if match[1] == "output" else growing.layer_of(index)
        if match[1] == "layer" and match[3] == "weight" and index % 2 == 0:
            # The first is a convolution of a single pixel, padded: the linear layer that it is has its weights flipped.
            value = value.transpose(0, 1) if fused and index else growing.convolved(value, fused=False)
        state[f"synthesis.{layer}.{match[3]}"] = value
    return growing.progressive(state, lod)


def _is_fused(values: State, name: str) -> bool:
    """Whether it is the weight of a fused layer, whose outputs come second; told where their number is not the inputs'.

    Code bases fuse all layers of a network or none, so that one that tells is enough.
    """
    match = re.fullmatch(r"layer(\d{1,2})\.weight", name)
    bias = values.get(f"layer{match[1]}.bias") if match and int(match[1]) % 2 == 0 and match[1] != "0" else None
    weight = values[name]
    return bias is not None and weight.dim() == 4 and len(weight) != len(bias) == weight.shape[1]


def _read_discriminator(content: Content, tensors: Tensors) -> Loaded:
    values = content.read(tensors)
    lod = growing.level_of_detail(values.pop("lod", None))
    blurs = {name for name in values if name.endswith(".blur.kernel")}
    for name in blurs:
        _check_blur(values.pop(name))
    last = growing.finest(values, r"input(\d{1,2})\.")
    state = {_discriminator_name(name, last): value for name, value in values.items()}
    return growing.discriminator(state, lod, blur=bool(blurs))


def _discriminator_name(name: str, last: int) -> str:
    """Return the project's name for a parameter of a discriminator whose blocks are 0, the largest, to `last`."""
    match = re.fullmatch(r"(input|layer)(\d{1,2})\.(weight|bias)", name)
    k = int(match[2]) if match else 0
    if not match or k > (last if match[1] == "input" else 2 * last + 2):
        raise CheckpointError(f"unsupported: a genforce file with {describe(name)}, which no discriminator has")
    if match[1] == "input":
        layer = f"b{4 << (last - k)}.fromrgb"
    elif k < 2 * last:
        layer = f"b{4 << (last - k // 2)}.conv{k % 2}"
    else:
        layer = ("b4.conv", "b4.fc", "b4.out")[k - 2 * last]
    return f"{layer}.{match[3]}"
