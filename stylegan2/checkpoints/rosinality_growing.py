"""Files of rosinality's style-based-gan-pytorch (.model): StyleGAN networks of 1024², as far as they have grown.

Three things are not in these files. How far the training has grown the networks: the layers that it has not reached
still have the noise weights and biases of zero that they began with. The noise: it is drawn anew for each image there,
and here constant maps are drawn by seed 0. The mean of w: it is that of 10,000 z's of seed 0.
"""

from __future__ import annotations

import math
import re
from functools import partial
from typing import Any

import torch
from torch import Tensor

from stylegan2.checkpoints import growing
from stylegan2.checkpoints.format import Content, Loaded, Networks, State
from stylegan2.checkpoints.found import Tensors, tensors_of
from stylegan2.checkpoints.rosinality import check_not_wide, sampled_mean
from stylegan2.describing import describe
from stylegan2.errors import CheckpointError
from stylegan2.stylegan1 import StyleGANConfig, style_mapping

READS = "rosinality's StyleGAN (.model, since July 2019)"

_CONST, _LAST = "generator.progression.0.conv1.input", "linear.linear.weight_orig"
_OLD = "unsupported: a file of style-based-gan-pytorch from before July 2019, whose code computed something else"
_LAYERS = {
    "conv1.1.conv.weight_orig": "conv0.conv.weight",
    "conv1.1.conv.bias": "conv0.conv.bias",
    "conv1.0.weight": "conv0.conv.weight",
    "conv1.0.bias": "conv0.conv.bias",
    "conv2.conv.weight_orig": "conv1.conv.weight",
    "conv2.conv.bias": "conv1.conv.bias",
    "noise1.weight_orig": "conv0.noise_strength",
    "noise2.weight_orig": "conv1.noise_strength",
    "adain1.style.linear.weight_orig": "conv0.affine.weight",
    "adain1.style.linear.bias": "conv0.affine.bias",
    "adain2.style.linear.weight_orig": "conv1.affine.weight",
    "adain2.style.linear.bias": "conv1.affine.bias",
}
# Layers of a discriminator's blocks, of which the last has a convolution that takes in all of its 4x4 features.
_JUDGING_LAYERS = {"conv1.0.conv": "conv0", "conv2.1.conv": "conv1", "conv2.1": "conv1"}
_LAST_LAYERS = {"conv1.0.conv": "conv", "conv2.0.conv": "fc"}
_READING_LAYERS = {"0.conv": "fromrgb", "conv": "fromrgb"}


def networks(content: Content) -> Networks | None:
    """Return the networks of the file by name; see `format.Format`."""
    raw = content.plain
    if not isinstance(raw, dict):
        return None
    places = dict.fromkeys(("G_ema", "G", "D"), raw) if _is_alone(tensors_of(raw)) else _by_keys(raw)
    found: Networks = {}
    for name, own in places.items():
        tensors = tensors_of(own) if isinstance(own, dict) else {}
        if name != "D" and _CONST in tensors:
            found[name] = partial(_read, content, tensors)
        if name == "D" and _is_discriminator(tensors):
            found[name] = partial(_read_discriminator, content, tensors)
    return found or None


def _is_alone(tensors: Tensors) -> bool:
    return _CONST in tensors or _is_discriminator(tensors)


def _is_discriminator(tensors: Tensors) -> bool:
    return _LAST in tensors and any(isinstance(name, str) and name.startswith("from_rgb.0.") for name in tensors)


def _by_keys(raw: Tensors) -> dict[str, Any]:
    return {"G_ema": raw.get("g_running"), "G": raw.get("generator"), "D": raw.get("discriminator")}


