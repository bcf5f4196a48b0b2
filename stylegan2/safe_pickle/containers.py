"""Read the plain data in the bytes of a file: pickles, and torch's two containers around them.

torch's own loader is not used: even with `weights_only` it has run code of files (CVE-2025-32434, torch
below 2.6). The zip is not unpacked by a library either: torch stores its members as they are, so they are
read in place, and a compressed member, which could be a bomb, is refused.
"""

from __future__ import annotations

import io
import struct
import zipfile
from typing import Any

from stylegan2.errors import MALFORMED, CheckpointError
from stylegan2.safe_pickle.inert import ALLOWED, STORAGE_DTYPES, Module, Storage, storage_of
from stylegan2.safe_pickle.machine import Allowed, StandIn, UnknownClass, unpickle

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
    try:
        return _read(data, {**ALLOWED, "torch.storage._load_from_bytes": _nested_storage}, Module)
    except CheckpointError:
        raise
    except MALFORMED as error:
        raise CheckpointError("it is damaged: its pickle holds other kinds of values than a checkpoint's") from error


def _nested_storage(data: Any) -> Storage:
    """Stand in for torch's function of this name: a torch file within a pickle that holds one storage."""
    if not isinstance(data, (bytes, memoryview)):
        raise CheckpointError("it is damaged: a nested torch file that is not bytes")
    # What is nested may mention storages and nothing else: no deeper nesting, no surprises.
    storage = _read(memoryview(data), dict.fromkeys(STORAGE_DTYPES))
    if not isinstance(storage, Storage):
        raise CheckpointError("it is damaged: a nested torch file that is not a storage")
    return storage


def _read(data: memoryview, allowed: Allowed, stand_in: StandIn | None = None) -> Any:
    if data[:4] == _ZIP_MAGIC:
        return _read_zip(data, allowed, stand_in)
    value, end = unpickle(data, allowed, stand_in=stand_in)
    return _read_stream(data, allowed, end, stand_in) if value == _LEGACY_MAGIC else value


def _read_stream(data: memoryview, allowed: Allowed, start: int, stand_in: StandIn | None) -> Any:
    """torch's older container: magic, protocol, system, object, keys, and each key's storage in turn."""
    storages: dict[str, Storage] = {}

    def persistent(identifier: Any) -> Storage | UnknownClass:
        # The class of a module stands beside its source, which is for warnings about changes.
        if isinstance(identifier, tuple) and identifier[:1] == ("module",) and isinstance(identifier[1], UnknownClass):
            return identifier[1]
        return _shared(storages, *storage_of(identifier))

    protocol, start = unpickle(data, allowed, start=start)
    system, start = unpickle(data, allowed, start=start)
    if protocol != 1001 or not isinstance(system, dict) or system.get("little_endian") is not True:
        raise CheckpointError("it is a torch file of an unknown version, or of a big-endian machine")
    value, start = unpickle(data, allowed, persistent, start, stand_in)
    keys, start = unpickle(data, allowed, start=start)
    if not isinstance(keys, list) or sorted(map(str, keys)) != sorted(storages):
        raise CheckpointError("it is damaged: its tensors and its list of storages disagree")
    for key in keys:
        storage = storages[key]
        header = data[start : start + 8]
        if len(header) < 8 or struct.unpack("<q", header)[0] != storage.count:
            raise CheckpointError(f"it is truncated or damaged: storage {key[:40]!r} is not in its place")
        size = storage.count * storage.dtype.itemsize
        storage.fill(data[start + 8 : start + 8 + size])
        start += 8 + size
    return value


def _shared(storages: dict[str, Storage], key: str, storage: Storage) -> Storage:
    """Return the storage that `key` already stands for, if any, which must be alike."""
    known = storages.setdefault(key, storage)
    if (known.dtype, known.count) != (storage.dtype, storage.count):
        raise CheckpointError(f"unsupported: tensors of different types share the storage {key[:40]!r}")
    return known


def _read_zip(data: memoryview, allowed: Allowed, stand_in: StandIn | None) -> Any:
    """torch's newer container: a zip of data.pkl and a member for each storage."""
    members = _zip_members(data)
    pickles = [name for name in members if name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise CheckpointError("it is damaged: a torch archive with several data.pkl")
    folder = pickles[0].removesuffix("data.pkl")
    if f"{folder}byteorder" in members and bytes(members[f"{folder}byteorder"]) != b"little":
        raise CheckpointError("it was written on a big-endian machine; save it again on a little-endian one")
    storages: dict[str, Storage] = {}

    def persistent(identifier: Any) -> Storage:
        key, storage = storage_of(identifier)
        if f"{folder}data/{key}" not in members:
            raise CheckpointError(f"it is damaged: the storage {key[:40]!r} is missing")
        storage.fill(members[f"{folder}data/{key}"])
        return _shared(storages, key, storage)

    return unpickle(members[pickles[0]], allowed, persistent, stand_in=stand_in)[0]


def _zip_members(data: memoryview) -> dict[str, memoryview]:
    """Members by name, as views of the file."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
    except (
        zipfile.BadZipFile,
        NotImplementedError,
        ValueError,
        OverflowError,
        struct.error,
        EOFError,
    ) as error:
        raise CheckpointError("it is truncated or damaged: a zip archive without a readable index") from error
    if not any(entry.filename.endswith("/data.pkl") for entry in entries):
        raise CheckpointError("unsupported: a zip archive that torch.save did not write (no data.pkl)")
    if any(entry.filename.endswith("/constants.pkl") for entry in entries):  # before its compressed code is met
        raise CheckpointError(
            "it is a TorchScript program, not weights; save the state_dict() of what torch.jit.load gives"
        )
    members = {}
    for entry in entries:
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
            raise CheckpointError("refused: a compressed or encrypted zip archive, which torch never writes")
        header = data[entry.header_offset : entry.header_offset + 30]
        if entry.header_offset < 0 or len(header) < 30 or header[:4] != _ZIP_MAGIC:
            raise CheckpointError("it is truncated or damaged: its zip index points to nowhere")
        name, extra = struct.unpack("<HH", header[26:30])
        start = entry.header_offset + 30 + name + extra
        members[entry.filename] = data[start : start + entry.file_size]
        if len(members[entry.filename]) != entry.file_size:
            raise CheckpointError("it is truncated or damaged: a member of its zip reaches beyond its end")
    return members
