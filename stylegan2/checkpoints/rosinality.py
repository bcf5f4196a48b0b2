"""Files of rosinality's PyTorch port, read and written, and of the encoders that build on it (pSp, e4e)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stylegan2.checkpoints.format import Content, Loaded, Networks, State
from stylegan2.checkpoints.found import Tensors, by_names, constant_size
from stylegan2.checkpoints.layout import common_taps, discriminator_config, generator_config
from stylegan2.checkpoints.written import own_state
from stylegan2.describing import describe
from stylegan2.discriminator import Discriminator
from stylegan2.errors import CheckpointError
from stylegan2.layers import resample_buffer
from stylegan2.networks import Generator, MappingNetwork

READS = "rosinality, pSp and e4e (.pt)"

_CONSTANT = "input.input"
_LAYER = {
    "conv.weight": "weight",
    "conv.modulation.weight": "affine.weight",
    "conv.modulation.bias": "affine.bias",
    "noise.weight": "noise_strength",
    "activate.bias": "bias",
    "bias": "bias",
}
_WRITTEN = {ours: theirs for theirs, ours in reversed(_LAYER.items())}  # of two names for biases, that of convolutions
_MEAN_SAMPLES = 10_000
_WIDEST = 1024


def networks(content: Content) -> Networks | None:
    """Return the networks of the file by name; see `format.Format`.

    Files of training have no mean of w. It is then the mean over 10,000 z's drawn with seed 0, so that
    truncation works as it does for other files.
    """
    found = by_names(content.networks, lambda own: "style.1.weight" in own, lambda own: "convs.0.0.weight" in own)
    mean = content.plain.get("latent_avg") if found and isinstance(content.plain, dict) else None
    return {
        name: partial(_read_discriminator, content, tensors)
        if name == "D"
        else partial(_read_generator, content, tensors, mean)
        for name, tensors in found.items()
    } or None


def _read_generator(content: Content, tensors: Tensors, mean: Any) -> Loaded:
    state: State = {}
    kernels = {}
    for name, tensor in content.read(tensors).items():
        if name.endswith(".kernel"):
            kernels[name] = tensor
        else:
            state[_generator_name(name)] = _squeeze(name, tensor)
    # Its learning-rate multiplier is not stored: the code has never had another.
    multiplier = 0.01
    if mean is not None:
        state["mapping.w_avg"] = _mean_row(content.read({"latent_avg": mean})["latent_avg"])
    config = generator_config(state, common_taps(kernels), mapping_lr_multiplier=multiplier)
    if mean is None:
        check_not_wide(config.z_dim, config.w_dim)
        with torch.device("meta"):  # memory is that of the tensors, which need not be the configuration's
            mapping = MappingNetwork(config.z_dim, 0, config.w_dim, None, config.mapping_layers, multiplier)
        state["mapping.w_avg"] = sampled_mean(mapping, state)
    return Loaded(config, state)


def _generator_name(name: str) -> str:
    """Return the project's name for a parameter of the generator."""
    style = re.fullmatch(r"style\.(\d+)\.(weight|bias)", name)
    if style:
        return f"mapping.fc{int(style[1]) - 1}.{style[2]}"
    if name == _CONSTANT:
        return "synthesis.b4.const"
    match = re.fullmatch(r"(conv1|to_rgb1|(?:convs\.|to_rgbs\.|noises\.noise_)\d{1,2})(?:\.(.+))?", name)
    if not match or (match[2] is not None and match[2] not in _LAYER):
        raise CheckpointError(f"unsupported: a rosinality file with {describe(name)}, which no StyleGAN2 generator has")
    kind, *digits = re.split(r"[._](?=\d)", match[1])
    k = int(digits[0]) if digits else 0
    if match[2] is None:
        return f"synthesis.b{4 << ((k + 1) // 2)}.conv{1 - k % 2}.noise_const"
    layer = {
        "conv1": "b4.conv1",
        "to_rgb1": "b4.torgb",
        "convs": f"b{8 << (k // 2)}.conv{k % 2}",
        "to_rgbs": f"b{8 << k}.torgb",
    }[kind]
    return f"synthesis.{layer}.{_LAYER[match[2]]}"