def _read(content: Content, tensors: Tensors) -> Loaded:
    values = {name: value for name, value in content.read(tensors).items() if not _is_blur(name)}
    last = _grown_to(values)
    state: State = {}
    for name, value in values.items():
        block = re.match(r"generator\.(?:progression|to_rgb)\.(\d{1,2})\.", name)
        if block is None or int(block[1]) <= last:
            ours = _name(name)
            state[ours] = _converted(name, value)
    state["synthesis.b4.conv0.bias"] = torch.zeros(len(state["synthesis.b4.const"]))  # it has none
    rng = torch.Generator().manual_seed(0)
    for n in range(2 * last + 2):
        side = 4 << (n // 2)
        state[f"synthesis.{growing.layer_of(n)}.noise_const"] = torch.randn(side, side, generator=rng)
    settings = {"mapping_lr_multiplier": 1.0, "norm_epsilon": 1e-5, "bias_before_blur": True}
    loaded = growing.stylegan(state, 0.0, **settings)
    loaded.state["mapping.w_avg"] = _mean(loaded)
    return loaded


def _mean(loaded: Loaded) -> Tensor:
    """The mean of w; CheckpointError where no mapping network has the shapes."""
    config = loaded.config
    assert isinstance(config, StyleGANConfig)
    check_not_wide(config.z_dim, config.hidden_dim, config.w_dim)
    with torch.device("meta"):  # memory is that of the tensors, which need not be the configuration's
        mapping = style_mapping(config, None)
    for name, value in mapping.state_dict().items():
        shape = tuple(loaded.state[f"mapping.{name}"].shape)
        if shape != tuple(value.shape):
            raise CheckpointError(f"it is damaged or another architecture: mapping.{name} has the shape {shape}")
    return sampled_mean(mapping, loaded.state)


def _is_blur(name: str) -> bool:
    """Whether it is the fixed filter of an enlarging layer."""
    return bool(re.fullmatch(r"generator\.progression\.\d+\.conv1\.[12]\.weight(_flip)?", name))


def _grown_to(values: State) -> int:
    """The last block that a training has reached; CheckpointError if there is none."""
    if "generator.progression.1.conv1.conv.weight_orig" in values:
        raise CheckpointError(_OLD)
    pattern = r"generator\.progression\.(\d{1,2})\.(noise[12]\.weight_orig|conv2\.conv\.bias)"
    names = [(re.fullmatch(pattern, name), value) for name, value in values.items()]
    reached = [int(match[1]) for match, value in names if match and bool((value != 0).any())]
    if not reached or max(reached) == 0:
        raise CheckpointError("unsupported: a StyleGAN of style-based-gan-pytorch that was not trained beyond 4²")
    return max(reached)


def _name(name: str) -> str:
    """Return the project's name for a parameter."""
    if name == _CONST:
        return "synthesis.b4.const"
    dense = re.fullmatch(r"style\.(\d{1,2})\.linear\.(weight_orig|bias)", name)
    if dense and int(dense[1]) % 2:
        return f"mapping.fc{int(dense[1]) // 2}.{dense[2].removesuffix('_orig')}"
    image = re.fullmatch(r"generator\.to_rgb\.(\d{1,2})\.conv\.(weight_orig|bias)", name)
    if image:
        return f"synthesis.b{4 << int(image[1])}.torgb.{image[2].removesuffix('_orig')}"
    match = re.fullmatch(r"generator\.progression\.(\d{1,2})\.(.+)", name)
    if not match or match[2] not in _LAYERS:
        raise CheckpointError(f"unsupported: a style-based-gan-pytorch file with {describe(name)}, no generator's")
    return f"synthesis.b{4 << int(match[1])}.{_LAYERS[match[2]]}"


def _converted(name: str, value: Tensor) -> Tensor:
    """Convert to the project's layout and scale: all its layers have the gain √2, and its scales are none from 1."""
    if name == _CONST:
        return value[0]
    if name.endswith("conv1.1.conv.weight_orig"):
        return growing.convolved(value, fused=False)
    if name.endswith("conv1.0.weight"):  # fused, the mean of four shifts instead of their sum
        return growing.convolved(value.transpose(0, 1) / 4, fused=True)
    if re.search(r"noise[12]\.weight_orig$", name):
        return value.flatten() * math.sqrt(2 / max(value.numel(), 1))
    if re.search(r"(adain[12]\.style\.linear|to_rgb\.\d+\.conv)\.weight_orig$", name):
        return value * math.sqrt(2)
    if re.search(r"adain[12]\.style\.linear\.bias$", name):
        return torch.cat([value[: len(value) // 2] - 1, value[len(value) // 2 :]])
    return value


# --- discriminator ------------------------------------------------------------------------------------------


def _read_discriminator(content: Content, tensors: Tensors) -> Loaded:
    values = {name: value for name, value in content.read(tensors).items() if not _is_judging_blur(name)}
    blocks = _judging_blocks(values)
    first = _reached(values, blocks)
    state: State = {}
    for name, value in values.items():
        block = re.match(r"(?:progression|from_rgb)\.(\d{1,2})\.", name)
        if block is None or int(block[1]) >= first:
            state[_judging_name(name, blocks)] = _judging_value(name, value)
    activated = f"from_rgb.{blocks - 1}.0.conv.weight_orig" in values
    settings = {"mbstd_group_size": None, "fromrgb_activation": activated, "widens_first": True}
    return growing.discriminator(state, 0.0, True, **settings)


def _is_judging_blur(name: str) -> bool:
    """Whether it is the fixed filter of a reducing layer."""
    return bool(re.fullmatch(r"progression\.\d+\.conv2\.0\.weight(_flip)?", name))


def _judging_blocks(values: State) -> int:
    """The number of blocks, of which the last one is of 4x4; CheckpointError where the code was another one."""
    if any(re.match(r"progression\.\d+\.conv\.", name) for name in values):
        raise CheckpointError(_OLD)
    numbers = [int(match[1]) for match in (re.match(r"progression\.(\d{1,2})\.", name) for name in values) if match]
    return max(numbers, default=0) + 1


def _reached(values: State, blocks: int) -> int:
    """The first block that a training has reached, of which the biases have left zero; CheckpointError if none has."""
    names = [(re.fullmatch(r"progression\.(\d{1,2})\..+\.bias", name), value) for name, value in values.items()]
    reached = [int(match[1]) for match, value in names if match and bool((value != 0).any())]
    if not reached or min(reached) == blocks - 1:
        raise CheckpointError(
            "unsupported: a StyleGAN discriminator of style-based-gan-pytorch that was not trained beyond 4²"
        )
    return min(reached)


def _judging_name(name: str, blocks: int) -> str:
    """Return the project's name for a parameter of a discriminator of so many blocks."""
    out = re.fullmatch(r"linear\.linear\.(weight_orig|bias)", name)
    if out:
        return f"b4.out.{out[1].removesuffix('_orig')}"
    match = re.fullmatch(r"(progression|from_rgb)\.(\d{1,2})\.(.+)\.(weight_orig|weight|bias)", name)
    left = blocks - 1 - int(match[2]) if match else 0
    reading = match is not None and match[1] == "from_rgb"
    layers = _READING_LAYERS if reading else _JUDGING_LAYERS if left else _LAST_LAYERS
    if not match or left < 0 or match[3] not in layers:
        raise CheckpointError(f"unsupported: a style-based-gan-pytorch file with {describe(name)}, no discriminator's")
    return f"b{4 << left}.{layers[match[3]]}.{match[4].removesuffix('_orig')}"


def _judging_value(name: str, value: Tensor) -> Tensor:
    """Convert to the project's layout and scale: all its layers have the gain √2, and the last one is dense."""
    if name == _LAST:
        return value * math.sqrt(2)
    return value.flatten(1) if value.dim() == 4 and name.endswith(".conv2.0.conv.weight_orig") else value
