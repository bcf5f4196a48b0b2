"""Files of tensors with a card (safetensors, the card as JSON in the metadata), all written and read here."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, overload

import torch
from safetensors import SafetensorError
from safetensors.torch import load as from_bytes
from torch import Tensor

from latentlab.errors import UserError
from latentlab.files import atomic_path, check_regular
from latentlab.schemas import checked, parsed
from stylegan2.checkpoints.serialising import to_safetensors
from stylegan2.defaults import plain_defaults
from stylegan2.describing import describe, printable
from stylegan2.errors import MALFORMED, CheckpointError

T = TypeVar("T")

_UNREADABLE: tuple[type[Exception], ...] = (OSError, SafetensorError, *MALFORMED)

_LONGEST = 200  # characters of somebody else's error in a message
_MOST_TENSORS, _MOST_HEADER = 1 << 14, 1 << 25
_TYPES = frozenset(
    {torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.uint8, torch.int32, torch.int64, torch.bool}
)


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


@overload
def read(path: str | Path, kind: Kind) -> tuple[dict[str, Tensor], dict[str, Any]]: ...


@overload
def read(path: str | Path, kind: Kind, form: type[T]) -> tuple[dict[str, Tensor], T]: ...


@plain_defaults()
def read(path: str | Path, kind: Kind, form: Any = dict[str, Any]) -> tuple[dict[str, Tensor], Any]:
    """Read the tensors, on the CPU, and the card of a file that `write` wrote.

    Parameters
    ----------
    path
        The file.
    kind
        Its kind.
    form
        What the card holds: a data class, or another type that `latentlab.schemas.checked` takes.

    Raises
    ------
    UserError
        The file is missing, broken, of another kind or of another version, a field of the card is not as `form` has it,
        or a tensor has numbers that are not finite. Names the file.
    """
    check_regular(path)
    with guard(path, kind):
        tensors, metadata = tensors_of(path, lambda metadata: _check(metadata, path, kind))
    try:
        where = f"the card in {path}"
        return tensors, checked(parsed(metadata["card"], where), form, where)
    except UserError as error:
        raise UserError(f"{error}; {kind.remedy}") from error


def tensors_of(
    path: str | Path, check: Callable[[Mapping[str, str]], object]
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read the tensors and the metadata of any safetensors file; within `guard`, which knows what this may raise.

    Parameters
    ----------
    path
        The file.
    check
        Called with the metadata before any tensor is read.

    Raises
    ------
    UserError
        It has more tensors than any such file, types that no such file has, or numbers that are not finite.
    """
    with open(path, "rb") as file:
        names, metadata = _header_of(file)
        check(metadata)
        if len(names) > _MOST_TENSORS:
            raise UserError(f"{len(names)} tensors are more than any such file has")
        file.seek(0)
        # Not as safe_open does, which maps the file into memory: a program whose file is cut short later would die.
        tensors = from_bytes(file.read())
    _check_numbers(tensors)
    return tensors, metadata


def _header_of(file: BinaryIO) -> tuple[list[str], dict[str, str]]:
    """Names of the tensors, and the metadata, of a file that is open at its beginning."""
    length = int.from_bytes(file.read(8), "little")
    if length > _MOST_HEADER:
        raise SafetensorError("it is no safetensors file, or one with more tensors than any such file has")
    try:
        header = checked(parsed(file.read(length), "its header"), dict[str, Any], "its header")
        metadata = checked(header.pop("__metadata__", {}), dict[str, str], "its metadata")
    except UserError as error:
        raise SafetensorError(str(error)) from error
    return list(header), metadata


def has_card(path: str | Path, kind: Kind | None = None) -> bool:
    """Whether a file is one that `write` wrote, of a given kind or of any; False for other files and broken ones."""
    try:
        check_regular(path)
        with open(path, "rb") as file:
            form = _header_of(file)[1].get("format", "")
    except _UNREADABLE:
        return False
    return form.startswith("latentlab.") if kind is None else form == kind.format


@contextmanager
def guard(path: str | Path, kind: Kind) -> Iterator[None]:
    """Turn whatever a broken file makes its reader raise in the block into a UserError that names the file.

    The project's own errors already say what is wrong: only the file's name is added, where it is missing.
    """
    try:
        yield
    except (UserError, CheckpointError) as error:
        if str(path) in str(error):
            raise
        raise type(error)(f"{path}: {error}") from error
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or printable(str(error))[:_LONGEST]
        raise UserError(f"cannot read {path} as {kind.noun}: {reason}; {kind.remedy}") from error
    except MALFORMED as error:
        reason = printable(repr(error))[:_LONGEST]
        raise UserError(f"the card in {path} is broken ({reason}); {kind.remedy}") from error


def _check(metadata: Mapping[str, str], path: str | Path, kind: Kind) -> None:
    if metadata.get("format") != kind.format or "card" not in metadata:
        raise UserError(f"{path} is not {kind.noun}, as latentlab writes it")
    version = metadata.get("version", "")
    if version != str(kind.version):
        raise UserError(
            f"{path} has version {describe(version)}, but this latentlab reads {kind.version}; upgrade latentlab"
        )


def _check_numbers(tensors: Mapping[str, Tensor]) -> None:
    for name, tensor in tensors.items():
        if tensor.dtype not in _TYPES:
            raise UserError(f"{describe(name)} has numbers of type {tensor.dtype}, which no such file has")
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise UserError(f"{describe(name)} has numbers that are not finite (NaN or infinite)")