def _squeeze(name: str, tensor: Tensor) -> Tensor:
    """Drop the axes of length 1 that this format has in front of kernels and around biases and strengths."""
    if name.endswith(("conv.weight", "input.input")):
        return tensor[0]
    if name.endswith("noise.weight"):
        return tensor.reshape([])
    if name.startswith("noises."):
        return tensor[0, 0]
    return tensor.reshape(-1) if name.endswith("bias") else tensor


def _mean_row(mean: Tensor) -> Tensor:
    """Return the mean, which encoders store once per row of ws."""
    rows = mean.reshape(-1, mean.shape[-1])
    if not torch.equal(rows, rows[:1].expand_as(rows)):
        raise CheckpointError("unsupported: latent_avg has rows that differ")
    return rows[0].clone()


def check_not_wide(*widths: int) -> None:
    """Refuse networks for which a mean of w would take long; CheckpointError."""
    if max(widths) > _WIDEST:
        raise CheckpointError(f"unsupported: it has no mean of w, and z or w are wider than {_WIDEST}")


def sampled_mean(mapping: MappingNetwork, state: State) -> Tensor:
    """Mean of w over drawn z's, in float64 so that machines agree on its float32 value."""
    own = {n.removeprefix("mapping."): v for n, v in state.items() if n.startswith("mapping.")}
    mapping.load_state_dict(own, assign=True)
    with torch.no_grad():
        z = torch.from_numpy(np.random.RandomState(0).randn(_MEAN_SAMPLES, mapping.z_dim))
        return mapping.double()(z).mean(0).float()


def _read_discriminator(content: Content, tensors: Tensors) -> Loaded:
    values = content.read(tensors)
    kernels = {name: value for name, value in values.items() if name.endswith(".kernel")}
    blocks = sum(name.endswith(".skip.1.weight") for name in values)
    state = {_discriminator_name(n, blocks): value for n, value in values.items() if n not in kernels}
    size = constant_size(content.networks, _CONSTANT)
    return Loaded(discriminator_config(state, common_taps(kernels), size), state)


def _discriminator_name(name: str, blocks: int) -> str:
    """Return the project's name for a parameter of a discriminator of `blocks` residual blocks, the largest first."""
    match = re.fullmatch(r"(convs\.\d{1,2}|final_conv|final_linear)\.(.+)\.(weight|bias)", name)
    layers = dict(discriminator_layers(blocks))
    if not match or f"{match[1]}.{match[2]}" not in layers:
        raise CheckpointError(
            f"unsupported: a rosinality file with {describe(name)}, which no StyleGAN2 discriminator has"
        )
    return f"{layers[f'{match[1]}.{match[2]}']}.{match[3]}"


def discriminator_layers(blocks: int) -> Iterator[tuple[str, str]]:
    """Pair the format's names of modules with weights or biases with the project's."""
    for index in (0, 1):
        yield f"final_conv.{index}", "b4.conv"
        yield f"convs.0.{index}", f"b{4 << blocks}.fromrgb"
    yield "final_linear.0", "b4.fc"
    yield "final_linear.1", "b4.out"
    for k in range(1, blocks + 1):
        side = 4 << (blocks - k + 1)
        for theirs in ("conv1.0", "conv1.1", "conv2.1", "conv2.2"):
            yield f"convs.{k}.{theirs}", f"b{side}.conv{int(theirs[4]) - 1}"
        yield f"convs.{k}.skip.1", f"b{side}.skip"


# --- writing ------------------------------------------------------------------------------------------------


