"""Find networks in what a file holds: modules and state dicts, alone or under the keys that code bases use.

What they are is told by the names of their tensors, by the formats.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from torch import Tensor

from stylegan2.errors import CheckpointError
from stylegan2.safe_pickle import Array, Module, TensorView

Tensors = Mapping[str, Any]

# Keys of networks in dictionaries, and first parts of the names in state dicts that hold several networks.
_KEYS = {
    "G_ema": ("G_ema", "g_ema", "generator_smooth", "generator_ema", "params_ema", "netG_ema", "ema", "decoder"),
    "G": ("G", "g", "generator", "params", "netG"),
    "D": ("D", "d", "discriminator", "netD"),
}
# Keys of dictionaries that hold the networks among other things.
_AROUND = ("state_dict", "model_state_dict", "models", "model", "module")
# What wrappers of modules put in front of all names.
_WRAPPERS = ("module.", "_orig_mod.")


def find_networks(raw: Any, depth: int = 0) -> dict[str, Module | Tensors]:
    """Find the networks in a file's contents.

    Parameters
    ----------
    raw
        What the file holds.
    depth
        How many dictionaries are around it.

    Returns
    -------
    dict
        Modules or tensors by 'G_ema', 'G' and 'D'. A network that is alone has all three names.
    """
    if isinstance(raw, Module):
        return dict.fromkeys(_KEYS, _unwrapped_module(raw))
    if not isinstance(raw, dict) or depth > 2:
        return {}
    found = _by_keys(raw)
    for key in () if found else _AROUND:
        found = found or find_networks(raw.get(key), depth + 1)
    return found or _from_tensors(raw)


def tensors_of(network: Module | Tensors) -> Tensors:
    """Return the tensors of a network by the names that a state dict has for them."""
    if not isinstance(network, Module):
        return _unwrapped(network)
    return {
        f"{path}{name}": value
        for path, module in walk(network)
        for part in ("_parameters", "_buffers")
        for name, value in module.state.get(part, {}).items()
        if value is not None and name not in _not_persistent(module)
    }


def by_names(
    networks: Mapping[str, Module | Tensors],
    is_generator: Callable[[Tensors], bool],
    is_discriminator: Callable[[Tensors], bool],
) -> dict[str, Tensors]:
    """Return the tensors of those networks whose names the two functions know as a code base's."""
    every = {name: tensors_of(network) for name, network in networks.items()}
    return {name: own for name, own in every.items() if (is_discriminator if name == "D" else is_generator)(own)}


def _not_persistent(module: Module) -> list[Any]:
    """Names of the buffers that a state dict leaves out."""
    names = module.state.get("_non_persistent_buffers_set")
    return names if isinstance(names, list) else []


def walk(module: Module, path: str = "", depth: int = 0) -> Iterator[tuple[str, Module]]:
    """The module and those within it, by path. Depth and width of a real network are small."""
    children = module.state.get("_modules", {})
    if depth > 5 or len(children) > 50:
        raise CheckpointError("unsupported: its modules are nested deeper than those of any StyleGAN2")
    yield path, module
    for name, child in children.items():
        if child is None:  # torch's way to say that there is none
            continue
        if not isinstance(child, Module):
            raise CheckpointError(f"it is damaged: {path}{name} is not a module")
        yield from walk(child, f"{path}{name}.", depth + 1)


def _by_keys(raw: Mapping[Any, Any]) -> dict[str, Module | Tensors]:
    found: dict[str, Module | Tensors] = {}
    for name, keys in _KEYS.items():
        for value in (raw[key] for key in keys if isinstance(raw.get(key), (Module, dict))):
            found.setdefault(name, _unwrapped_module(value) if isinstance(value, Module) else value)
    return found


def _from_tensors(raw: Mapping[Any, Any]) -> dict[str, Module | Tensors]:
    """Find the networks in a state dict, which holds one, or several by the first part of their names."""
    tensors = {n: v for n, v in raw.items() if isinstance(n, str) and isinstance(v, (Tensor, TensorView, Array))}
    if not tensors:
        return {}
    groups: dict[str, dict[str, Any]] = {}
    for name, value in _unwrapped(tensors).items():
        first, _, rest = name.partition(".")
        groups.setdefault(first, {})[rest] = value
    return _by_keys(groups) or dict.fromkeys(_KEYS, tensors)


def _unwrapped(tensors: Tensors) -> Tensors:
    """Take off what wrappers put in front of the names, if it stands before all of them."""
    for prefix in _WRAPPERS:
        if tensors and all(str(name).startswith(prefix) for name in tensors):
            return _unwrapped({str(name)[len(prefix) :]: value for name, value in tensors.items()})
    return tensors


def _unwrapped_module(module: Module) -> Module:
    """Take a module out of its wrapper (data parallelism), which holds it and nothing else."""
    for _ in range(3):
        children = module.state.get("_modules", {})
        (inner,) = children.values() if list(children) == ["module"] else (None,)
        if not isinstance(inner, Module):
            break
        module = inner
    return module
