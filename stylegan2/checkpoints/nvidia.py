"""Networks of the PyTorch release: stylegan2-ada-pytorch, and the StyleGAN2 networks of its successor.

Its state dicts are also written.

The names are the project's already. Settings of pickled modules are read off their attributes, not off the arguments
they were made with: those differ from one code base to the next. State dicts have no settings; these are then the
defaults of `GeneratorConfig`, which are the code base's but for the clamp of half precision.
"""

from __future__ import annotations

import math
import re
from functools import partial
from typing import Any

from stylegan2.checkpoints.format import Content, Loaded, Networks
from stylegan2.checkpoints.found import Tensors, by_names, constant_size, own_tensors, walk
from stylegan2.checkpoints.layout import common_taps, discriminator_config, generator_config, number
from stylegan2.checkpoints.written import own_state
from stylegan2.describing import describe
from stylegan2.discriminator import Discriminator
from stylegan2.errors import CheckpointError
from stylegan2.networks import Generator
from stylegan2.safe_pickle import Module, ReleasedModule, TensorView

READS = "stylegan2-ada-pytorch and stylegan3 (.pkl, StyleGAN2 networks)"

_OF_GENERATOR, _OF_DISCRIMINATOR = "synthesis.b4.conv1.weight", "b4.out.weight"
_CONSTANT = "synthesis.b4.const"
_LINEAR = ("affine", "embed", "skip", "out")  # layers without an activation
_LAYERS = ("SynthesisLayer", "ToRGBLayer", "FullyConnectedLayer", "Conv2dLayer")


def networks(content: Content) -> Networks | None:
    """Return the networks of the file by name; see `format.Format`."""
    modules = {name: network for name, network in content.networks.items() if isinstance(network, ReleasedModule)}
    if modules:
        return {name: partial(_read, content, network) for name, network in modules.items()}
    found = by_names(content.networks, lambda own: _OF_GENERATOR in own, lambda own: _OF_DISCRIMINATOR in own)
    return {name: partial(_read_tensors, content, tensors) for name, tensors in found.items()} or None


def _read_tensors(content: Content, tensors: Tensors) -> Loaded:
    """Read a state dict, which has no settings."""
    values = content.read(tensors)
    state = {name: value for name, value in values.items() if not name.endswith("resample_filter")}
    is_generator = _OF_GENERATOR in tensors
    resampling = rf"b\d+\.({'conv0' if is_generator else 'conv1'}|skip)\.resample_filter$"
    taps = common_taps({name: value for name, value in values.items() if re.search(resampling, name)})
    if is_generator:
        return Loaded(generator_config(state, taps), state)
    return Loaded(discriminator_config(state, taps, constant_size(content.networks, _CONSTANT)), state)


def _read(content: Content, network: Module) -> Loaded:
    modules = dict(walk(network))
    _refuse_others(modules)
    tensors = {name: value for path, module in modules.items() for name, value in own_tensors(path, module).items()}
    if not all(isinstance(value, TensorView) for value in tensors.values()):
        raise CheckpointError("it is damaged: a module whose parameters are not tensors")
    _check_settings(modules, tensors)
    filters = [
        f"{path}resample_filter"
        for path, module in modules.items()
        if module.state.get("up", 1) == 2 or module.state.get("down", 1) == 2
    ]
    taps = common_taps(content.read({name: tensors[name] for name in filters}))
    state = content.read({n: value for n, value in tensors.items() if not n.endswith("resample_filter")})
    shared: dict[str, Any] = {
        "conv_clamp": _clamp(modules),
        "fp16_resolutions": sum(module.state.get("use_fp16") is True for module in modules.values()),
    }
    if network.name == "Discriminator":
        if not math.isclose(_mapping_multiplier(modules), 0.01):
            raise CheckpointError("unsupported: its discriminator's mapping has another learning rate")
        group = _common(modules, "MinibatchStdLayer", "group_size", 4)
        size = constant_size(content.networks, _CONSTANT)
        return Loaded(discriminator_config(state, taps, size, mbstd_group_size=group, **shared), state)
    config = generator_config(
        state,
        taps,
        mapping_lr_multiplier=_mapping_multiplier(modules),
        w_avg_beta=number(modules["mapping."].state["w_avg_beta"], "w_avg_beta"),
        **shared,
    )
    return Loaded(config, state)


