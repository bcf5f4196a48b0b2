"""Networks as the published PyTorch training code saves them: pytorch-CycleGAN-and-pix2pix's and InstaGAN's.

Their files are bare state dicts, `latest_net_G.pth` and the like. The shape of a network is inferred from the names
and shapes of its tensors, and the file is read as `stylegan2` reads checkpoints: as data, none of which is executed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from latentlab.errors import UserError
from latentlab.files import atomic_path, read_bytes
from latentlab.filling import filled, state_of
from latentlab.translation.networks import (
    InstaDiscriminatorConfig,
    InstaGeneratorConfig,
    NetworkConfig,
    PatchConfig,
    ResNetConfig,
    UNetConfig,
)
from latentlab.translation.networks.layers import Norm
from latentlab.translation.networks.multiscale import MultiScale
from latentlab.translation.networks.patch import LAYERS
from stylegan2.defaults import own_draws, plain_defaults
from stylegan2.describing import describe, printable
from stylegan2.errors import MALFORMED, CheckpointError
from stylegan2.safe_pickle import TensorView, floats, read_pickled

State = dict[str, Tensor]


@plain_defaults()
@own_draws()
def load(path: str | Path) -> nn.Module:
    """Load the network in a published file, in evaluation mode.

    The file of a U-Net does not say whether it was trained with dropout; it gets dropout, the original's default.

    Raises
    ------
    UserError
        The file cannot be read, or holds an unknown network. Names the file.
    """
    content = memoryview(read_bytes(path))
    try:
        state = _state_of(read_pickled(content))
        config = infer_config({name: tuple(value.shape) for name, value in state.items()})
        network = filled(config.build, _from_published(state_of(config.build), config, state))
    except (CheckpointError, UserError) as error:
        raise UserError(f"cannot load {path}: {error}") from error
    except MALFORMED as error:
        raise UserError(f"cannot load {path}: it is damaged ({printable(repr(error))[:200]})") from error
    return network.eval()


def save(network: nn.Module, path: str | Path) -> None:
    """Write a network in the form that the published code reads, atomically.

    Raises
    ------
    UserError
        The published code has no such network, or `path` cannot be written.
    """
    # Given a path, torch writes its name into the file, and this one is temporary.
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        torch.save(to_published(network), file)


def to_published(network: nn.Module) -> State:
    """Return the state dict under the published names, on the CPU."""
    if isinstance(network, MultiScale):
        raise UserError("the published code has no discriminators of several scales: this network has no name there")
    names = dict(layers_of(network.config))  # type: ignore[arg-type]
    return {_rename(name, names): value.detach().cpu() for name, value in network.state_dict().items()}


# --- names --------------------------------------------------------------------------------------------------


def layers_of(config: NetworkConfig) -> Iterator[tuple[str, str]]:
    """Yield our name and the published name of every layer that may have parameters.

    Raises
    ------
    UserError
        The published code has no such network.
    """
    if config.kind not in _LAYERS_OF:
        raise UserError(f"the published code has no network of kind {config.kind!r}: it has no name there")
    if getattr(config, "upsampling", "transposed") != "transposed":
        raise UserError("the published code has no decoders that resize: this network has no name there")
    if isinstance(config, PatchConfig) and config.norm == "spectral":
        raise UserError("the published code has no patch discriminator with spectral norm: it has no name there")
    return _LAYERS_OF[config.kind](config)


def _resnet(config: ResNetConfig) -> Iterator[tuple[str, str]]:
    yield from _encoder("encoder.", "model.", config.blocks, config.dropout)
    yield from _decoder("decoder.", "model.", 10 + config.blocks)


def _instagan_generator(config: InstaGeneratorConfig) -> Iterator[tuple[str, str]]:
    for kind in ("img", "seg"):
        yield from _encoder(f"encoder_{kind}.", f"encoder_{kind}.", config.blocks, dropout=False)
        yield from _decoder(f"decoder_{kind}.", f"decoder_{kind}.", 0)


def _instagan_discriminator(config: InstaDiscriminatorConfig) -> Iterator[tuple[str, str]]:
    for part, convs in (("feature_img", (0, 2, 5)), ("feature_seg", (0, 2, 5)), ("classifier", (0, 3))):
        for index in convs:
            yield f"{part}.{index}", f"{part}.{index}.module"
    for part, norms in (("feature_img", (3, 6)), ("feature_seg", (3, 6)), ("classifier", (1,))):
        for index in norms:
            yield f"{part}.{index}", f"{part}.{index}"


def _encoder(ours: str, theirs: str, blocks: int, dropout: bool) -> Iterator[tuple[str, str]]:
    for k in range(3):
        yield f"{ours}convs.{k}", f"{theirs}{1 + 3 * k}"
        yield f"{ours}norms.{k}", f"{theirs}{2 + 3 * k}"
    second = 6 if dropout else 5  # a dropout module moves what follows it
    for k in range(blocks):
        for name, index in (("conv0", 1), ("norm0", 2), ("conv1", second), ("norm1", second + 1)):
            yield f"{ours}blocks.{k}.{name}", f"{theirs}{10 + k}.conv_block.{index}"


def _decoder(ours: str, theirs: str, start: int) -> Iterator[tuple[str, str]]:
    for k in range(2):
        yield f"{ours}convs.{k}", f"{theirs}{start + 3 * k}"
        yield f"{ours}norms.{k}", f"{theirs}{start + 3 * k + 1}"
    yield f"{ours}head", f"{theirs}{start + 7}"


def _unet(config: UNetConfig) -> Iterator[tuple[str, str]]:
    if not config.skips:
        raise UserError("the published code has no encoder-decoder without skips: this network has no name there")
    prefix = "model.model."
    for level in range(config.depth):
        innermost = level == config.depth - 1
        down, up = (0 if level == 0 else 1), (3 if level == 0 or innermost else 5)
        yield f"down.{level}", f"{prefix}{down}"
        yield f"up.{level}", f"{prefix}{up}"
        if level:
            yield f"up_norm.{level}", f"{prefix}{up + 1}"
            if not innermost:
                yield f"down_norm.{level}", f"{prefix}2"
        prefix += "1.model." if level == 0 else "3.model."


def _patch(config: PatchConfig) -> Iterator[tuple[str, str]]:
    if config.receptive_field == 1:
        yield from (("stem", "net.0"), ("body.0", "net.2"), ("norms.0", "net.3"), ("head", "net.5"))
        return
    layers = LAYERS[config.receptive_field]
    yield "stem", "model.0"
    for k in range(layers):
        yield f"body.{k}", f"model.{2 + 3 * k}"
        yield f"norms.{k}", f"model.{3 + 3 * k}"
    yield "head", f"model.{2 + 3 * layers}"


_LAYERS_OF: dict[str, Callable[[Any], Iterator[tuple[str, str]]]] = {
    ResNetConfig.kind: _resnet,
    UNetConfig.kind: _unet,
    PatchConfig.kind: _patch,
    InstaGeneratorConfig.kind: _instagan_generator,
    InstaDiscriminatorConfig.kind: _instagan_discriminator,
}

# Tensors of a layer with spectral norm, by our names and theirs.
_SPECTRAL = {
    "parametrizations.weight.original": "weight_bar",
    "parametrizations.weight.0._u": "weight_u",
    "parametrizations.weight.0._v": "weight_v",
}


def _rename(name: str, layers: Mapping[str, str]) -> str:
    """Return the published name of our tensor `name`."""
    for tensor, theirs in _SPECTRAL.items():
        if name.endswith(f".{tensor}"):
            return f"{layers[name.removesuffix(f'.{tensor}')]}.{theirs}"
    layer, _, tensor = name.rpartition(".")
    return f"{layers[layer]}.{tensor}"


# --- reading ------------------------------------------------------------------------------------------------


def _state_of(content: Any) -> State:
    """Return the tensors of a file under their usual names: without DataParallel's prefix, and without counters.

    Some files call the layers of a residual block `block`, which others call `conv_block`.
    """
    if not isinstance(content, dict) or not all(
        isinstance(name, str) and isinstance(value, TensorView) for name, value in content.items()
    ):
        raise UserError(
            "it is no state dict, as which the published training code saves a network; save one with "
            "torch.save(network.state_dict(), …)"
        )
    prefix = "module." if content and all(name.startswith("module.") for name in content) else ""
    weights = {}
    for name, value in content.items():
        if "num_batches" not in name:
            weights[re.sub(r"\.block\.", ".conv_block.", name.removeprefix(prefix))] = value
    if empty := [name for name, value in weights.items() if 0 in value.shape]:
        raise UserError(f"{describe(empty[0])} has no numbers")
    found = {name: floats(value, name) for name, value in weights.items()}
    if wild := [name for name, value in found.items() if not value.isfinite().all()]:
        raise UserError(f"{describe(wild[0])} has numbers that are not finite (NaN or infinite)")
    return found


def _from_published(wanted: State, config: NetworkConfig, state: State) -> State:
    """Return the state dict under our names, for a network whose own state dict has the shapes of `wanted`.

    Statistics of old instance norms, which are not used, are dropped. Missing biases are 0: networks without a
    normalisation are saved without them.
    """
    names = dict(layers_of(config))
    own = {name: _rename(name, names) for name in wanted}
    foreign = set(state) - set(own.values())
    stray = sorted(name for name in foreign if not name.endswith(("running_mean", "running_var")))
    if stray:
        raise UserError(f"{describe(stray[0])} and {len(stray) - 1} other tensors have no place in {config}")
    found = {}
    for name, theirs in own.items():
        if theirs in state:
            found[name] = state[theirs]
        elif name.endswith((".bias", ".num_batches_tracked")):
            found[name] = torch.zeros_like(wanted[name], device="cpu")
        else:
            raise UserError(f"it lacks {theirs} of {config}")
    return found


# --- shapes -------------------------------------------------------------------------------------------------

Shapes = Mapping[str, tuple[int, ...]]


def infer_config(shapes: Shapes) -> NetworkConfig:
    """Return the configuration of the network whose tensors have these published names and shapes.

    Raises
    ------
    UserError
        No known network has them.
    """
    for matches in (_as_instagan, _as_resnet, _as_unet, _as_patch):
        config = matches(shapes)
        if config is not None:
            return config
    some = ", ".join(map(describe, list(shapes)[:3])) or "nothing"
    raise UserError(f"it is none of the published translators' networks: it begins with {some}")


def _norm_at(shapes: Shapes, conv: str, norm: str) -> Norm:
    """Infer the normalisation after a layer: if it has no weights, the layer has a bias before instance norm only."""
    if len(shapes.get(f"{norm}.weight", ())) == 1:
        return "batch" if f"{norm}.running_mean" in shapes else "instance-affine"
    return "instance" if f"{conv}.bias" in shapes else "none"


def _count(shapes: Shapes, pattern: str) -> int:
    """Count the different numbers that the group of `pattern` matches in the names."""
    return len({found[1] for name in shapes if (found := re.match(pattern, name))})


def _as_instagan(shapes: Shapes) -> NetworkConfig | None:
    if "encoder_img.1.weight" in shapes:
        ngf, channels = shapes["encoder_img.1.weight"][:2]
        blocks = _count(shapes, r"encoder_img\.(\d+)\.conv_block\.")
        return InstaGeneratorConfig(blocks, ngf, channels, _norm_at(shapes, "encoder_img.1", "encoder_img.2"))
    if "feature_img.0.module.weight_bar" in shapes:
        ndf, channels = shapes["feature_img.0.module.weight_bar"][:2]
        return InstaDiscriminatorConfig(ndf, channels, _norm_at(shapes, "feature_img.2.module", "feature_img.3"))
    return None


def _as_resnet(shapes: Shapes) -> NetworkConfig | None:
    stem = shapes.get("model.1.weight", ())
    if len(stem) != 4 or stem[2:] != (7, 7):
        return None
    blocks = _count(shapes, r"model\.(\d+)\.conv_block\.")
    output = shapes.get(f"model.{17 + blocks}.weight", (3,))[0]
    dropout = len(shapes.get("model.10.conv_block.6.weight", ())) == 4
    return ResNetConfig(blocks, stem[0], stem[1], output, _norm_at(shapes, "model.1", "model.2"), dropout)


def _as_unet(shapes: Shapes) -> NetworkConfig | None:
    outermost = shapes.get("model.model.0.weight", ())
    if len(outermost) != 4:
        return None
    prefix, depth = "model.model.1.model.", 2
    while f"{prefix}5.weight" in shapes:  # a level that is not the innermost has its way up there
        prefix, depth = prefix + "3.model.", depth + 1
    norm = _norm_at(shapes, f"{prefix}3", f"{prefix}4")
    output = shapes.get("model.model.3.weight", (0, 3))[1]
    return UNetConfig(2**depth, outermost[0], outermost[1], output, norm)


def _as_patch(shapes: Shapes) -> NetworkConfig | None:
    if len(shapes.get("net.0.weight", ())) == 4:
        ndf, channels = shapes["net.0.weight"][:2]
        return PatchConfig(1, ndf, channels, _norm_at(shapes, "net.2", "net.3"))
    stem = shapes.get("model.0.weight", ())
    layers = sum(len(shape) == 4 for shape in shapes.values()) - 2
    fields = [field for field, count in LAYERS.items() if count == layers]
    if len(stem) != 4 or stem[2:] != (4, 4) or not fields:
        return None
    return PatchConfig(fields[0], stem[0], stem[1], _norm_at(shapes, "model.2", "model.3"))
