"""The project's own format: safetensors, with the configuration as JSON in the metadata; and its pickled networks."""

from __future__ import annotations

import dataclasses
import json
import os
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import torch

from stylegan2.checkpoints.format import Content, Loaded, Networks
from stylegan2.checkpoints.found import tensors_of
from stylegan2.checkpoints.kinds import KINDS, Config, Network, is_discriminator, kind_of
from stylegan2.checkpoints.serialising import to_safetensors
from stylegan2.config import settings_of
from stylegan2.describing import describe, printable
from stylegan2.errors import CheckpointError
from stylegan2.safe_pickle import Module, Record
from stylegan2.safe_pickle.inert import OWN_CONFIGS
from stylegan2.writing import temporary_beside

READS = "stylegan2.save (.safetensors)"

FORMAT = "stylegan2-network"
VERSION = 1


def save(network: Network, path: str | Path) -> None:
    """Write a network as safetensors with its configuration; a network gives the same bytes every time.

    The file appears complete or not at all: it is written under another name beside it, then renamed.

    Parameters
    ----------
    network
        A generator or a discriminator of this package, on any device.
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
        "config": json.dumps(settings_of(network.config), sort_keys=True),
    }
    try:
        _write(Path(path), to_safetensors(network.state_dict(), metadata))
    except (OSError, ValueError) as error:  # names may have characters that no file has
        reason = getattr(error, "strerror", None) or error
        raise CheckpointError(f"{printable(str(path))}: it cannot be written: {reason}") from error


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
        return _pickled(content)
    metadata = content.header.metadata
    if metadata.get("format") != FORMAT:
        return None
    kind, version = metadata.get("kind", ""), metadata.get("version", "")
    if version != str(VERSION) or kind not in KINDS:
        raise CheckpointError(
            f"too new: a {describe(kind)} of version {describe(version)} of the project's "
            f"format; this is version {VERSION}. Install a newer version of the project"
        )
    names = ("D",) if is_discriminator(kind) else ("G_ema", "G")
    return dict.fromkeys(names, partial(_read, content, KINDS[kind], metadata.get("config", "")))


def _pickled(content: Content) -> Networks | None:
    """Return networks of the project that were pickled as they are: their attributes have the configuration."""
    found: Networks = {}
    for name, network in content.networks.items():
        config = network.state.get("config") if isinstance(network, Module) else None
        if isinstance(network, Module) and isinstance(config, Record) and config.name in OWN_CONFIGS:
            kind = OWN_CONFIGS[config.name]
            if is_discriminator(kind) == (name == "D"):
                found[name] = partial(_read_module, content, network, KINDS[kind], config)
        elif name != "D" and "synthesis.toimg.weight" in tensors_of(network):
            raise CheckpointError(
                "unsupported: it is the state dict of a mobile generator, which has no configuration; "
                "write the generator itself, with `stylegan2.save`"
            )
    return found or None


def _read_module(content: Content, network: Module, form: type[Config], config: Record) -> Loaded:
    return Loaded(_checked(config.state, form), content.read(tensors_of(network)))


def _read(content: Content, form: type[Config], text: str) -> Loaded:
    try:
        fields = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise CheckpointError("it is damaged: its configuration is no JSON") from error
    config, tensors = _checked(fields, form), content.safetensors()
    if any(value.dtype != torch.float32 for value in tensors.values()):
        raise CheckpointError("it is damaged: a tensor that is not float32")
    return Loaded(config, tensors)


def _checked(fields: Any, form: type[Config]) -> Config:
    """Make the configuration of what a file says of it, each field of its type."""
    known = {field.name for field in dataclasses.fields(form)}
    if not isinstance(fields, dict) or not fields.keys() <= known:
        raise CheckpointError("it is damaged: its configuration has no fields, or unknown ones")
    try:
        return msgspec.convert(fields, form)
    except (msgspec.ValidationError, RecursionError) as error:
        raise CheckpointError(
            f"it is damaged: its configuration cannot be read: {printable(str(error)[:200])}"
        ) from None
