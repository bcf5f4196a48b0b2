"""Files of tensors with a card (safetensors, the card as JSON in the metadata), all written and read here."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from latentlab.errors import UserError
from latentlab.files import atomic_path, check_regular
from stylegan2.checkpoints.serialising import to_safetensors
from stylegan2.defaults import plain_defaults
from stylegan2.errors import CheckpointError


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes
    ----------
    format, version
        Entries of the metadata by which the kind is known.
    noun
        Word for the content in messages, with its article: "a direction".
    remedy
        Advice about a broken file, for messages.
    """

    format: str
    version: int
    noun: str
    remedy: str


def write(path: str | Path, kind: Kind, tensors: Mapping[str, Tensor], card: Mapping[str, Any]) -> None:
    """Write tensors, of any device, and their card, atomically; the same content gives the same bytes.

    Raises
    ------
    UserError
        `path` cannot be written.
    ValueError
        The card holds NaN or an infinity.
    """
    metadata = {"format": kind.format, "version": str(kind.version), "card": json.dumps(card, allow_nan=False)}
    content = to_safetensors(tensors, metadata)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


@plain_defaults()
def read(path: str | Path, kind: Kind) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read the tensors, on the CPU, and the card of a file that `write` wrote.

    Raises
    ------
    UserError
        The file is missing, broken, of another kind or of another version. Names the file.
    """
    check_regular(path)
    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            _check(metadata, path, kind)
            names = file.keys()  # it is no dictionary: only this lists them
            tensors = {name: file.get_tensor(name) for name in names}
    except (OSError, SafetensorError) as error:
        raise UserError(f"cannot read {path} as {kind.noun}: {error}; {kind.remedy}") from error
    with guard(path, kind):
        return tensors, dict(json.loads(metadata["card"]))


def has_card(path: str | Path, kind: Kind | None = None) -> bool:
    """Whether a file is one that `write` wrote, of a kind or any; False for other files and broken ones."""
    try:
        with safe_open(str(path), framework="pt") as file:
            form = str((file.metadata() or {}).get("format", ""))
    except (OSError, SafetensorError):
        return False
    return form.startswith("latentlab.") if kind is None else form == kind.format


@contextmanager
def guard(path: str | Path, kind: Kind) -> Iterator[None]:
    """Turn what a broken card or a missing tensor raises in the block into a UserError that names the file.

    The project's own errors say already what is wrong: of them only the file is named, where they do not.
    """
    try:
        yield
    except (UserError, CheckpointError) as error:
        if str(path) in str(error):
            raise
        raise type(error)(f"{path}: {error}") from error
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(f"the card in {path} is broken ({error!r}); {kind.remedy}") from error


def _check(metadata: Mapping[str, str], path: str | Path, kind: Kind) -> None:
    if metadata.get("format") != kind.format:
        raise UserError(f"{path} is not {kind.noun}, as latentlab writes it")
    version = metadata.get("version", "")
    if version != str(kind.version):
        raise UserError(f"{path} has version {version!r}, but this latentlab reads {kind.version}; upgrade latentlab")
