"""Files of rosinality's style-based-gan-pytorch (.model), read and written.

They hold StyleGAN networks of 1024², as far as they have grown. Three things are not in these files. How far training
has grown the networks: the layers that it has not reached still have the noise weights and biases of zero that they
began with. The noise: it is drawn anew for each image there, and here constant maps are drawn with seed 0. The mean of
w: here it is that of 10,000 z's drawn with seed 0.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from stylegan2.checkpoints import growing
from stylegan2.checkpoints.format import Content, Loaded, Networks, State
from stylegan2.checkpoints.found import Tensors, tensors_of
from stylegan2.checkpoints.kinds import new_network
from stylegan2.checkpoints.rosinality import check_not_wide, sampled_mean
from stylegan2.checkpoints.tables import FLIPPED, SAME, WITH_BATCH, Conversion, Entry, Table, scaled
from stylegan2.checkpoints.written import first_unmet, own_state
from stylegan2.defaults import own_draws
from stylegan2.errors import CheckpointError
from stylegan2.growing import GrowingDiscriminator, GrowingDiscriminatorConfig
from stylegan2.stylegan1 import StyleGANConfig, StyleGANGenerator, style_mapping

READS = "rosinality's StyleGAN (.model, since July 2019)"

_CONST, _LAST = "generator.progression.0.conv1.input", "linear.linear.weight_orig"
_OLD = "unsupported: a file of style-based-gan-pytorch from before July 2019, whose code computed something else"
_UNKNOWN = "a style-based-gan-pytorch file with {}, no "
_MOST_LAYERS = growing.MOST_LAYERS // 2  # every other one of its mapping network is a leaky ReLU
_LARGEST = 1024  # the resolution of all its networks
_SETTINGS: dict[str, Any] = {"mapping_lr_multiplier": 1.0, "norm_epsilon": 1e-5, "bias_before_blur": True}
_JUDGING_SETTINGS: dict[str, Any] = {"mbstd_group_size": None, "widens_first": True}

# All its layers have the gain √2, even those that are linear; and its styles are not differences from 1.
_LINEAR = scaled(math.sqrt(2))
_NOISE = Conversion(
    lambda value: value.flatten() * math.sqrt(2 / max(value.numel(), 1)),
    lambda value: value.reshape(1, -1, 1, 1) * math.sqrt(value.numel() / 2),
)
_STYLE_BIAS = Conversion(lambda value: _with_scales(value, -1.0), lambda value: _with_scales(value, 1.0))
_FUSED = Conversion(  # the mean of four shifts instead of their sum
    lambda value: value.transpose(0, 1) / 4, lambda value: value.transpose(0, 1) * 4
)
_FLAT = Conversion(lambda value: value.flatten(1), lambda value: value.reshape(len(value), -1, 4, 4))


def _with_scales(bias: Tensor, shift: float) -> Tensor:
    half = len(bias) // 2
    return torch.cat([bias[:half] + shift, bias[half:]])


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


# --- generator ----------------------------------------------------------------------------------------------


def _read(content: Content, tensors: Tensors) -> Loaded:
    values = content.read(tensors)
    last = _grown_to(values)
    within = {name: value for name, value in values.items() if _block(name, 0) <= last}
    table = _table(last + 1, lambda k: f"generator.progression.{k}.conv1.0.weight" in values)
    state = table.read(within)
    state["synthesis.b4.conv0.bias"] = torch.zeros(len(state["synthesis.b4.const"]))  # it has none
    rng = torch.Generator().manual_seed(0)
    for n in range(2 * last + 2):
        side = 4 << (n // 2)
        state[f"synthesis.{growing.layer_of(n)}.noise_const"] = torch.randn(side, side, generator=rng)
    loaded = growing.stylegan(state, 0.0, **_SETTINGS)
    loaded.state["mapping.w_avg"] = _mean(loaded)
    return loaded


def _block(name: str, otherwise: int) -> int:
    """The number of the block that a name is of; `otherwise` where it is of none."""
    match = re.match(r"(?:generator\.)?(?:progression|to_rgb|from_rgb)\.(\d{1,2})\.", name)
    return int(match[1]) if match else otherwise


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


def _table(levels: int, is_fused: Callable[[int], bool]) -> Table:
    """The table of a generator with so many blocks, 4x4 first; `is_fused` says which of them enlarge in one step."""
    entries = []
    for k in range(_MOST_LAYERS):
        entries += _pair(f"style.{2 * k + 1}.linear", f"mapping.fc{k}")
    blurs: dict[str, str] = {}
    for k in range(levels):
        theirs, ours = f"generator.progression.{k}", f"synthesis.b{4 << k}"
        entries += _pair(f"generator.to_rgb.{k}.conv", f"{ours}.torgb", _LINEAR)
        entries += _pair(f"{theirs}.conv2.conv", f"{ours}.conv1.conv")
        if k:
            entries += _enlarging(theirs, ours, is_fused(k))
            blur = f"{theirs}.conv1.{1 if is_fused(k) else 2}.weight"
            blurs |= dict.fromkeys((blur, f"{blur}_flip"), f"{ours}.conv0.conv.bias")
        for n in (0, 1):
            entries.append(Entry(f"{theirs}.noise{n + 1}.weight_orig", f"{ours}.conv{n}.noise_strength", _NOISE))
            style = f"{theirs}.adain{n + 1}.style.linear"
            entries += _pair(style, f"{ours}.conv{n}.affine", _LINEAR, _STYLE_BIAS)
    return Table((Entry(_CONST, "synthesis.b4.const", WITH_BATCH), *entries), blurs, _UNKNOWN + "generator's")


def _pair(theirs: str, ours: str, weight: Conversion = SAME, bias: Conversion = SAME) -> list[Entry]:
    """Weight and bias of a layer that is scaled when it is used."""
    return [Entry(f"{theirs}.weight_orig", f"{ours}.weight", weight), Entry(f"{theirs}.bias", f"{ours}.bias", bias)]


def _enlarging(theirs: str, ours: str, fused: bool) -> list[Entry]:
    ours = f"{ours}.conv0.conv"
    if not fused:
        return _pair(f"{theirs}.conv1.1.conv", ours, FLIPPED)
    return [
        Entry(f"{theirs}.conv1.0.weight", f"{ours}.weight", _FUSED),
        Entry(f"{theirs}.conv1.0.bias", f"{ours}.bias"),
    ]


# --- discriminator ------------------------------------------------------------------------------------------


def _read_discriminator(content: Content, tensors: Tensors) -> Loaded:
    values = content.read(tensors)
    blocks = _judging_blocks(values)
    first = _reached(values, blocks)
    within = {name: value for name, value in values.items() if _block(name, blocks) >= first}
    activated = f"from_rgb.{blocks - 1}.0.conv.weight_orig" in values
    table = _judging_table(blocks, activated, lambda k: f"progression.{k}.conv2.1.weight" in values)
    return growing.discriminator(table.read(within), 0.0, True, fromrgb_activation=activated, **_JUDGING_SETTINGS)


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


def _judging_table(blocks: int, activated: bool, is_fused: Callable[[int], bool]) -> Table:
    """The table of a discriminator with so many blocks, 4x4 last.

    `activated` says whether a leaky ReLU follows where images are read, `is_fused` which blocks reduce in one step.
    """
    entries = _pair("linear.linear", "b4.out", _LINEAR)
    blurs: dict[str, str] = {}
    for k in range(blocks):
        theirs, ours = f"progression.{k}", f"b{4 << (blocks - 1 - k)}"
        entries += _pair(f"from_rgb.{k}.{'0.' if activated else ''}conv", f"{ours}.fromrgb")
        if k == blocks - 1:  # of 4x4, all of which its second convolution takes in
            entries += [
                *_pair(f"{theirs}.conv1.0.conv", f"{ours}.conv"),
                *_pair(f"{theirs}.conv2.0.conv", f"{ours}.fc", _FLAT),
            ]
            continue
        entries += _pair(f"{theirs}.conv1.0.conv", f"{ours}.conv0")
        if is_fused(k):
            entries += [Entry(f"{theirs}.conv2.1.{part}", f"{ours}.conv1.{part}") for part in ("weight", "bias")]
        else:
            entries += _pair(f"{theirs}.conv2.1.conv", f"{ours}.conv1")
        blur = f"{theirs}.conv2.0.weight"
        blurs |= dict.fromkeys((blur, f"{blur}_flip"), f"{ours}.conv0.bias")
    return Table(tuple(entries), blurs, _UNKNOWN + "discriminator's")


# --- writing ------------------------------------------------------------------------------------------------


def obstacle(generator: StyleGANGenerator, discriminator: GrowingDiscriminator | None) -> str | None:
    """Say what in the networks the layout has no place for; see `format.WritableFormat`."""
    config = generator.config
    unmet = first_unmet(
        {
            **_common_requirements(config),
            "its z, hidden layers and w have one width": config.z_dim == config.hidden_dim == config.w_dim,
            f"it has {_MOST_LAYERS} mapping layers at most": config.mapping_layers <= _MOST_LAYERS,
            "it adds 1e-5 to the variance in instance norm": config.norm_epsilon == _SETTINGS["norm_epsilon"],
            "it adds the biases of enlarging layers before the blur": config.bias_before_blur,
            "it tells by noise weights and biases other than zero how far a generator has grown": _has_grown(generator),
        }
    )
    return unmet if unmet or discriminator is None else _judging_obstacle(discriminator)


def _judging_obstacle(discriminator: GrowingDiscriminator) -> str | None:
    config, first = discriminator.config, discriminator.get_submodule(f"b{discriminator.resolution}")
    biases = [value for name, value in first.named_parameters() if re.fullmatch(r"conv[01]\.bias", name)]
    return first_unmet(
        {
            **_common_requirements(config),
            "its discriminator compares the images of the whole batch": config.mbstd_group_size is None,
            "its discriminator changes the number of features by a block's first layer": config.widens_first,
            "its discriminator takes means before the leaky ReLU": not config.pools_activated,
            "it tells by biases other than zero how far a discriminator has grown": any(map(_is_set, biases)),
        }
    )


def _common_requirements(config: StyleGANConfig | GrowingDiscriminatorConfig) -> dict[str, bool]:
    return {
        "it has no labels": not config.c_dim,
        "its images have three channels": config.img_channels == 3,
        f"its images are of {_LARGEST} pixels at most": config.resolution <= _LARGEST,
        "it keeps no level of detail": config.lod == 0,
    }


def _has_grown(generator: StyleGANGenerator) -> bool:
    last = generator.get_submodule(f"synthesis.b{generator.resolution}")
    return any(
        _is_set(value)
        for name, value in last.named_parameters()
        if name.endswith("noise_strength") or name == "conv1.conv.bias"
    )


def _is_set(value: Tensor) -> bool:
    return bool((value != 0).any())


def content_of(generator: StyleGANGenerator, discriminator: GrowingDiscriminator | None) -> dict[str, Any]:
    """Return what a file of the networks holds; see `format.WritableFormat`."""
    own = _generator(generator)
    found = {"generator": own, "g_running": own}
    return found if discriminator is None else {**found, "discriminator": _discriminator(discriminator)}


def _generator(generator: StyleGANGenerator) -> State:
    config, state = _whole(generator)
    state = growing.with_multiplier(state, config.mapping_lr_multiplier / _SETTINGS["mapping_lr_multiplier"])
    bias = state.pop("synthesis.b4.conv0.bias")  # added to a constant, it is a part of it
    state["synthesis.b4.const"] = state["synthesis.b4.const"] + bias[:, None, None]
    kept = {name: v for name, v in state.items() if not name.endswith("noise_const") and name != "mapping.w_avg"}
    return _table(len(config.block_resolutions), lambda k: 4 << k >= growing.FUSED_FROM).write(kept)


def _discriminator(discriminator: GrowingDiscriminator) -> State:
    config, state = _whole(discriminator)
    sides = config.block_resolutions
    table = _judging_table(len(sides), config.fromrgb_activation, lambda k: sides[k] >= growing.FUSED_FROM)
    return table.write(state)


@own_draws()
def _whole(network: Any) -> tuple[Any, State]:
    """Configuration and tensors with the blocks up to 1024², as they begin, which its code always has.

    Networks of widths that leave those blocks no features have no others; its code has other widths, too.
    """
    config = network.config
    if not config.resolution < _LARGEST <= config.channel_base:
        return config, own_state(network)
    config = replace(config, resolution=_LARGEST)
    torch.manual_seed(0)
    return config, own_state(new_network(config)) | own_state(network)
