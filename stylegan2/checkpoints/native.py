"""The project's own format: safetensors, with the configuration as JSON in the metadata; and its pickled networks."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

from stylegan2.checkpoints.format import Content, Loaded, Networks
from stylegan2.checkpoints.found import Tensors, tensors_of
from stylegan2.checkpoints.kinds import KINDS, Config, Network, kind_of
from stylegan2.checkpoints.serialising import to_safetensors
from stylegan2.errors import CheckpointError
from stylegan2.safe_pickle import Module, Record, floats
from stylegan2.safe_pickle.inert import OWN_CONFIGS
from stylegan2.writing import temporary_beside

READS = "stylegan2.save (.safetensors)"

FORMAT = "stylegan2-network"
VERSION = 1


def save(network: Network, path: str | Path) -> None:
    """Write a network as safetensors with its configuration; a network gives the same bytes every time.

    The file appears complete or not at all: it is written beside its name, then renamed.

    Parameters
    ----------
    network
        A `Generator`, a `Discriminator` or a `MobileGenerator`, on any device.
    path
        The file; an existing one is replaced.

    Raises
    ------
    CheckpointError
        Not such a network, or the file cannot be written.
    """
    kind = kind_of(getattr(network, "config", None))
    metadata = {
        "format": FORMAT,
        "version": str(VERSION),
        "kind": kind,
        "config": json.dumps(asdict(network.config), sort_keys=True),
    }
    try:
        _write(Path(path), to_safetensors(network.state_dict(), metadata))
    except OSError as error:
        raise CheckpointError(f"{path}: it cannot be written: {error.strerror or error}") from error


def _write(path: Path, data: bytes) -> None:
    with temporary_beside(path) as temporary:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)


def networks(content: Content) -> Networks | None:
    """Return the networks of the file by name; see `format.Format`.

    A file holds one network: a generator answers to G_ema and to G, whichever it was.
    """
    if not content.is_safetensors:
        return _pickled(content.networks)
    data = content.data
    (length,) = struct.unpack("<Q", data[:8])
    if length > len(data) - 8:
        raise CheckpointError("it is truncated: a safetensors file whose header ends beyond its end")
    try:
        header = json.loads(bytes(data[8 : 8 + length]))
        metadata = header.get("__metadata__") or {}
        form, kind = metadata.get("format"), metadata.get("kind")
    except (ValueError, AttributeError, RecursionError) as error:
        raise CheckpointError("it is damaged: a safetensors file with an unreadable header") from error
    if form != FORMAT:
        return None
    if metadata.get("version") != str(VERSION) or kind not in KINDS:
        raise CheckpointError(
            f"too new: a {str(kind)[:40]!r} of version {str(metadata.get('version'))[:40]} of the project's "
            f"format; this is version {VERSION}. Install a newer version of the project"
        )
    names = ("D",) if kind == "discriminator" else ("G_ema", "G")
    return dict.fromkeys(names, partial(_read, data, kind, metadata.get("config")))


def _pickled(networks: Mapping[str, Module | Tensors]) -> Networks | None:
    """Return networks of the project that were pickled as they are: their attributes have the configuration."""
    found: Networks = {}
    for name, network in networks.items():
        config = network.state.get("config") if isinstance(network, Module) else None
        if isinstance(network, Module) and isinstance(config, Record) and config.name in OWN_CONFIGS:
            kind = OWN_CONFIGS[config.name]
            if (kind == "discriminator") == (name == "D"):
                found[name] = partial(_read_module, network, KINDS[kind], config)
        elif name != "D" and "synthesis.toimg.weight" in tensors_of(network):
            raise CheckpointError(
                "unsupported: it is the state dict of a mobile generator, which has no configuration; "
                "write the generator itself, with `stylegan2.save`"
            )
    return found or None


def _read_module(network: Module, config_class: type[Config], config: Record) -> Loaded:
    state = {name: floats(value, name) for name, value in tensors_of(network).items()}
    return Loaded(config_class(**config.state), state)


def _read(data: memoryview, kind: str, text: Any) -> Loaded:
    try:
        fields: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in json.loads(text).items()}
        config = KINDS[kind](**fields)
        tensors = safetensors.torch.load(bytes(data))
    except safetensors.SafetensorError as error:
        raise CheckpointError(f"it is truncated or damaged: {error}") from error
    except (TypeError, ValueError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"it is damaged: its configuration cannot be read: {error}") from error
    if any(value.dtype != torch.float32 for value in tensors.values()):
        raise CheckpointError("it is damaged: a tensor that is not float32")
    return Loaded(config, tensors)
