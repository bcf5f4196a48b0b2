"""Read the plain data in the bytes of a file: pickles, and torch's two containers around them.

torch's own loader is not used: even with `weights_only` it has run code of files (CVE-2025-32434, torch
below 2.6). The zip is not unpacked by a library either, see `archive`.
"""

from __future__ import annotations

import struct
from typing import Any

from stylegan2.describing import describe
from stylegan2.errors import CheckpointError
from stylegan2.safe_pickle.archive import torch_members
from stylegan2.safe_pickle.inert import ALLOWED, STORAGE_DTYPES, Module, Storage, storage_of
from stylegan2.safe_pickle.machine import unpickle
from stylegan2.safe_pickle.rules import Allowed, Budget, Global, Rules, StandIn, UnknownClass

_ZIP_MAGIC = b"PK\x03\x04"
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C


def looks_pickled(data: memoryview) -> bool:
    """Whether the first bytes are those of a zip archive or of a pickle (protocol 2 or later)."""
    return bytes(data[:4]) == _ZIP_MAGIC or bytes(data[:1]) == b"\x80"


def read_pickled(data: memoryview) -> Any:
    """Read a pickle or a torch file (zip archive, or the older stream) as plain data.

    Parameters
    ----------
    data
        The bytes of the file.

    Returns
    -------
    Any
        Dictionaries, lists, tuples, text, numbers, read-only bytes, and `TensorView`, `Array`, `Module` and `Record`.

    Raises
    ------
    ForbiddenGlobalError
        The file asks for a name that is not allowed.
    CheckpointError
        It is truncated, damaged or of an unknown kind.
    """
    return _read_by(data, Module, None)


def survey(data: memoryview) -> tuple[dict[str, bool], Any]:
    """List the names that a pickle or a torch file asks for, whether or not `read_pickled` would refuse them.

    Parameters
    ----------
    data
        The bytes of the file.

    Returns
    -------
    tuple
        The names, each with whether it is in the table of allowed ones, as far as the file can be read; and what the
        file holds, with records for all objects; None if it cannot be read to its end.
    """
    asked: dict[str, bool] = {}
    try:
        return asked, _read_by(data, None, asked)
    except CheckpointError:
        return asked, None


def _read_by(data: memoryview, stand_in: StandIn | None, asked: dict[str, bool] | None) -> Any:
    budget = Budget(len(data))
    inner = Rules(dict.fromkeys(STORAGE_DTYPES), budget, asked=asked)

    def nested_storage(content: Any) -> Storage:
        """Stand in for torch's `_load_from_bytes`: a torch file within a pickle that holds one storage."""
        if not isinstance(content, (bytes, memoryview)):
            raise CheckpointError("it is damaged: a nested torch file that is not bytes")
        # What is nested may mention storages and nothing else: no deeper nesting, no surprises.
        storage = _read(memoryview(content), inner)
        if not isinstance(storage, Storage):
            raise CheckpointError("it is damaged: a nested torch file that is not a storage")
        return storage

    own: Allowed = {"torch.storage._load_from_bytes": nested_storage}
    try:
        return _read(data, Rules({**ALLOWED, **own}, budget, stand_in, asked))
    except CheckpointError:
        raise
    except Exception as error:
        raise CheckpointError("it is damaged: its pickle holds other kinds of values than a checkpoint's") from error


def _read(data: memoryview, rules: Rules) -> Any:
    if data[:4] == _ZIP_MAGIC:
        return _read_zip(data, rules)
    value, end = unpickle(data, rules)
    return _read_stream(data, rules, end) if type(value) is int and value == _LEGACY_MAGIC else value


def _read_stream(data: memoryview, rules: Rules, start: int) -> Any:
    """torch's older container: magic, protocol, system, object, keys, and each key's storage in turn."""
    storages: dict[str, Storage] = {}

    def persistent(identifier: Any) -> Storage | Global | UnknownClass:
        # The class of a module stands beside its source, which is for warnings about changes.
        of_module = isinstance(identifier, tuple) and len(identifier) > 1 and identifier[0] == "module"
        if of_module and isinstance(identifier[1], (Global, UnknownClass)):
            return identifier[1]
        return _shared(storages, *storage_of(identifier))

    protocol, start = unpickle(data, rules, start=start)
    system, start = unpickle(data, rules, start=start)
    little = isinstance(system, dict) and system.get("little_endian") is True
    if type(protocol) is not int or protocol != 1001 or not little:
        raise CheckpointError("it is a torch file of an unknown version, or of a big-endian machine")
    value, start = unpickle(data, rules, persistent, start)
    keys, start = unpickle(data, rules, start=start)
    if not (isinstance(keys, list) and all(isinstance(key, str) for key in keys) and sorted(keys) == sorted(storages)):
        raise CheckpointError("it is damaged: its tensors and its list of storages disagree")
    for key in keys:
        storage = storages[key]
        header = data[start : start + 8]
        if len(header) < 8 or struct.unpack("<q", header)[0] != storage.count:
            raise CheckpointError(f"it is truncated or damaged: storage {describe(key)} is not in its place")
        size = storage.count * storage.dtype.itemsize
        storage.fill(data[start + 8 : start + 8 + size])
        start += 8 + size
    return value


def _shared(storages: dict[str, Storage], key: str, storage: Storage) -> Storage:
    """Return the storage that `key` already stands for, if any, which must be alike."""
    known = storages.setdefault(key, storage)
    if (known.dtype, known.count) != (storage.dtype, storage.count):
        raise CheckpointError(f"unsupported: tensors of different types share the storage {describe(key)}")
    return known


def _read_zip(data: memoryview, rules: Rules) -> Any:
    """torch's newer container: a zip of data.pkl and a member for each storage."""
    members = torch_members(data)
    (pickled,) = (name for name in members if name.endswith("/data.pkl"))
    folder = pickled.removesuffix("data.pkl")
    if f"{folder}byteorder" in members and bytes(members[f"{folder}byteorder"].read()) != b"little":
        raise CheckpointError("it was written on a big-endian machine; save it again on a little-endian one")
    storages: dict[str, Storage] = {}

    def persistent(identifier: Any) -> Storage:
        key, storage = storage_of(identifier)
        member = members.get(f"{folder}data/{key}")
        if member is None:
            raise CheckpointError(f"it is damaged: the storage {describe(key)} is missing")
        storage.fill(member.data, member.crc)
        return _shared(storages, key, storage)

    return unpickle(members[pickled].read(), rules, persistent)[0]
