"""TensorFlow pickles of Progressive GAN and of StyleGAN: the tuple (G, D, Gs)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from torch import Tensor

from stylegan2.checkpoints import growing
from stylegan2.checkpoints.format import Content, Loaded, Networks, State
from stylegan2.checkpoints.layout import LABEL_CONCAT, check_labels, label_size, label_widths, number
from stylegan2.checkpoints.tensorflow import variables_of
from stylegan2.describing import describe
from stylegan2.errors import CheckpointError
from stylegan2.growing import BLUR
from stylegan2.safe_pickle import Record

READS = "the TensorFlow releases of StyleGAN and Progressive GAN (.pkl)"

_CLASSES = ("dnnlib.tflib.network.Network", "tfutil.Network")
# Settings that the project's networks do not vary, by their names in the code of either network.
_FIXED: dict[str, Any] = {
    "nonlinearity": "lrelu",
    "mapping_nonlinearity": "lrelu",
    "normalize_latents": True,
    "use_wscale": True,
    "mapping_use_wscale": True,
    "use_leakyrelu": True,
    "use_pixelnorm": True,
    "pixelnorm_epsilon": 1e-8,
    "tanh_at_end": False,
    "use_styles": True,
    "use_noise": True,
    "const_input_layer": True,
    "use_pixel_norm": False,
    "use_instance_norm": True,
    "mbstd_num_features": 1,
}
_STYLEGAN = {
    "weight": "conv.weight",
    "bias": "conv.bias",
    "Noise/weight": "noise_strength",
    "StyleMod/weight": "affine.weight",
    "StyleMod/bias": "affine.bias",
}
_CONVOLUTIONS = {"Dense": "conv0", "Const": "conv0", "Conv0": "conv0", "Conv0_up": "conv0"}
_CONVOLUTIONS |= {"Conv": "conv1", "Conv1": "conv1"}
_DISCRIMINATOR = {"Conv0": "conv0", "Conv1": "conv1", "Conv1_down": "conv1", "Dense0": "fc", "Dense1": "out"}


def networks(content: Content) -> Networks | None:
    """Return the networks of the file by name; see `format.Format`."""
    raw = content.pickled
    if not (isinstance(raw, tuple) and len(raw) == 3 and all(_is_network(network) for network in raw)):
        return None
    generator, discriminator, smooth = raw
    parts = generator.state.get("components")
    if parts is None:
        read, blur = _read_progressive, False
    elif isinstance(parts, dict) and any("/StyleMod/" in name for name in _names(parts.get("synthesis"))):
        read, blur = _read_stylegan, True
    else:
        return None
    found: Networks = {"G": partial(read, content, generator), "G_ema": partial(read, content, smooth)}
    if _names(discriminator):  # files that are passed on may have theirs emptied
        found["D"] = partial(_read_discriminator, content, discriminator, blur)
    return found


def _is_network(network: Any) -> bool:
    return isinstance(network, Record) and network.name in _CLASSES and isinstance(network.state, dict)


def _names(network: Any) -> list[str]:
    """Names of a network's variables, as far as it has any."""
    pairs = network.state.get("variables") if isinstance(network, Record) and isinstance(network.state, dict) else None
    pairs = pairs if isinstance(pairs, (list, tuple)) else ()
    return [pair[0] for pair in pairs if isinstance(pair, (list, tuple)) and pair and isinstance(pair[0], str)]


def _settings(network: Any) -> dict[str, Any]:
    """Return the settings a network was made with; refuse those that the project's networks do not have."""
    settings = network.state.get("static_kwargs")
    if not isinstance(settings, dict):
        raise CheckpointError("it is damaged: a TensorFlow network without settings")
    for name, expected in _FIXED.items():
        if name in settings and not _is(settings[name], expected):
            raise CheckpointError(f"unsupported: its {name} is {describe(settings[name])}, not {expected!r}")
    taps = settings.get("blur_filter")
    if taps is not None and not (isinstance(taps, list) and len(taps) == 3 and all(map(_is, taps, BLUR))):
        raise CheckpointError("unsupported: its blur_filter is another one than [1, 2, 1]")
    return settings


def _is(found: Any, expected: Any) -> bool:
    """Whether a value of a file is a plain one that equals `expected`."""
    return type(found) in (bool, int, float, str) and bool(found == expected)


def _read_stylegan(content: Content, network: Any) -> Loaded:
    parts = network.state.get("components")
    synthesis, mapping = (parts.get(name) for name in ("synthesis", "mapping")) if isinstance(parts, dict) else (0, 0)
    settings = _settings(network)
    values = variables_of(content, synthesis)
    lod = growing.level_of_detail(values.pop("lod", None))
    state: State = {}
    last = growing.finest(values, r"ToRGB_lod(\d{1,2})/")
    for name, value in values.items():
        ours = _stylegan_name(name, last)
        value = _converted(name, value)
        up = re.match(r"(\d{1,5})x\1/Conv0_up/weight", name)
        state[ours] = growing.convolved(value, _fuses(settings, int(up[1]))) if up else value
    for name, value in variables_of(content, mapping).items():
        if name == "LabelConcat/weight":
            state[LABEL_CONCAT] = value
        else:
            state[re.sub(r"^Dense(\d{1,2})/", r"mapping.fc\1.", name)] = _converted(name, value)
    averages = variables_of(content, network)
    if "dlatent_avg" not in averages:
        raise CheckpointError("it is damaged: it lacks dlatent_avg, the mean of w")
    state["mapping.w_avg"] = averages["dlatent_avg"]
    check_labels(label_widths(state)[0], settings)
    return growing.stylegan(
        state,
        lod,
        mapping_lr_multiplier=number(settings.get("mapping_lrmul", 0.01), "mapping_lrmul"),
        w_avg_beta=number(settings.get("dlatent_avg_beta", 0.995), "dlatent_avg_beta"),
    )


