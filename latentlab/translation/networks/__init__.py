"""Networks of the translators, and their configurations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from latentlab.errors import UserError
from latentlab.schemas import checked
from latentlab.translation.networks.base import NetworkConfig, TranslationGenerator, Way
from latentlab.translation.networks.editor import Editor, EditorConfig
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
from stylegan2.describing import describe

NETWORK_CONFIGS: tuple[type[NetworkConfig], ...] = (
    UNetConfig,
    ResNetConfig,
    PatchConfig,
    InstaGeneratorConfig,
    InstaDiscriminatorConfig,
    EditorConfig,
)
"""Networks that come with this package; translation methods may bring others (`TranslationMethod.network_configs`)."""


def config_to_dict(config: NetworkConfig) -> dict[str, Any]:
    """Return a configuration as JSON holds it: its kind and its fields."""
    return {"kind": config.kind, **asdict(config)}  # type: ignore[call-overload]


def config_from_dict(data: Mapping[str, Any], others: Iterable[type[NetworkConfig]] = ()) -> NetworkConfig:
    """Return the configuration that `config_to_dict` was given.

    Parameters
    ----------
    data
        Kind and fields.
    others
        Kinds of networks that this package does not know.

    Raises
    ------
    UserError
        The kind is unknown, or the values do not describe a network.
    """
    fields = dict(data)
    kind = fields.pop("kind", None)
    kinds = {config.kind: config for config in (*NETWORK_CONFIGS, *others)}
    if not isinstance(kind, str) or kind not in kinds:
        raise UserError(f"a network is one of {', '.join(kinds)}, not {describe(kind)}")
    return checked(fields, kinds[kind], f"this is no configuration of a {kind}", closed=True)


__all__ = [
    "NETWORK_CONFIGS",
    "Editor",
    "EditorConfig",
    "InstaDiscriminator",
    "InstaDiscriminatorConfig",
    "InstaGenerator",
    "InstaGeneratorConfig",
    "NetworkConfig",
    "PatchConfig",
    "PatchDiscriminator",
    "ResNetConfig",
    "ResNetGenerator",
    "TranslationGenerator",
    "UNet",
    "UNetConfig",
    "Way",
    "config_from_dict",
    "config_to_dict",
    "infer",
    "initialise_",
]
