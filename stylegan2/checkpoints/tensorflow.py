"""Pickles of the TensorFlow release of StyleGAN2: the tuple (G, D, Gs)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from stylegan2.checkpoints.format import Content, Loaded, Networks, State
from stylegan2.checkpoints.found import height_and_width
from stylegan2.checkpoints.layout import (
    LABEL_CONCAT,
    check_labels,
    discriminator_config,
    filter_taps,
    generator_config,
    label_size,
    number,
)
from stylegan2.config import SQUARE, block_size
from stylegan2.describing import describe
from stylegan2.errors import CheckpointError
from stylegan2.safe_pickle import Record

READS = "the TensorFlow release of StyleGAN2 (.pkl)"

# Learning-rate multipliers of discriminators' mapping networks: the project's, and the default of the release's code.
_LRMUL, _ADAPTIVE_LRMUL = 0.01, 0.1
_CLASS = "dnnlib.tflib.network.Network"
_ORDER = ("G", "D", "G_ema")
_LAYERS = {
    "Const": "",
    "Conv": "conv1.",
    "Conv0_up": "conv0.",
    "Conv1": "conv1.",
    "ToRGB": "torgb.",
    "Skip": "skip.",
}
_DISCRIMINATOR_LAYERS = {
    "FromRGB": "fromrgb.",
    "Conv0": "conv0.",
    "Conv1_down": "conv1.",
    "Skip": "skip.",
    "Conv": "conv.",
    "Dense0": "fc.",
}
# Labels are either put beside z as they are embedded, or (with adaptive augmentation) embedded by a layer.
_LABELS = {
    "LabelConcat/weight": LABEL_CONCAT,
    "LabelEmbed/weight": "mapping.embed.weight",
    "LabelEmbed/bias": "mapping.embed.bias",
}
_PARAMETERS = {
    "const": "const",
    "weight": "weight",
    "bias": "bias",
    "noise_strength": "noise_strength",
    "mod_weight": "affine.weight",
    "mod_bias": "affine.bias",
}


def networks(content: Content) -> Networks | None:
    """Return the networks of the file by name; see `format.Format`."""
    raw = content.pickled
    if not (isinstance(raw, tuple) and raw and all(isinstance(n, Record) and n.name == _CLASS for n in raw)):
        return None
    if len(raw) != 3:
        raise CheckpointError(f"unsupported: a TensorFlow pickle of {len(raw)} networks, not (G, D, Gs)")
    readers = (_read_generator, _read_discriminator, _read_generator)
    return {name: partial(read, content, network) for name, read, network in zip(_ORDER, readers, raw, strict=True)}


def variables_of(content: Content, network: Any) -> State:
    """Read the variables of a network, by their TensorFlow names."""
    return content.read(_variables(network))


def _variables(network: Any) -> dict[str, Any]:
    """The variables of a network by their names, as the file has them."""
    if not (isinstance(network, Record) and isinstance(network.state, dict)):
        raise CheckpointError("it is damaged: a TensorFlow network without state")
    if not isinstance(network.state.get("version"), int) or network.state["version"] < 2:
        raise CheckpointError("unsupported: a TensorFlow network of an unknown version")
    variables = network.state.get("variables")
    if not (isinstance(variables, list) and all(isinstance(v, tuple) and len(v) == 2 for v in variables)):
        raise CheckpointError("it is damaged: a TensorFlow network without a list of its variables")
    if not all(isinstance(name, str) for name, _ in variables):
        raise CheckpointError("it is damaged: a TensorFlow network with a variable without a name")
    return dict(variables)


def _settings(network: Record) -> dict[str, Any]:
    """Return the settings it was made with; refuse those that the project's networks do not have."""
    settings = network.state.get("static_kwargs")
    if not isinstance(settings, dict):
        raise CheckpointError("it is damaged: a TensorFlow network without settings")
    wanted = {"nonlinearity": "lrelu", "mapping_nonlinearity": "lrelu", "normalize_latents": True}
    for name, expected in wanted.items():
        found = settings.get(name, expected)
        if type(found) is not type(expected) or found != expected:
            raise CheckpointError(f"unsupported: its {name} is {describe(found)}, not {expected!r}")
    return settings


def _common(settings: dict[str, Any]) -> dict[str, Any]:
    kernel, clamp = settings.get("resample_kernel"), settings.get("conv_clamp")
    taps = [1, 3, 3, 1] if kernel is None else kernel
    if not isinstance(taps, (list, tuple)):
        raise CheckpointError(f"unsupported: its resample_kernel is {describe(taps)}, not a list of taps")
    return {
        "taps": filter_taps(torch.tensor([number(tap, "resample_kernel") for tap in taps], dtype=torch.float64)),
        "conv_clamp": None if clamp is None else number(clamp, "conv_clamp"),
    }


