"""genforce's Progressive GAN and StyleGAN, {generator, discriminator, generator_smooth}: read and written."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import torch
from torch import Tensor

from stylegan2.checkpoints import growing
from stylegan2.checkpoints.format import Content, Loaded, Networks, State
from stylegan2.checkpoints.found import Tensors, by_names
from stylegan2.checkpoints.layout import LABEL_CONCAT
from stylegan2.checkpoints.tables import (
    FLIPPED,
    SAME,
    SWAPPED,
    WITH_BATCH,
    WITH_BATCH_AND_CHANNEL,
    Entry,
    Table,
)
from stylegan2.checkpoints.written import first_unmet, own_state
from stylegan2.growing import GrowingDiscriminator, GrowingDiscriminatorConfig
from stylegan2.progressive import ProgressiveGenerator
from stylegan2.stylegan1 import StyleGANConfig, StyleGANGenerator

READS = "genforce (.pth, StyleGAN and Progressive GAN)"

_PARTS = ("weight", "bias")
_LARGEST = 1024  # the largest resolution of its networks
_MULTIPLIER = StyleGANConfig(8).mapping_lr_multiplier  # of its code, too
_UNKNOWN = "a genforce file with {}, which no "


def networks(content: Content) -> Networks | None:
    """Return the networks of the file by name; see `format.Format`."""
    found = by_names(content.networks, lambda own: _reader(own) is not None, lambda own: "input1.weight" in own)
    return {
        name: partial(_read_discriminator if name == "D" else _read_generator, content, tensors)
        for name, tensors in found.items()
    } or None


def _reader(tensors: Tensors) -> str | None:
    """Which generator has these names: 'stylegan', 'progressive', or None for neither."""
    if "synthesis.layer0.apply_noise.weight" in tensors:
        return "stylegan"
    return "progressive" if {"layer0.weight", "output0.weight"} <= tensors.keys() else None


def _read_generator(content: Content, tensors: Tensors) -> Loaded:
    values = content.read(tensors)
    return _read_stylegan(values) if _reader(tensors) == "stylegan" else _read_progressive(values)


# --- StyleGAN -----------------------------------------------------------------------------------------------


def _read_stylegan(values: State) -> Loaded:
    lod = growing.level_of_detail(values.pop("synthesis.lod", None))
    levels = growing.finest(values, r"synthesis\.output(\d{1,2})\.") + 1
    return growing.stylegan(_stylegan_table(levels).read(values), lod)


def _stylegan_table(levels: int) -> Table:
    """The table of a generator with blocks from 4x4 on, so many."""
    entries = [Entry("truncation.w_avg", "mapping.w_avg"), Entry("mapping.label_weight", LABEL_CONCAT)]
    for k in range(growing.MOST_LAYERS):
        entries += [Entry(f"mapping.dense{k}.{part}", f"mapping.fc{k}.{part}") for part in _PARTS]
    for k in range(levels):
        entries += [Entry(f"synthesis.output{k}.{part}", f"synthesis.b{4 << k}.torgb.{part}") for part in _PARTS]
    for n in range(2 * levels):
        theirs, ours = f"synthesis.layer{n}", f"synthesis.{growing.layer_of(n)}"
        entries += _first(theirs) if n == 0 else _convolution(n, theirs, ours)
        entries += [Entry(f"{theirs}.style.{part}", f"{ours}.affine.{part}") for part in _PARTS]
        entries += [
            Entry(f"{theirs}.apply_noise.weight", f"{ours}.noise_strength"),
            Entry(f"{theirs}.apply_noise.noise", f"{ours}.noise_const", WITH_BATCH_AND_CHANNEL),
        ]
    blurs = {
        f"synthesis.layer{n}.blur.kernel": f"synthesis.{growing.layer_of(n)}.conv.bias" for n in range(2, 2 * levels, 2)
    }
    return Table(tuple(entries), blurs, _UNKNOWN + "StyleGAN generator has")


def _first(theirs: str) -> list[Entry]:
    """The constant and its bias."""
    return [
        Entry(f"{theirs}.const", "synthesis.b4.const", WITH_BATCH),
        Entry(f"{theirs}.bias", "synthesis.b4.conv0.bias"),
    ]


def _convolution(n: int, theirs: str, ours: str) -> list[Entry]:
    """Weight and bias of the `n`-th layer, of which the even ones enlarge."""
    enlarges = n % 2 == 0 and 4 << (n // 2) < growing.FUSED_FROM
    return [
        Entry(f"{theirs}.weight", f"{ours}.conv.weight", FLIPPED if enlarges else SAME),
        Entry(f"{theirs}.bias", f"{ours}.conv.bias"),
    ]


# --- Progressive GAN ----------------------------------------------------------------------------------------


def _read_progressive(values: State) -> Loaded:
    lod = growing.level_of_detail(values.pop("lod", None))
    fused = any(_is_fused(values, name) for name in values)
    levels = growing.finest(values, r"output(\d{1,2})\.") + 1
    return growing.progressive(_progressive_table(levels, fused).read(values), lod)


def _is_fused(values: State, name: str) -> bool:
    """Whether it is the weight of a fused layer, whose outputs come second; told where their number is not the inputs'.

    Code bases fuse all layers of a network or none, so that one that tells is enough.
    """
    match = re.fullmatch(r"layer(\d{1,2})\.weight", name)
    bias = values.get(f"layer{match[1]}.bias") if match and int(match[1]) % 2 == 0 and match[1] != "0" else None
    weight = values[name]
    return bias is not None and weight.dim() == 4 and len(weight) != len(bias) == weight.shape[1]


def _progressive_table(levels: int, fused: bool) -> Table:
    """The table of a generator with blocks from 4x4 on, so many."""
    entries = []
    for k in range(levels):
        entries += [Entry(f"output{k}.{part}", f"synthesis.b{4 << k}.torgb.{part}") for part in _PARTS]
    for n in range(2 * levels):
        # The first is a convolution of a single pixel, padded: the linear layer that it is has its weights flipped.
        conversion = SAME if n % 2 else SWAPPED if fused and n else FLIPPED
        ours = f"synthesis.{growing.layer_of(n)}"
        entries += [Entry(f"layer{n}.weight", f"{ours}.weight", conversion), Entry(f"layer{n}.bias", f"{ours}.bias")]
    return Table(tuple(entries), {}, _UNKNOWN + "Progressive GAN has")


# --- discriminators -----------------------------------------------------------------------------------------


def _read_discriminator(content: Content, tensors: Tensors) -> Loaded:
    values = content.read(tensors)
    lod = growing.level_of_detail(values.pop("lod", None))
    blur = any(name.endswith(".blur.kernel") for name in values)
    levels = growing.finest(values, r"input(\d{1,2})\.") + 1
    state = _discriminator_table(levels, blur).read(values)
    return growing.discriminator(state, lod, blur, c_dim=_labels(state, blur))


def _labels(state: State, blur: bool) -> int:
    """How many labels a discriminator judges by, or tells, by its outputs; StyleGAN's has one output without labels."""
    outputs = state["b4.out.bias"].numel() if "b4.out.bias" in state else 1
    return outputs - 1 if not blur or outputs == 1 else outputs


