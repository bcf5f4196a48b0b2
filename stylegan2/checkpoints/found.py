"""Find networks in what a file holds: modules and state dicts, alone or under the keys that code bases use.

The formats recognise what they are by the names of their tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from stylegan2.describing import describe
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
# Beyond any network, with what code bases keep beside the weights. Modules may share others, so that a small file could
# hold any number of paths.
_MOST_MODULES, _MOST_OWN, _LONGEST_NAME = 2000, 200, 200


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
    tensors: dict[str, Any] = {}
    for path, module in walk(network):
        left_out = _not_persistent(path, module)
        tensors |= {name: value for name, value in own_tensors(path, module).items() if name not in left_out}
    return tensors


def own_tensors(path: str, module: Module) -> Tensors:
    """Return the parameters and buffers of a module, but not of modules within it, by their names below `path`."""
    every = [*module.state.get("_parameters", {}).items(), *module.state.get("_buffers", {}).items()]
    if len(every) > _MOST_OWN:
        raise CheckpointError(f"unsupported: a module with {len(every)} tensors, which no StyleGAN2 has")
    if not all(isinstance(name, str) and len(name) <= _LONGEST_NAME for name, _ in every):
        raise CheckpointError(f"it is damaged: a tensor of {describe(path)} without a name")
    return {f"{path}{name}": value for name, value in every if value is not None}


def by_names(
    networks: Mapping[str, Module | Tensors],
    is_generator: Callable[[Tensors], bool],
    is_discriminator: Callable[[Tensors], bool],
) -> dict[str, Tensors]:
    """Return the tensors of those networks whose names the two functions recognise as a code base's."""
    every = {name: tensors_of(network) for name, network in networks.items()}
    return {name: own for name, own in every.items() if (is_discriminator if name == "D" else is_generator)(own)}


def height_and_width(value: Any) -> tuple[int, int] | None:
    """Return the last two sides of a tensor as a file holds it; None for what is not a tensor, or has fewer."""
    shape: Any = getattr(value.state if isinstance(value, Array) else value, "shape", ())
    return (shape[-2], shape[-1]) if len(shape) >= 2 else None


def constant_size(networks: Mapping[str, Module | Tensors], name: str) -> tuple[int, int] | None:
    """Return height and width of the constant, a tensor called `name`, of the generators beside a discriminator.

    Parameters
    ----------
    networks
        As `find_networks` returns them.
    name
        The constant's name in the code base's state dicts.

    Returns
    -------
    tuple
        Height and width; None if there is no generator or no such tensor in it.
    """
    generators = (tensors_of(networks[key]) for key in ("G_ema", "G") if key in networks)
    sizes = (height_and_width(tensors.get(name)) for tensors in generators)
    return next((size for size in sizes if size is not None), None)


def _not_persistent(path: str, module: Module) -> set[str]:
    """Names of the buffers that a state dict leaves out."""
    names = module.state.get("_non_persistent_buffers_set")
    names = names[:_MOST_OWN] if isinstance(names, list) else []
    return {f"{path}{name}" for name in names if isinstance(name, str)}


def walk(module: Module) -> list[tuple[str, Module]]:
    """List the module and those within it, by path. Depth and number are small in a real network."""
    found: list[tuple[str, Module]] = []
    _walk(module, "", 0, found)
    return found


def _walk(module: Module, path: str, depth: int, found: list[tuple[str, Module]]) -> None:
    children = module.state.get("_modules", {})
    if depth > 5 or len(children) > 50 or len(found) == _MOST_MODULES:
        raise CheckpointError("unsupported: its modules are nested deeper, or are more, than those of any StyleGAN2")
    found.append((path, module))
    for name, child in children.items():
        if child is None:  # torch's way to say that there is none
            continue
        if not (isinstance(child, Module) and isinstance(name, str) and len(name) <= _LONGEST_NAME):
            raise CheckpointError(f"it is damaged: {describe(name)} of {describe(path)} is not a module")
        _walk(child, f"{path}{name}.", depth + 1, found)


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
    for prefix in _WRAPPERS * 2:
        if tensors and all(isinstance(name, str) and name.startswith(prefix) for name in tensors):
            tensors = {name[len(prefix) :]: value for name, value in tensors.items()}
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