def _fuses(settings: Mapping[str, Any], resolution: int) -> bool:
    """Whether the enlarging layer of a resolution is fused."""
    fused = settings.get("fused_scale", "auto")
    if type(fused) is not bool and not _is(fused, "auto"):
        raise CheckpointError(f"unsupported: its fused_scale is {describe(fused)}, none of True, False and 'auto'")
    return fused if isinstance(fused, bool) else resolution >= growing.FUSED_FROM


def _image_layer(name: str, prefix: str, last: int) -> str | None:
    """The block and parameter that a variable of a layer that reads or writes images is of; None for others."""
    match = re.fullmatch(rf"{prefix}_lod(\d{{1,2}})/(weight|bias)", name)
    if not match or int(match[1]) > last:
        return None
    return f"b{4 << (last - int(match[1]))}.{prefix.lower()}.{match[2]}"


def _stylegan_name(name: str, last: int) -> str:
    """Return the project's name for a variable of StyleGAN's synthesis."""
    image = _image_layer(name, "ToRGB", last)
    if image:
        return f"synthesis.{image}"
    noise = re.fullmatch(r"noise(\d{1,2})", name)
    if noise:
        return f"synthesis.{growing.layer_of(int(noise[1]))}.noise_const"
    if name == "4x4/Const/const":
        return "synthesis.b4.const"
    if name == "4x4/Const/bias":
        return "synthesis.b4.conv0.bias"
    match = re.fullmatch(r"(\d{1,5})x\1/(\w+)/(.+)", name)
    if not match or match[2] not in _CONVOLUTIONS or match[3] not in _STYLEGAN:
        raise CheckpointError(f"unsupported: a TensorFlow network with {describe(name)}, which no StyleGAN has")
    return f"synthesis.b{match[1]}.{_CONVOLUTIONS[match[2]]}.{_STYLEGAN[match[3]]}"


def _read_progressive(content: Content, network: Any) -> Loaded:
    settings = _settings(network)
    values = variables_of(content, network)
    lod = growing.level_of_detail(values.pop("lod", None))
    last = growing.finest(values, r"ToRGB_lod(\d{1,2})/")
    state: State = {}
    for name, value in values.items():
        match = re.fullmatch(r"(\d{1,5})x\1/(\w+)/(weight|bias)", name)
        ours = _image_layer(name, "ToRGB", last)
        if ours is None:
            if not match or match[2] not in _CONVOLUTIONS:
                raise CheckpointError(f"unsupported: a TensorFlow network with {describe(name)}, no Progressive GAN's")
            ours = f"b{match[1]}.{_CONVOLUTIONS[match[2]]}.{match[3]}"
        state[f"synthesis.{ours}"] = _progressive_value(name, value)
    return growing.progressive(state, lod, label_size(settings))


def _progressive_value(name: str, value: Tensor) -> Tensor:
    """Convert to the project's layout."""
    if name == "4x4/Dense/weight" and value.dim() == 2 and value.shape[1] % 16 == 0:
        return value.reshape(len(value), -1, 4, 4).transpose(0, 1).contiguous()
    if name.endswith("/Conv0_up/weight") and value.dim() == 4:
        return growing.convolved(value.permute(2, 3, 0, 1), fused=True).contiguous()  # height, width, out, in
    value = _converted(name, value)
    return growing.convolved(value, fused=False) if name.endswith("/Conv0/weight") and value.dim() == 4 else value


def _read_discriminator(content: Content, network: Any, blur: bool) -> Loaded:
    settings = _settings(network)
    values = variables_of(content, network)
    lod = growing.level_of_detail(values.pop("lod", None))
    last = growing.finest(values, r"FromRGB_lod(\d{1,2})/")
    state: State = {}
    for name, value in values.items():
        match = re.fullmatch(r"(\d{1,5})x\1/(\w+)/(weight|bias)", name)
        ours = _image_layer(name, "FromRGB", last)
        if ours is None:
            kind = "conv" if match and match[2] == "Conv" else _DISCRIMINATOR.get(match[2] if match else "")
            if not match or not kind:
                raise CheckpointError(f"unsupported: a TensorFlow network with {describe(name)}, no discriminator's")
            ours = f"b{match[1]}.{kind}.{match[3]}"
        state[ours] = _converted(name, value)
    return growing.discriminator(
        state,
        lod,
        blur,
        mbstd_group_size=int(number(settings.get("mbstd_group_size", 4), "mbstd_group_size")),
        c_dim=_labels_of(state, settings, blur),
        pools_activated=any(name.endswith("/Conv1/weight") for name in values),  # what is fused is Conv1_down
    )


def _labels_of(state: State, settings: Mapping[str, Any], blur: bool) -> int:
    """How many labels a discriminator judges by, or tells; Progressive GAN's of the StyleGAN release none, ever."""
    labels, outputs = label_size(settings), state.get("b4.out.weight")
    return 0 if not blur and outputs is not None and len(outputs) == 1 else labels


def _converted(name: str, value: Tensor) -> Tensor:
    """Convert to the project's layout: outputs first."""
    if name.startswith("noise") and value.dim() == 4:
        return value.reshape(value.shape[-2:])
    if name == "4x4/Const/const" and value.dim() == 4:
        return value[0]
    if name.endswith("weight") and value.dim() == 4:
        return value.permute(3, 2, 0, 1).contiguous()  # height, width, in, out
    return value.t().contiguous() if name.endswith("weight") and value.dim() == 2 else value
