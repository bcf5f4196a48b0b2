"""Pickles and torch files, honest and hostile, made by hand."""

from __future__ import annotations

import io
import struct
import zipfile
from typing import Any

import torch

from stylegan2.safe_pickle import read_pickled

PROTO = b"\x80\x02"


def read(data: bytes) -> Any:
    return read_pickled(memoryview(data))


def name(module: str, attribute: str) -> bytes:
    """The opcode that asks for a global."""
    return f"c{module}\n{attribute}\n".encode()


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


class Call:
    """Pickles as a call of `function`: the way of all hostile pickles."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.function, self.arguments


def saved(value: Any, zipped: bool) -> bytes:
    file = io.BytesIO()
    torch.save(value, file, _use_new_zipfile_serialization=zipped)
    return file.getvalue()


def storage(kind: bytes, key: str, count: bytes, view: bytes = b"") -> bytes:
    """The persistent id of a storage."""
    return b"(" + text("storage") + kind + text(key) + text("cpu") + count + view + b"tQ"


def storage_pickle(kind: bytes, key: str, count: bytes, view: bytes = b"") -> bytes:
    """A tensor of 4 values over a storage with the given persistent id."""
    return (
        PROTO + name("torch._utils", "_rebuild_tensor_v2") + b"(" + storage(kind, key, count, view)
        + b"K\x00K\x04\x85K\x01\x85\x89" + name("collections", "OrderedDict") + b")RtR."
    )  # fmt: skip


def archive(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as target:
        for member, content in members.items():
            target.writestr(f"archive/{member}", content)
    return file.getvalue()


FLOATS = name("torch", "FloatStorage")