def _read_generator(content: Content, network: Record) -> Loaded:
    variables = variables_of(content, network)
    parts = network.state.get("components")
    if not isinstance(parts, dict):
        raise CheckpointError("it is damaged: a TensorFlow generator without components")
    synthesis, mapping = (variables_of(content, parts.get(name)) for name in ("synthesis", "mapping"))
    first = _first_block(synthesis)
    state = {f"synthesis.{_rename(name, _LAYERS, first)}": _convert(name, v) for name, v in synthesis.items()}
    state |= {_mapping_name(name): _convert(name, v) for name, v in mapping.items()}
    if "dlatent_avg" not in variables:
        raise CheckpointError("it is damaged: a TensorFlow generator without dlatent_avg")
    state["mapping.w_avg"] = variables["dlatent_avg"]
    settings = _settings(network)
    config = generator_config(
        state,
        **_common(settings),
        mapping_lr_multiplier=number(settings.get("mapping_lrmul", 0.01), "mapping_lrmul"),
        w_avg_beta=number(settings.get("dlatent_avg_beta", 0.995), "dlatent_avg_beta"),
    )
    check_labels(config.c_dim, settings)
    return Loaded(config, state)


def _mapping_name(name: str) -> str:
    """Return the project's name for a variable of a mapping network."""
    return _LABELS.get(name) or re.sub(r"^Dense(\d+)/", r"mapping.fc\1.", name)


def _read_discriminator(content: Content, network: Record) -> Loaded:
    state, variables = {}, variables_of(content, network)
    first = _first_block(variables)
    settings = _settings(network)
    for name, value in variables.items():
        if re.match(r"(Output|LabelEmbed|Mapping\d{1,2})/", name):
            state[_judging_name(name)] = _convert(name, value)
        else:
            state[_rename(name, _DISCRIMINATOR_LAYERS, first)] = _convert(name, value)
    embeds = "mapping.embed.weight" in state
    if embeds:
        _scale_mapping(state, number(settings.get("mapping_lrmul", _ADAPTIVE_LRMUL), "mapping_lrmul"))
    group = settings.get("mbstd_group_size", None if embeds else 4)
    size, labels = _constant_size(content), 0 if embeds else label_size(settings)
    config = discriminator_config(state, base_size=size, labels=labels, **_common(settings), mbstd_group_size=group)
    check_labels(config.c_dim, settings)
    return Loaded(config, state)


def _judging_name(name: str) -> str:
    """Return the project's name for a variable of a discriminator that is in no block."""
    if name.startswith("Output/"):
        return name.replace("Output/", "b4.out.")
    return _LABELS.get(name) or re.sub(r"^Mapping(\d+)/", r"mapping.fc\1.", name)


def _scale_mapping(state: State, lrmul: float) -> None:
    """Give the layers of a discriminator's mapping the multiplier that the project's have; they compute the same."""
    for name in state:
        if name.startswith("mapping.fc"):
            state[name] = state[name] * (lrmul / _LRMUL)


def _constant_size(content: Content) -> tuple[int, int] | None:
    """Height and width of the constant of the file's generator; None if it has none."""
    parts = content.pickled[2].state.get("components")
    synthesis = _variables(parts.get("synthesis")) if isinstance(parts, dict) else {}
    return next((height_and_width(v) for name, v in synthesis.items() if name.endswith("/Const/const")), None)


def _first_block(names: Iterable[str]) -> tuple[int, int]:
    """Height and width in the name of the smallest block, which doubles from block to block.

    Forks with a constant that is not square name blocks after their own height and width, or after those that a square
    one would have, 4x4, 8x8, ….
    """
    matches = (re.match(r"(\d{1,5})x(\d{1,5})/", name) for name in names)
    return min(((int(match[1]), int(match[2])) for match in matches if match), default=SQUARE)


def _rename(name: str, layers: dict[str, str], first: tuple[int, int]) -> str:
    """Return the project's name for a variable of a synthesis network or a discriminator with that first block."""
    noise = re.fullmatch(r"noise(\d{1,2})", name)
    if noise:
        # noise0 is of 4x4, and from 8x8 on there are two of each resolution.
        index = int(noise[1])
        return f"b{4 << ((index + 1) // 2)}.conv{1 - index % 2}.noise_const"
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})/(\w+)/(\w+)", name)
    resolution = 4 * int(match[1]) // max(first[0], 1) if match else 0
    named = match is not None and block_size(first, resolution) == (int(match[1]), int(match[2]))
    if not match or not named or match[3] not in layers or match[4] not in _PARAMETERS:
        raise CheckpointError(
            f"unsupported: a TensorFlow network with {describe(name)}, which no StyleGAN2 network has"
        )
    return f"b{resolution}.{layers[match[3]]}{_PARAMETERS[match[4]]}"


def _convert(name: str, value: Tensor) -> Tensor:
    """Convert to the project's layout: outputs first, up-sampling kernels flipped, style biases plus 1."""
    kind = name.split("/")[-1]
    if name == "LabelConcat/weight":
        return value
    if kind == "mod_bias":
        return value + 1
    if kind in ("weight", "mod_weight") and value.dim() == 2:
        return value.t().contiguous()
    if kind == "weight":
        value = value.permute(3, 2, 0, 1)  # height, width, in, out
        return (value.flip(2, 3) if "_up/" in name else value).contiguous()
    if kind == "const" or kind.startswith("noise") and value.dim() == 4:
        return value.reshape(value.shape[-2:] if kind != "const" else value.shape[1:])
    return value