def _refuse_others(modules: dict[str, Module]) -> None:
    """Name the other generators that come in such files, and refuse unknown ones."""
    top = modules[""]
    if "synthesis.input." in modules:
        kernels = [module.state.get("conv_kernel") for module in modules.values()]
        variant = "StyleGAN3-T" if any(type(kernel) is int and kernel == 3 for kernel in kernels) else "StyleGAN3-R"
        raise CheckpointError(
            f"unsupported: it is a {variant}, an alias-free generator; supported are StyleGAN2 networks "
            "(which the same code base also writes, with --cfg=stylegan2)"
        )
    if top.name not in ("Generator", "Discriminator"):
        raise CheckpointError(f"unsupported: it is a {describe(top.name)}, not a StyleGAN2 generator or discriminator")


def _check_settings(modules: dict[str, Module], tensors: dict[str, TensorView]) -> None:
    """Refuse what the project's networks compute differently: other activations, or other gains of weights."""
    for path, module in modules.items():
        leaf = path.split(".")[-2] if path else ""
        expected: dict[str, Any] = {"activation": "linear" if leaf in _LINEAR else "lrelu"}
        if "weight_gain" in module.state:
            multiplier = _mapping_multiplier(modules) if path.startswith("mapping.fc") else 1.0
            fan_in = math.prod(tensors[f"{path}weight"].shape[1:])
            expected |= {"weight_gain": multiplier / math.sqrt(fan_in), "bias_gain": multiplier}
        for name, value in expected.items():
            found = module.state.get(name, value) if module.name in _LAYERS else value
            if not _same(found, value):
                raise CheckpointError(
                    f"unsupported: the {name} of {describe(path[:-1])} is {describe(found)}, not {value!r}"
                )


def _same(found: Any, expected: Any) -> bool:
    """Whether a setting is the expected text or number; anything else is not even compared, which might not end."""
    if isinstance(expected, str):
        return isinstance(found, str) and found == expected
    return type(found) in (int, float) and math.isclose(found, expected, rel_tol=1e-4)


def _common(modules: dict[str, Module], kind: str, attribute: str, default: Any) -> Any:
    """The attribute, a number or None, that all modules of a kind share."""
    values = [m.state[attribute] for m in modules.values() if m.name == kind and attribute in m.state]
    for value in values:
        if value is not None:
            number(value, attribute)
    if len(set(values)) > 1:
        raise CheckpointError(f"unsupported: its layers differ in {attribute}")
    return values[0] if values else default


def _clamp(modules: dict[str, Module]) -> float | None:
    # Residual shortcuts, and the last layer that reads the image, never clamp.
    own = {path: m for path, m in modules.items() if not path.endswith(("skip.", "b4.fromrgb."))}
    clamp = _common(own, "SynthesisLayer", "conv_clamp", _common(own, "Conv2dLayer", "conv_clamp", None))
    return None if clamp is None else float(clamp)


def _mapping_multiplier(modules: dict[str, Module]) -> float:
    """The learning-rate multiplier of the mapping network; the default where there is none."""
    return number(modules["mapping.fc0."].state["bias_gain"], "bias_gain") if "mapping.fc0." in modules else 0.01


# --- writing ------------------------------------------------------------------------------------------------


def obstacle(generator: Generator, discriminator: Discriminator | None) -> str | None:
    """Say what in the networks the layout has no place for; see `format.WritableFormat`."""
    if generator.config.label_concat or (discriminator is not None and discriminator.config.label_switch):
        return "it has no labels as the first TensorFlow release has them"
    return None


def content_of(generator: Generator, discriminator: Discriminator | None) -> dict[str, Any]:
    """Return what a file of the networks holds; see `format.WritableFormat`."""
    found = {"G_ema": own_state(generator)}
    return found if discriminator is None else {**found, "D": own_state(discriminator)}
