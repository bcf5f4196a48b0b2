"""The project's own format: safetensors, with the configuration as JSON in the metadata."""

from __future__ import annotations

import json
import os
import struct
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

from stylegan2.checkpoints.format import Content, Loaded, Networks
from stylegan2.checkpoints.kinds import KINDS, Network, kind_of
from stylegan2.errors import CheckpointError

READS = "stylegan2.save (.safetensors)"

FORMAT = "stylegan2-network"
VERSION = 1


def save(network: Network, path: str | Path) -> None:
    """Write a network as safetensors with its configuration.

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
    tensors = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    try:
        _write(Path(path), safetensors.torch.save(tensors, metadata))
    except OSError as error:
        raise CheckpointError(f"{path}: it cannot be written: {error.strerror or error}") from error


def _write(path: Path, data: bytes) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(beside, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def networks(content: Content) -> Networks | None:
    """Return the networks of the file by name; see `format.Format`.

    A file holds one network: a generator answers to G_ema and to G, whichever it was.
    """
    data = content.data
    if len(data) < 9 or bytes(data[8:9]) != b"{":
        return None
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
        raise CheckpointError(
            f"unsupported: a safetensors file of another format ({str(form)[:40]}); supported are "
            "those that `stylegan2.save` wrote"
        )
    if metadata.get("version") != str(VERSION) or kind not in KINDS:
        raise CheckpointError(
            f"too new: a {str(kind)[:40]!r} of version {str(metadata.get('version'))[:40]} of the project's "
            f"format; this is version {VERSION}. Install a newer version of the project"
        )
    names = ("D",) if kind == "discriminator" else ("G_ema", "G")
    return dict.fromkeys(names, partial(_read, data, kind, metadata.get("config")))


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
