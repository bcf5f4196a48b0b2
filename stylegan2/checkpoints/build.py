"""From a configuration and tensors to a network: strictly, and without trusting either."""

from __future__ import annotations

from importlib import import_module

import torch
from torch import nn

from stylegan2.checkpoints.layout import Loaded
from stylegan2.errors import CheckpointError

# Kinds of networks: module and name of the class, module and name of its configuration. Imported when used.
KINDS = {
    "generator": (("stylegan2.networks", "Generator"), ("stylegan2.config", "GeneratorConfig")),
    "discriminator": (
        ("stylegan2.discriminator", "Discriminator"),
        ("stylegan2.config", "DiscriminatorConfig"),
    ),
    "mobile-generator": (("stylegan2.mobile", "MobileGenerator"), ("stylegan2.mobile", "MobileConfig")),
}


def network_class(kind: str) -> type[nn.Module]:
    """The class of the networks of a kind."""
    (module, name), _ = KINDS[kind]
    return getattr(import_module(module), name)


def config_class(kind: str) -> type:
    """The configuration class of a kind."""
    _, (module, name) = KINDS[kind]
    return getattr(import_module(module), name)


def kind_of(config: object) -> str:
    """The kind of the networks that have such a configuration."""
    for kind, (_, (module, name)) in KINDS.items():
        if (type(config).__module__, type(config).__name__) == (module, name):
            return kind
    raise CheckpointError(f"no kind of network has a configuration of type {type(config).__name__}")


def build(loaded: Loaded) -> nn.Module:
    """Make the network, in eval mode and without gradients for its parameters.

    Raises
    ------
    CheckpointError
        Names or shapes are not those that the configuration asks for. Tested before any memory is taken.
    """
    network = network_class(kind_of(loaded.config))
    _check(network, loaded)
    with torch.random.fork_rng(devices=[]):  # to load weights draws nothing of the caller's random numbers
        result = network(loaded.config)
    # What is missing are resample filters, which the configuration has made already.
    result.load_state_dict(loaded.state, strict=False)
    return result.eval().requires_grad_(False)


def _check(network: type[nn.Module], loaded: Loaded) -> None:
    if getattr(loaded.config, "mapping_layers", 0) > len(loaded.state) + 8:
        raise CheckpointError(f"it is damaged: it declares {loaded.config.mapping_layers} mapping layers")
    try:
        with torch.device("meta"):
            expected = network(loaded.config).state_dict()
    except (RuntimeError, TypeError, ValueError, OverflowError) as error:
        raise CheckpointError(f"it is damaged: no network has the configuration {loaded.config}") from error
    absent = sorted(n for n in expected.keys() - loaded.state.keys() if not n.endswith("resample_filter"))
    surplus = sorted(loaded.state.keys() - expected.keys())
    for what, names in (("lacks", absent), ("has the unknown", surplus)):
        if names:
            shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
            raise CheckpointError(f"it is damaged or another architecture: it {what} {shown[:200]}")
    for name, tensor in loaded.state.items():
        if tensor.shape != expected[name].shape:
            raise CheckpointError(
                f"it is damaged or another architecture: {name} has the shape {tuple(tensor.shape)}, "
                f"not {tuple(expected[name].shape)}"
            )
