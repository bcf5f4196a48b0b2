"""The translators' networks, and how a configuration becomes one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, TypeAlias

from torch import nn

from latentlab.errors import UserError
from latentlab.translation.networks.instagan import (
    InstaDiscriminator,
    InstaDiscriminatorConfig,
    InstaGenerator,
    InstaGeneratorConfig,
)
from latentlab.translation.networks.layers import infer, initialise_
from latentlab.translation.networks.patch import PatchConfig, PatchDiscriminator
from latentlab.translation.networks.resnet import ResNetConfig, ResNetGenerator
from latentlab.translation.networks.unet import UNet, UNetConfig

NetworkConfig: TypeAlias = UNetConfig | ResNetConfig | PatchConfig | InstaGeneratorConfig | InstaDiscriminatorConfig

# What files call each kind of network, its configuration and itself.
_KINDS: dict[str, tuple[type[Any], type[nn.Module]]] = {
    "unet": (UNetConfig, UNet),
    "resnet": (ResNetConfig, ResNetGenerator),
    "patch": (PatchConfig, PatchDiscriminator),
    "instagan-generator": (InstaGeneratorConfig, InstaGenerator),
    "instagan-discriminator": (InstaDiscriminatorConfig, InstaDiscriminator),
}


def build(config: NetworkConfig) -> nn.Module:
    """A network of that shape, its weights as torch draws them; see `initialise_`."""
    return next(network(config) for shape, network in _KINDS.values() if isinstance(config, shape))


def config_to_dict(config: NetworkConfig) -> dict[str, Any]:
    """As JSON holds it: its kind and its fields."""
    return {"kind": next(kind for kind, (shape, _) in _KINDS.items() if isinstance(config, shape)), **asdict(config)}


def config_from_dict(data: Mapping[str, Any]) -> NetworkConfig:
    """What `config_to_dict` gave.

    Raises
    ------
    UserError
        Of an unknown kind, or with values that make no network.
    """
    fields = dict(data)
    kind = fields.pop("kind", None)
    if kind not in _KINDS:
        raise UserError(f"a network is one of {', '.join(_KINDS)}, not {kind!r}")
    try:
        return _KINDS[kind][0](**fields)
    except TypeError as error:
        raise UserError(f"this is no configuration of a {kind}: {error}") from error


__all__ = [
    "InstaDiscriminator",
    "InstaDiscriminatorConfig",
    "InstaGenerator",
    "InstaGeneratorConfig",
    "NetworkConfig",
    "PatchConfig",
    "PatchDiscriminator",
    "ResNetConfig",
    "ResNetGenerator",
    "UNet",
    "UNetConfig",
    "build",
    "config_from_dict",
    "config_to_dict",
    "infer",
    "initialise_",
]
