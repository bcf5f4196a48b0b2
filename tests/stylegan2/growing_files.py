"""Progressive GAN and StyleGAN as files hold them, with seeded weights, and what they compute, in plain operations.

Tensors go by the names of genforce's model zoo, which say the layout that their code has, too.
"""

from __future__ import annotations

import pickle
import sys
import types
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

State = dict[str, Tensor]
Z, HIDDEN, W = 6, 7, 5


def widths(resolution: int) -> dict[int, int]:
    """Feature maps by resolution: fine ones differ from one to the next, so that a transpose shows."""
    return {r: min(3 * resolution // r, 9) for r in (2**k for k in range(2, resolution.bit_length()))}


def _draw(seed: int) -> Any:
    rng = torch.Generator().manual_seed(seed)
    return lambda *shape: torch.randn(shape, generator=rng)


def stylegan(resolution: int, seed: int = 0, labels: int = 0) -> State:
    draw, width = _draw(seed), widths(resolution)
    state = {"truncation.w_avg": draw(W), "synthesis.lod": torch.zeros(())}
    if labels:
        state["mapping.label_weight"] = draw(labels, Z)
    for k, (i, o) in enumerate([(2 * Z if labels else Z, HIDDEN), (HIDDEN, HIDDEN), (HIDDEN, W)]):
        state |= {f"mapping.dense{k}.weight": 100 * draw(o, i), f"mapping.dense{k}.bias": 100 * draw(o)}
    state["synthesis.layer0.const"] = draw(1, width[4], 4, 4)
    for n in range(2 * len(width)):
        r = 4 << (n // 2)
        o, layer = width[r], f"synthesis.layer{n}"
        i = o if n % 2 or n == 0 else width[r // 2]
        state |= {f"{layer}.bias": draw(o), f"{layer}.apply_noise.weight": draw(o)}
        state |= {f"{layer}.style.weight": draw(2 * o, W), f"{layer}.style.bias": draw(2 * o)}
        state[f"{layer}.apply_noise.noise"] = draw(1, 1, r, r)
        if n:
            state[f"{layer}.weight"] = draw(o, i, 3, 3)
        if n % 2 == 0 and n:
            state[f"{layer}.blur.kernel"] = _blur().expand(o, 1, 3, 3).clone()
    return state | _images("synthesis.output", draw, width)


def progressive(resolution: int, fused: bool, seed: int = 0, labels: int = 0) -> State:
    draw, width = _draw(seed), widths(resolution)
    state = {"lod": torch.zeros(()), "layer0.weight": draw(width[4], Z + labels, 4, 4), "layer0.bias": draw(width[4])}
    for n in range(1, 2 * len(width)):
        o = width[4 << (n // 2)]
        i = o if n % 2 else width[2 << (n // 2)]
        shape = (i, o) if fused and n % 2 == 0 else (o, i)
        state |= {f"layer{n}.weight": draw(*shape, 3, 3), f"layer{n}.bias": draw(o)}
    return state | _images("output", draw, width)


def _images(prefix: str, draw: Any, width: dict[int, int]) -> State:
    state = {}
    for k, o in enumerate(width.values()):
        state |= {f"{prefix}{k}.weight": draw(3, o, 1, 1), f"{prefix}{k}.bias": draw(3)}
    return state


def discriminator(resolution: int, blur: bool, seed: int = 0, outputs: int = 1) -> State:
    draw, width = _draw(seed), widths(resolution)
    sides, state = sorted(width, reverse=True), {"lod": torch.zeros(())}
    shapes = {f"input{k}": (width[r], 3, 1, 1) for k, r in enumerate(sides)}
    for k, r in enumerate(sides[:-1]):
        shapes |= {f"layer{2 * k}": (width[r], width[r], 3, 3), f"layer{2 * k + 1}": (width[r // 2], width[r], 3, 3)}
        if blur:
            state[f"layer{2 * k + 1}.blur.kernel"] = _blur().expand(width[r], 1, 3, 3).clone()
    last, o = 2 * len(sides) - 2, width[4]
    shapes |= {f"layer{last}": (o, o + 1, 3, 3), f"layer{last + 1}": (o, 16 * o), f"layer{last + 2}": (outputs, o)}
    for layer, shape in shapes.items():
        state |= {f"{layer}.weight": draw(*shape), f"{layer}.bias": draw(shape[0])}
    return state


# What they compute


def _blur() -> Tensor:
    taps = torch.tensor([1.0, 2.0, 1.0]) / 4
    return taps[:, None] * taps


def _blurred(x: Tensor) -> Tensor:
    return F.conv2d(x, _blur().to(x).expand(x.shape[1], 1, 3, 3), padding=1, groups=x.shape[1])


def _enlarged(x: Tensor) -> Tensor:
    return x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)


def _fused(x: Tensor, weight: Tensor) -> Tensor:
    """Transposed convolution with a kernel `(i, o, 3, 3)` summed over its four shifts to 4x4."""
    w = F.pad(weight, (1, 1, 1, 1))
    w = w[:, :, 1:, 1:] + w[:, :, 1:, :-1] + w[:, :, :-1, 1:] + w[:, :, :-1, :-1]
    return F.conv_transpose2d(x, w, stride=2, padding=1)


def _pixel_norm(x: Tensor) -> Tensor:
    return x / (x.square().mean(dim=1, keepdim=True) + 1e-8).sqrt()


def map_stylegan(state: State, z: Tensor, c: Tensor | None = None) -> Tensor:
    w = _pixel_norm(z if c is None else torch.cat([z, c @ state["mapping.label_weight"]], dim=1))
    for k in range(3):
        weight, bias = state[f"mapping.dense{k}.weight"], state[f"mapping.dense{k}.bias"]
        w = F.leaky_relu(F.linear(w, weight * (sqrt(2 / weight.shape[1]) * 0.01), bias * 0.01), 0.2)
    return w


def render_stylegan(state: State, ws: Tensor, fused_from: int, lod: float = 0) -> Tensor:
    def block(x: Tensor, k: int) -> Tensor:
        for n in (2 * k, 2 * k + 1):
            layer = f"synthesis.layer{n}"
            if n:
                weight = state[f"{layer}.weight"] * sqrt(2 / state[f"{layer}.weight"][0].numel())
                if n % 2:
                    x = F.conv2d(x, weight, padding=1)
                elif 4 << k >= fused_from:
                    x = _blurred(_fused(x, weight.transpose(0, 1)))
                else:
                    x = _blurred(F.conv2d(_enlarged(x), weight, padding=1))
            x = x + state[f"{layer}.apply_noise.weight"][:, None, None] * state[f"{layer}.apply_noise.noise"]
            x = F.leaky_relu(x + state[f"{layer}.bias"][:, None, None], 0.2)
            x = x - x.mean(dim=(2, 3), keepdim=True)
            x = x / (x.square().mean(dim=(2, 3), keepdim=True) + 1e-8).sqrt()
            scale, shift = (
                F.linear(ws[:, n], state[f"{layer}.style.weight"] / sqrt(W)) + state[f"{layer}.style.bias"]
            )[:, :, None, None].chunk(2, dim=1)
            x = x * (scale + 1) + shift
        return x

    const = state["synthesis.layer0.const"].repeat(len(ws), 1, 1, 1)
    return _grown(state, "synthesis.", const, block, lod)


def render_progressive(state: State, z: Tensor, fused: bool, lod: float = 0) -> Tensor:
    def block(x: Tensor, k: int) -> Tensor:
        for n in (2 * k, 2 * k + 1):
            weight, x = state[f"layer{n}.weight"], _pixel_norm(x)
            up = n and n % 2 == 0
            fan_in = weight[:, 0].numel() if up and fused else weight[0].numel()
            weight = weight * sqrt(2 / fan_in)
            if up:
                x = _fused(x, weight) if fused else F.conv2d(_enlarged(x), weight, padding=1)
            else:
                x = F.conv2d(x, weight, padding=1 if n else 3)
            x = F.leaky_relu(x + state[f"layer{n}.bias"][:, None, None], 0.2)
        return x

    return _grown(state, "", z[:, :, None, None], block, lod, _pixel_norm)


def _grown(state: State, prefix: str, x: Tensor, block: Any, lod: float, norm: Any = lambda x: x) -> Tensor:
    """The image at a level of detail, as the loop over all levels gives it."""
    levels = sum(name.startswith(f"{prefix}output") for name in state) // 2
    image = x
    for k in range(levels):
        left = levels - 1 - k
        if lod < left + 1:
            x = block(x, k)
            weight, bias = state[f"{prefix}output{k}.weight"], state[f"{prefix}output{k}.bias"]
            own = F.conv2d(norm(x), weight / sqrt(weight.shape[1]), bias)
            share = min(1.0, left + 1 - lod)
            image = own if share == 1 else own * share + _enlarged(image) * (1 - share)
        else:
            image = _enlarged(image)
    return image


def score(state: State, images: Tensor, blur: bool, group: int, lod: float = 0, fused: bool = True) -> Tensor:
    """The logits; code of Progressive GAN that is not fused takes means after the leaky ReLU."""

    def conv(x: Tensor, name: str) -> Tensor:
        weight = state[f"{name}.weight"]
        return F.conv2d(x, weight * sqrt(2 / weight[0].numel()), padding=weight.shape[-1] // 2)

    def activated(x: Tensor, name: str) -> Tensor:
        return F.leaky_relu(x + state[f"{name}.bias"].reshape(-1, *[1] * (x.dim() - 2)), 0.2)

    levels = sum(name.startswith("input") for name in state) // 2
    image, x = images, images[:, :0]
    for k in range(levels - 1):
        if lod < k + 1:
            features = activated(conv(image, f"input{k}"), f"input{k}")
            x = x if lod < k else features
            x = activated(conv(x, f"layer{2 * k}"), f"layer{2 * k}")
            name = f"layer{2 * k + 1}"
            x = conv(_blurred(x) if blur else x, name)
            x = activated(F.avg_pool2d(x, 2), name) if fused else F.avg_pool2d(activated(x, name), 2)
        image = F.avg_pool2d(image, 2)
        if k < lod < k + 1:
            coarse = activated(conv(image, f"input{k + 1}"), f"input{k + 1}")
            x = coarse * (lod - k) + x * (k + 1 - lod)
    last = levels - 1
    if lod == last:
        x = activated(conv(image, f"input{last}"), f"input{last}")
    b, c, h, w = x.shape
    groups = x.reshape(group, b // group, c, h, w)
    deviation = ((groups - groups.mean(dim=0)).square().mean(dim=0) + 1e-8).sqrt().mean(dim=(1, 2, 3))
    x = torch.cat([x, deviation.repeat(group)[:, None, None, None].expand(-1, 1, h, w)], dim=1)
    x = activated(conv(x, f"layer{2 * last}"), f"layer{2 * last}").flatten(1)
    weight = state[f"layer{2 * last + 1}.weight"]
    x = activated(F.linear(x, weight * sqrt(2 / weight.shape[1])), f"layer{2 * last + 1}")
    weight = state[f"layer{2 * last + 2}.weight"]
    return F.linear(x, weight / sqrt(weight.shape[1]), state[f"layer{2 * last + 2}.bias"])


# The same by rosinality's names, of its code since July 2019, whose layers are scaled otherwise


def rosinality(resolution: int, levels: int, seed: int = 0) -> State:
    """A generator that has grown to `resolution`, in a file that has `levels` more, as they began."""
    draw, width = _draw(seed), widths(resolution)
    state = {}
    for k in range(3):
        i, o = [(W, HIDDEN), (HIDDEN, HIDDEN), (HIDDEN, W)][k]
        state |= {f"style.{2 * k + 1}.linear.weight_orig": draw(o, i), f"style.{2 * k + 1}.linear.bias": draw(o)}
    sides = [*width, *(resolution << k + 1 for k in range(levels))]
    for k, r in enumerate(sides):
        o, block = width.get(r, 2), f"generator.progression.{k}"
        i = width.get(r // 2, 2) if k else o
        if r >= 128:
            state |= {f"{block}.conv1.0.weight": draw(i, o, 3, 3), f"{block}.conv1.0.bias": draw(o)}
        elif k:
            state |= {f"{block}.conv1.1.conv.weight_orig": draw(o, i, 3, 3), f"{block}.conv1.1.conv.bias": draw(o)}
        else:
            state[f"{block}.conv1.input"] = draw(1, o, 4, 4)
        for suffix in ("", "_flip") if k else ():
            at = 1 if r >= 128 else 2
            state[f"{block}.conv1.{at}.weight{suffix}"] = _blur().expand(o, 1, 3, 3).clone()
        state |= {f"{block}.conv2.conv.weight_orig": draw(o, o, 3, 3), f"{block}.conv2.conv.bias": draw(o)}
        for n in (1, 2):
            state |= {f"{block}.noise{n}.weight_orig": draw(1, o, 1, 1)}
            style = f"{block}.adain{n}.style.linear"
            state |= {f"{style}.weight_orig": draw(2 * o, W), f"{style}.bias": draw(2 * o)}
        image = f"generator.to_rgb.{k}.conv"
        state |= {f"{image}.weight_orig": draw(3, o, 1, 1), f"{image}.bias": draw(3)}
        if r not in width:
            for name in (f"{block}.noise1.weight_orig", f"{block}.noise2.weight_orig", f"{block}.conv2.conv.bias"):
                state[name] = torch.zeros_like(state[name])
    return state


def render_rosinality(state: State, z: Tensor, noise: list[Tensor], steps: int) -> Tensor:
    """Its image after `steps` doublings of 4x4, with a noise map for each layer."""

    def scaled(name: str) -> Tensor:
        weight = state[name]
        return weight * sqrt(2 / weight[0].numel())

    w = _pixel_norm(z)
    for k in (1, 3, 5):
        w = F.leaky_relu(F.linear(w, scaled(f"style.{k}.linear.weight_orig"), state[f"style.{k}.linear.bias"]), 0.2)
    x = state["generator.progression.0.conv1.input"].repeat(len(z), 1, 1, 1)
    for k in range(steps + 1):
        block = f"generator.progression.{k}"
        for n in (1, 2):
            if n == 2:
                x = F.conv2d(x, scaled(f"{block}.conv2.conv.weight_orig"), state[f"{block}.conv2.conv.bias"], padding=1)
            elif f"{block}.conv1.0.weight" in state:
                weight = state[f"{block}.conv1.0.weight"]
                x = _fused(x, weight * sqrt(2 / (9 * len(weight))) / 4) + state[f"{block}.conv1.0.bias"][:, None, None]
                x = _blurred(x)
            elif k:
                name = f"{block}.conv1.1.conv"
                x = _blurred(F.conv2d(_enlarged(x), scaled(f"{name}.weight_orig"), state[f"{name}.bias"], padding=1))
            x = F.leaky_relu(x + scaled(f"{block}.noise{n}.weight_orig") * noise[2 * k + n - 1], 0.2)
            style = f"{block}.adain{n}.style.linear"
            scale, shift = F.linear(w, scaled(f"{style}.weight_orig"), state[f"{style}.bias"])[..., None, None].chunk(
                2, 1
            )
            x = F.instance_norm(x) * scale + shift
    name = f"generator.to_rgb.{steps}.conv"
    return F.conv2d(x, scaled(f"{name}.weight_orig"), state[f"{name}.bias"])


def rosinality_discriminator(resolution: int, levels: int, activated: bool, seed: int = 0) -> State:
    """A discriminator that has grown to `resolution`, in a file that has `levels` more, as they began."""
    draw, width = _draw(seed), widths(resolution)
    state = {}
    sides = [*(resolution << k for k in range(levels, 0, -1)), *sorted(width, reverse=True)]
    for k, r in enumerate(sides):
        i, o = width.get(r, 2), width.get(r // 2, 2) if r > 4 else width[4]
        image = f"from_rgb.{k}.{'0.' if activated else ''}conv"
        state |= {f"{image}.weight_orig": draw(i, 3, 1, 1), f"{image}.bias": draw(i)}
        first, second = f"progression.{k}.conv1.0.conv", f"progression.{k}.conv2"
        state |= {f"{first}.weight_orig": draw(o, i + (r == 4), 3, 3), f"{first}.bias": draw(o)}
        layer = f"{second}.0.conv" if r == 4 else f"{second}.1" if r >= 128 else f"{second}.1.conv"
        leaf, size = "weight" if layer.endswith(".1") else "weight_orig", 4 if r == 4 else 3
        state |= {f"{layer}.{leaf}": draw(o, o, size, size), f"{layer}.bias": draw(o)}
        for suffix in ("", "_flip") if r > 4 else ():
            state[f"{second}.0.weight{suffix}"] = _blur().expand(o, 1, 3, 3).clone()
        if r not in width:
            state |= {name: torch.zeros_like(state[name]) for name in (f"{image}.bias", f"{first}.bias")}
            state[f"{layer}.bias"] = torch.zeros(o)
    return state | {"linear.linear.weight_orig": draw(1, width[4]), "linear.linear.bias": draw(1)}


def score_rosinality(state: State, images: Tensor) -> Tensor:
    """Its logits of images of the resolution that it has grown to."""

    def scaled(name: str) -> Tensor:
        return state[name] * sqrt(2 / state[name][0].numel())

    blocks = 1 + max(int(name.split(".")[1]) for name in state if name.startswith("progression"))
    first = blocks - (images.shape[-1].bit_length() - 2)
    activated = f"from_rgb.{first}.0.conv.bias" in state
    image = f"from_rgb.{first}.{'0.' if activated else ''}conv"
    x = F.conv2d(images, scaled(f"{image}.weight_orig"), state[f"{image}.bias"])
    x = F.leaky_relu(x, 0.2) if activated else x
    for k in range(first, blocks):
        if k == blocks - 1:
            deviation = ((x - x.mean(dim=0)).square().mean(dim=0) + 1e-8).sqrt().mean()
            x = torch.cat([x, deviation.expand(len(x), 1, 4, 4)], dim=1)
        name = f"progression.{k}.conv1.0.conv"
        x = F.leaky_relu(F.conv2d(x, scaled(f"{name}.weight_orig"), state[f"{name}.bias"], padding=1), 0.2)
        name = f"progression.{k}.conv2"
        if k == blocks - 1:
            x = F.conv2d(x, scaled(f"{name}.0.conv.weight_orig"), state[f"{name}.0.conv.bias"])
        elif f"{name}.1.weight" in state:
            kernel = F.pad(scaled(f"{name}.1.weight"), (1, 1, 1, 1))
            kernel = kernel[:, :, 1:, 1:] + kernel[:, :, 1:, :-1] + kernel[:, :, :-1, 1:] + kernel[:, :, :-1, :-1]
            x = F.conv2d(_blurred(x), kernel / 4, state[f"{name}.1.bias"], stride=2, padding=1)
        else:
            x = F.conv2d(_blurred(x), scaled(f"{name}.1.conv.weight_orig"), state[f"{name}.1.conv.bias"], padding=1)
            x = F.avg_pool2d(x, 2)
        x = F.leaky_relu(x, 0.2)
    return F.linear(x.flatten(1), scaled("linear.linear.weight_orig"), state["linear.linear.bias"])


# The same as TensorFlow pickles


def _hwio(value: Tensor) -> Any:
    return value.permute(2, 3, 1, 0).numpy() if value.dim() == 4 else value.t().numpy() if value.dim() == 2 else value


def tf_stylegan(state: State, **settings: Any) -> dict[str, Any]:
    """State of a generator of the StyleGAN release."""
    levels = sum(name.startswith("synthesis.output") for name in state) // 2
    variables: dict[str, Any] = {"lod": np.float32([float(state["synthesis.lod"])])}
    renamed = {"apply_noise.weight": "Noise/weight", "style.weight": "StyleMod/weight", "style.bias": "StyleMod/bias"}
    for name, value in state.items():
        if name.startswith("synthesis.layer") and not name.endswith("blur.kernel"):
            number, _, leaf = name.removeprefix("synthesis.layer").partition(".")
            n = int(number)
            side, layer = 4 << (n // 2), ("Conv0_up", "Conv1")[n % 2] if n > 1 else ("Const", "Conv")[n]
            key = f"noise{n}" if leaf == "apply_noise.noise" else f"{side}x{side}/{layer}/{renamed.get(leaf, leaf)}"
            variables[key] = value.numpy() if leaf in ("const", "apply_noise.noise") else np.asarray(_hwio(value))
    variables |= _tf_images(state, "synthesis.output", levels)
    dense = {
        f"Dense{name[13]}/{name[15:]}": np.asarray(_hwio(value))
        for name, value in state.items()
        if name.startswith("mapping.dense")
    }
    if "mapping.label_weight" in state:
        dense["LabelConcat/weight"] = state["mapping.label_weight"].numpy()
    parts = {"synthesis": network(variables, settings), "mapping": network(dense, settings)}
    return network({"dlatent_avg": state["truncation.w_avg"].numpy()}, settings, components=parts)


def tf_progressive(state: State, fused: bool, **settings: Any) -> dict[str, Any]:
    """State of a generator of the Progressive GAN release."""
    levels = sum(name.startswith("output") for name in state) // 2
    variables: dict[str, Any] = {"lod": np.float32([float(state["lod"])])}
    for name, value in state.items():
        if name.startswith("layer"):
            number, _, leaf = name.removeprefix("layer").partition(".")
            n = int(number)
            side = 4 << (n // 2)
            layer = ("Conv0_up" if fused else "Conv0", "Conv1")[n % 2] if n > 1 else ("Dense", "Conv")[n]
            if n == 0 and leaf == "weight":
                array = value.flip(2, 3).transpose(0, 1).flatten(1).numpy()
            elif fused and n % 2 == 0 and leaf == "weight":
                array = value.permute(2, 3, 1, 0).numpy()  # height, width, out, in
            else:
                array = np.asarray(_hwio(value))
            variables[f"{side}x{side}/{layer}/{leaf}"] = array
    return network(variables | _tf_images(state, "output", levels), settings)


def tf_discriminator(state: State, fused: bool = True, **settings: Any) -> dict[str, Any]:
    """State of a discriminator of either release; only Progressive GAN's code can be told to be not fused."""
    levels = sum(name.startswith("input") for name in state) // 2
    variables: dict[str, Any] = {"lod": np.float32([0])}
    for name, value in state.items():
        layer, _, leaf = name.partition(".")
        if layer.startswith("input"):
            variables[f"FromRGB_lod{layer[5:]}/{leaf}"] = np.asarray(_hwio(value))
        elif layer.startswith("layer") and leaf != "blur.kernel":
            n = int(layer[5:])
            side, last = 4 << (levels - 1 - n // 2) if n < 2 * levels - 1 else 4, 2 * levels - 2
            down = "Conv1_down" if fused else "Conv1"
            kind = ("Conv", "Dense0", "Dense1")[n - last] if n >= last else ("Conv0", down)[n % 2]
            variables[f"{side}x{side}/{kind}/{leaf}"] = np.asarray(_hwio(value))
    return network(variables, settings)


def _tf_images(state: State, prefix: str, levels: int) -> dict[str, Any]:
    return {
        f"ToRGB_lod{levels - 1 - k}/{leaf}": np.asarray(_hwio(state[f"{prefix}{k}.{leaf}"]))
        for k in range(levels)
        for leaf in ("weight", "bias")
    }


def network(variables: dict[str, Any], settings: dict[str, Any], **parts: Any) -> dict[str, Any]:
    return {"version": 3, "static_kwargs": settings, "variables": list(variables.items()), **parts}


def write_tf(path: Path, states: list[dict[str, Any]], class_name: str = "dnnlib.tflib.network.Network") -> None:
    """Pickle states as objects of a TensorFlow code base that is not installed."""
    module = types.ModuleType(class_name.rpartition(".")[0])
    kind = module.Network = type("Network", (), {"__module__": module.__name__})

    def instance(state: dict[str, Any]) -> Any:
        result = kind()
        if "components" in state:
            state = state | {"components": {name: instance(own) for name, own in state["components"].items()}}
        result.__dict__ = state
        return result

    parents = module.__name__.split(".")
    names = [".".join(parents[: k + 1]) for k in range(len(parents))]
    sys.modules |= dict.fromkeys(names, module)
    try:
        path.write_bytes(pickle.dumps(tuple(map(instance, states))))
    finally:
        for name in names:
            del sys.modules[name]