def obstacle(generator: Generator, discriminator: Discriminator | None) -> str | None:
    """Say what in the networks the layout has no place for; see `format.WritableFormat`."""
    config = generator.config
    plain = (
        config.architecture == "skip"
        and config.use_noise
        and not config.c_dim
        and config.img_channels == 3
        and config.z_dim == config.w_dim
        and config.mapping_lr_multiplier == 0.01
        and len(config.resample_filter) == 4
    )
    judged = discriminator is None or (discriminator.config.architecture == "resnet" and not discriminator.config.c_dim)
    if plain and judged:
        return None
    return "it knows colour without labels, the skip generator with noise, z as wide as w, and the resnet discriminator"


def content_of(generator: Generator, discriminator: Discriminator | None) -> dict[str, Any]:
    """Return what a file of the networks holds; see `format.WritableFormat`."""
    own = _written_generator(generator)
    found: dict[str, Any] = {"g_ema": own, "g": own, "latent_avg": generator.w_avg.detach().cpu().clone()}
    return found if discriminator is None else {**found, "d": _written_discriminator(discriminator)}


def _written_generator(generator: Generator) -> dict[str, Tensor]:
    kernel = resample_buffer(generator.config.resample_filter) * 4  # its filters keep the brightness while up-sampling
    found = {}
    for name, value in own_state(generator).items():
        if name.endswith("resample_filter") or name == "mapping.w_avg":
            continue
        theirs, shape = _their_name(name, value)
        found[theirs] = value.reshape(shape)
    for k in range(len(generator.config.block_resolutions) - 1):
        found[f"convs.{2 * k}.conv.blur.kernel"] = kernel.clone()
        found[f"to_rgbs.{k}.upsample.kernel"] = kernel.clone()
    return found


def _their_name(name: str, value: Tensor) -> tuple[str, tuple[int, ...]]:
    """Their name for a parameter of the generator, and the shape that they give it."""
    shape = tuple(value.shape)
    if match := re.fullmatch(r"mapping\.fc(\d+)\.(weight|bias)", name):
        return f"style.{int(match[1]) + 1}.{match[2]}", shape
    if name == "synthesis.b4.const":
        return "input.input", (1, *shape)
    match = re.fullmatch(r"synthesis\.b(\d+)\.(conv0|conv1|torgb)\.(.+)", name)
    assert match  # all parameters of a generator with skips are of these layers
    k, layer, part = int(match[1]).bit_length() - 4, match[2], match[3]
    number = 2 * k + int(layer == "conv1")
    if part == "noise_const":
        return f"noises.noise_{number + 1}", (1, 1, *shape)
    if layer == "torgb":
        prefix, part = ("to_rgb1" if k < 0 else f"to_rgbs.{k}"), "bias" if part == "bias" else _WRITTEN[part]
        return f"{prefix}.{part}", (1, *shape, 1, 1) if part == "bias" else _with_axis(part, shape)
    prefix, part = ("conv1" if k < 0 else f"convs.{number}"), _WRITTEN[part]
    return f"{prefix}.{part}", (1,) if part == "noise.weight" else _with_axis(part, shape)


def _with_axis(part: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    return (1, *shape) if part == "conv.weight" else shape


def _written_discriminator(discriminator: Discriminator) -> dict[str, Tensor]:
    state, blocks = own_state(discriminator), len(discriminator.config.block_resolutions) - 1
    kernel = resample_buffer(discriminator.config.resample_filter)
    layers = list(discriminator_layers(blocks))
    found = {}
    for ours in dict.fromkeys(ours for _, ours in layers):
        theirs = [name for name, own in layers if own == ours]  # the convolution, and the activation with the bias
        found[f"{theirs[0]}.weight"] = state[f"{ours}.weight"]
        if f"{ours}.bias" in state:
            found[f"{theirs[-1]}.bias"] = state[f"{ours}.bias"]
    for k in range(1, blocks + 1):
        found |= {f"convs.{k}.{part}.0.kernel": kernel.clone() for part in ("conv2", "skip")}
    return found
