"""Networks in the layouts of other code bases, as torch writes dictionaries of tensors."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from stylegan2.checkpoints.rosinality import discriminator_layers
from stylegan2.describing import describe, printable
from stylegan2.discriminator import Discriminator
from stylegan2.errors import CheckpointError
from stylegan2.layers import resample_buffer
from stylegan2.networks import Generator
from stylegan2.writing import temporary_beside

Layout = Literal["rosinality", "release"]

_LAYER = {
    "weight": "conv.weight",
    "affine.weight": "conv.modulation.weight",
    "affine.bias": "conv.modulation.bias",
    "noise_strength": "noise.weight",
    "bias": "activate.bias",
}


def export(
    path: str | Path, generator: Generator, discriminator: Discriminator | None = None, layout: Layout = "rosinality"
) -> None:
    """Write networks for other code; the file appears complete or not at all.

    Parameters
    ----------
    path
        The file, usually called .pt; an existing one is replaced.
    generator, discriminator
        StyleGAN2 networks.
    layout
        'rosinality': `{"g_ema", "g", "d", "latent_avg"}` with the names of rosinality's PyTorch port, which generators
        of the paper's architecture have; 'release': `{"G_ema", "D"}`, state dicts with the names of NVIDIA's PyTorch
        release.

    Raises
    ------
    CheckpointError
        The networks are not StyleGAN2's, or of a kind that the layout has no place for; or the file cannot be written.
    """
    if not isinstance(generator, Generator) or not isinstance(discriminator, Discriminator | None):
        raise CheckpointError(
            "networks of StyleGAN2 are exported, not others: keep these as `stylegan2.save` writes them"
        )
    if layout not in get_args(Layout):
        raise CheckpointError(f"the layout is {' or '.join(get_args(Layout))}, not {describe(layout)}")
    content = _release(generator, discriminator) if layout == "release" else _rosinality(generator, discriminator)
    try:
        with temporary_beside(Path(path)) as temporary:
            torch.save(content, temporary)
            os.replace(temporary, path)
    except (OSError, RuntimeError) as error:
        raise CheckpointError(f"{printable(str(path))}: it cannot be written: {error}") from error


def _release(generator: Generator, discriminator: Discriminator | None) -> dict[str, Any]:
    if generator.config.label_concat or (discriminator is not None and discriminator.config.label_switch):
        raise CheckpointError(
            "the layout release has no place for labels as the first TensorFlow release has them: keep these networks "
            "as `stylegan2.save` writes them"
        )
    networks = {"G_ema": generator, **({} if discriminator is None else {"D": discriminator})}
    return {name: _state(network) for name, network in networks.items()}


def _state(network: torch.nn.Module) -> dict[str, Tensor]:
    """Its tensors on the CPU, each with memory of its own."""
    return {name: value.detach().cpu().contiguous().clone() for name, value in network.state_dict().items()}


def _rosinality(generator: Generator, discriminator: Discriminator | None) -> dict[str, Any]:
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
    if not plain or not judged:
        raise CheckpointError(
            "rosinality's layout has no place for these networks: it knows colour without labels, the skip generator "
            "with noise, z as wide as w, and the resnet discriminator; choose the layout release"
        )
    own = _generator(generator)
    found: dict[str, Any] = {"g_ema": own, "g": own, "latent_avg": generator.w_avg.detach().cpu().clone()}
    return found if discriminator is None else {**found, "d": _discriminator(discriminator)}


def _generator(generator: Generator) -> dict[str, Tensor]:
    kernel = resample_buffer(generator.config.resample_filter) * 4  # its filters keep the brightness while up-sampling
    found = {}
    for name, value in _state(generator).items():
        if name.endswith("resample_filter") or name == "mapping.w_avg":
            continue
        theirs, shape = _generator_name(name, value)
        found[theirs] = value.reshape(shape)
    for k in range(len(generator.config.block_resolutions) - 1):
        found[f"convs.{2 * k}.conv.blur.kernel"] = kernel.clone()
        found[f"to_rgbs.{k}.upsample.kernel"] = kernel.clone()
    return found


def _generator_name(name: str, value: Tensor) -> tuple[str, tuple[int, ...]]:
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
        prefix, part = ("to_rgb1" if k < 0 else f"to_rgbs.{k}"), "bias" if part == "bias" else _LAYER[part]
        return f"{prefix}.{part}", (1, *shape, 1, 1) if part == "bias" else _with_axis(part, shape)
    prefix, part = ("conv1" if k < 0 else f"convs.{number}"), _LAYER[part]
    return f"{prefix}.{part}", (1,) if part == "noise.weight" else _with_axis(part, shape)


def _with_axis(part: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    return (1, *shape) if part == "conv.weight" else shape


def _discriminator(discriminator: Discriminator) -> dict[str, Tensor]:
    state, blocks = _state(discriminator), len(discriminator.config.block_resolutions) - 1
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