def _discriminator_table(levels: int, blur: bool) -> Table:
    """The table of a discriminator with so many blocks, the largest first."""
    sides = [4 << k for k in reversed(range(levels))]
    layers = {f"input{k}": f"b{side}.fromrgb" for k, side in enumerate(sides)}
    for k, side in enumerate(sides[:-1]):
        layers |= {f"layer{2 * k}": f"b{side}.conv0", f"layer{2 * k + 1}": f"b{side}.conv1"}
    layers |= {f"layer{2 * levels - 2 + k}": f"b4.{layer}" for k, layer in enumerate(("conv", "fc", "out"))}
    entries = (Entry(f"{theirs}.{part}", f"{ours}.{part}") for theirs, ours in layers.items() for part in _PARTS)
    blurs = {f"layer{2 * k + 1}.blur.kernel": f"b{side}.conv0.bias" for k, side in enumerate(sides[:-1])}
    return Table(tuple(entries), blurs if blur else {}, _UNKNOWN + "discriminator has")


# --- writing ------------------------------------------------------------------------------------------------


def obstacle(
    generator: StyleGANGenerator | ProgressiveGenerator, discriminator: GrowingDiscriminator | None
) -> str | None:
    """Say what in the networks the layout has no place for; see `format.WritableFormat`."""
    config = generator.config
    requirements = {f"its images are of {_LARGEST} pixels at most": config.resolution <= _LARGEST}
    if isinstance(config, StyleGANConfig):
        requirements |= {
            "its StyleGAN adds 1e-8 to the variance in instance norm": config.norm_epsilon == 1e-8,
            "its StyleGAN adds the biases of enlarging layers after the blur": not config.bias_before_blur,
            f"it has {growing.MOST_LAYERS} mapping layers at most": config.mapping_layers <= growing.MOST_LAYERS,
        }
    else:
        requirements["its Progressive GAN normalises z without the label that stands beside it"] = not config.c_dim
    unmet = first_unmet(requirements)
    return unmet if unmet or discriminator is None else _discriminator_obstacle(discriminator.config)


def _discriminator_obstacle(config: GrowingDiscriminatorConfig) -> str | None:
    fc_width = min(config.channel_base // 2, config.channel_max)
    return first_unmet(
        {
            "its discriminators compare the images of groups of 4": config.mbstd_group_size == 4,
            "its discriminators have a leaky ReLU where they read images": config.fromrgb_activation,
            "its discriminators change the number of features by a block's second layer": not config.widens_first,
            "its discriminators take means before the leaky ReLU": not config.pools_activated,
            f"its discriminator of these widths has {fc_width} features before the last layer": fc_width
            == config.channels(4),
            "it does not tell a single label from none": config.c_dim != 1 or not config.blur,
        }
    )


def content_of(
    generator: StyleGANGenerator | ProgressiveGenerator, discriminator: GrowingDiscriminator | None
) -> dict[str, Any]:
    """Return what a file of the networks holds; see `format.WritableFormat`."""
    own = _generator(generator)
    judge = {} if discriminator is None else _discriminator(discriminator)
    return {"generator": own, "discriminator": judge, "generator_smooth": own}


def _generator(generator: StyleGANGenerator | ProgressiveGenerator) -> State:
    state, config = own_state(generator), generator.config
    levels, lod = len(config.block_resolutions), _lod(config.lod)
    if isinstance(config, StyleGANConfig):
        state = growing.with_multiplier(state, config.mapping_lr_multiplier / _MULTIPLIER)
        return {**_stylegan_table(levels).write(state), "synthesis.lod": lod}
    return {**_progressive_table(levels, fused=False).write(state), "lod": lod}


def _discriminator(discriminator: GrowingDiscriminator) -> State:
    config = discriminator.config
    table = _discriminator_table(len(config.block_resolutions), config.blur)
    return {**table.write(own_state(discriminator)), "lod": _lod(config.lod)}


def _lod(lod: float) -> Tensor:
    return torch.tensor(float(lod), dtype=torch.float32, device="cpu")
