"""Damage to files that hold others: zip archives with lying headers, NumPy's arrays, safetensors."""

from __future__ import annotations

import ast
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from bombs import NAMES, UNPACKED, json_of_many, npy_head, packed, widened
from mutate import INTEGERS, WORDS, damaged, damaged_value, to_json

Damage = Callable[[Random, bytes], bytes]


@dataclass(frozen=True)
class Member:
    """A member of a zip archive, with what its two headers say of it."""

    name: bytes
    content: bytes
    crc: int
    size: int
    packed: int
    method: int = 0
    flags: int = 0
    local_name: bytes | None = None
    offset: int | None = None
    extra: bytes = b""


def _members(data: bytes) -> list[Member]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [_stored(info.filename.encode(), archive.read(info), info.compress_type) for info in archive.infolist()]


def _stored(name: bytes, content: bytes, method: int = 0) -> Member:
    packer = zlib.compressobj(1, wbits=-15)
    packed = packer.compress(content) + packer.flush() if method == zipfile.ZIP_DEFLATED else content
    return Member(name, packed, zlib.crc32(content), len(content), len(packed), method)


def _bomb(name: bytes, size: int) -> Member:
    """A member that unpacks to so many bytes; an array, if it is called like one."""
    content, crc, whole = packed(UNPACKED, npy_head(), True) if name.endswith(b".npy") else packed(size, raw=True)
    return Member(name, content, crc, whole, len(content), zipfile.ZIP_DEFLATED)


def _zip(
    members: list[Member], before: bytes = b"", comment: bytes = b"", count: int | None = None, ends: int = 1
) -> bytes:
    body, index = bytearray(before), b""
    for one in members:
        offset = len(body) if one.offset is None else one.offset
        local = one.name if one.local_name is None else one.local_name
        shared = (one.flags, one.method, 0, 33, one.crc, one.packed, one.size)
        # Offsets of tensors in torch's archives need no alignment here.
        body += (
            struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 20, *shared, len(local), len(one.extra))
            + local
            + one.extra
            + one.content
        )
        index += (
            struct.pack(
                "<4sHHHHHHIIIHHHHHII",
                b"PK\1\2",
                20,
                20,
                *shared,
                len(one.name),
                len(one.extra),
                0,
                0,
                0,
                0,
                offset % 2**32,
            )
            + one.name
            + one.extra
        )
    number = len(members) if count is None else count
    end = struct.pack(
        "<4sHHHHIIH", b"PK\5\6", 0, 0, number % 2**16, number % 2**16, len(index), len(body), len(comment)
    )
    return bytes(body) + index + (end + comment) * ends


_NAMES = (
    b"../x.png",
    b"/x.png",
    b"a\\b.png",
    b"C:x.png",
    b"\0.png",
    b"x" * 65_000 + b".png",
    b".png",
    b"con.png",
    b"a/../b.png",
    b"\xff\xfe.png",
    b"\x1b[31m.png",
    b"archive/data.pkl",
    b"archive/data/0",
    b"",
    b"a/",
    b"x/data.pkl",
)


def _lie(rng: Random, one: Member) -> Member:
    number = rng.choice(INTEGERS[:-2]) % 2**32
    zip64 = struct.pack("<HHQQ", 1, 16, rng.choice(INTEGERS[:-2]) % 2**64, rng.choice(INTEGERS[:-2]) % 2**64)
    return rng.choice((
        lambda: replace(one, crc=number), lambda: replace(one, size=number), lambda: replace(one, packed=number),
        lambda: replace(one, size=number, packed=number), lambda: replace(one, flags=1 << rng.randrange(16)),
        lambda: replace(one, method=rng.choice((1, 6, 8, 9, 12, 14, 93, 95, 99, 255))),
        lambda: replace(one, local_name=rng.choice(_NAMES)), lambda: replace(one, name=rng.choice(_NAMES)),
        lambda: replace(one, offset=number), lambda: replace(one, size=2**32 - 1, packed=2**32 - 1, extra=zip64),
        lambda: replace(one, extra=rng.randbytes(rng.choice((1, 3, 200)))),
        lambda: _bomb(one.name, rng.choice((10**7, 3 * 10**8))),
        lambda: _stored(one.name, b"", one.method),
    ))()  # fmt: skip


def _content(member: Member) -> bytes:
    """What a member unpacks to; what it holds, where a lie about it or a damage came first."""
    try:
        return member.content if member.method == 0 else zlib.decompress(member.content, -15)
    except zlib.error:
        return member.content


def damaged_zip(rng: Random, data: bytes, inner: Damage, other: bytes = b"") -> bytes:
    """Damage an archive: its headers, its index, or by `inner` the content of a member."""
    way = rng.randrange(12)
    if way == 0:
        return damaged(rng, data, other)
    if way == 1:
        return (
            rng.choice((b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"\x1f\x8b\x08", b"PK\5\6" + bytes(18), b"MZ")) + data
        )
    members = _members(data)
    at = rng.randrange(len(members))
    if way <= 5:
        members[at] = _lie(rng, members[at])
    elif way == 6:
        members.append(
            rng.choice(
                (members[at], replace(members[at], content=b"other", size=5, packed=5, crc=zlib.crc32(b"other")))
            )
        )
    elif way == 7:
        del members[at]
    elif way == 8:
        members += [_stored(b"a%d.png" % k, b"") for k in range(rng.choice((10, 3000)))]
    elif way == 9:
        members.append(_stored(rng.choice(_NAMES), rng.choice((b"", data, b"x"))))
    if members and (way >= 10 or rng.random() < 0.1):
        picked = [k for k, one in enumerate(members) if one.name.endswith((b".pkl", b".npy", b".png", b".json"))] or [
            len(members) - 1
        ]
        k = rng.choice(picked)
        members[k] = _stored(members[k].name, inner(rng, _content(members[k])), members[k].method)
    before = rng.choice((b"", b"", b"", b"", b"#!x\n", b"PK\3\4"))
    return _zip(
        members,
        before,
        rng.choice((b"", b"", b"", b"PK\5\6" + bytes(18))),
        rng.choice((None,) * 8 + (0, 1, 70_000)),
        rng.choice((1,) * 8 + (2,)),
    )


_TYPES = ("<f4", "<f8", "<f2", "<i8", "|b1", "|O", "<U5", "|S3", "<c8", "<M8[s]", ">f4", "|V8", "<f16", [("a", "<f4")],
          "O", "f", "<U1000000000", "(1000000,1000000)f4", "", None, 7)  # fmt: skip


def damaged_npy(rng: Random, data: bytes, other: bytes = b"") -> bytes:
    """Damage a .npy file, mostly its header."""
    if rng.random() < 0.2 or data[:6] != b"\x93NUMPY":
        return damaged(rng, data, other)
    length = int.from_bytes(data[8:10], "little")
    header = ast.literal_eval(data[10 : 10 + length].decode("latin-1"))
    body, version = data[10 + length :], rng.choice((1, 1, 1, 2, 3, 9))
    way = rng.randrange(6)
    if way <= 1:
        header["descr"] = rng.choice(_TYPES)
    elif way <= 3:
        header["shape"] = rng.choice(
            (
                (32,),
                (2**31,),
                (2**62, 2),
                (-1,),
                (0, 2**62),
                (),
                (4, 8, 1),
                "x",
                (1.5,),
                (True, 32),
                (10**30,),
                (1,) * 70,
                [4, 8],
                None,
                (2**20, 2**20),
                (0,),
                (1, 1, 1, 32),
            )
        )
    elif way == 4:
        header["fortran_order"] = rng.choice((True, 1, "x", None))
    written = repr(header)
    if rng.random() < 0.2:
        written = rng.choice(
            (
                "[" * 5000,
                "__import__('os').system('touch PWNED')",
                "{}",
                "{'descr':" + "(" * 300,
                "-" * 5000 + "1",
                "{'shape': 9**9**9}",
                " " * 9000 + written,
                "\x1b[31m",
                "1+" * 3000 + "1",
            )
        )
    raw = written.encode("latin-1")
    size = struct.pack("<H" if version == 1 else "<I", rng.choice((len(raw),) * 8 + (0, 2**16 - 1)) % 2**16)
    return b"\x93NUMPY" + bytes([version, 0]) + size + raw + body


def split(data: bytes) -> tuple[dict[str, object], bytes]:
    """The header and the tensors of a safetensors file."""
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def _joined(header: bytes, body: bytes, length: int | None = None) -> bytes:
    return struct.pack("<Q", len(header) if length is None else length % 2**64) + header + body


def _damaged_card(rng: Random, text: str) -> bytes:
    if rng.random() < 0.01:
        return json_of_many(rng)
    change = widened if rng.random() < 0.02 else damaged_value
    return to_json(rng, change(rng, json.loads(text)))


def damaged_safetensors(rng: Random, data: bytes, other: bytes = b"") -> bytes:
    """Damage a safetensors file: the card or configuration in its metadata, its header, its length, its bytes."""
    if rng.random() < 0.1:
        return damaged(rng, data, other)
    header, body = split(data)
    metadata = header.get("__metadata__")
    way = rng.random()
    if isinstance(metadata, dict) and way < 0.55:
        inner = [key for key in metadata if key in ("card", "config")]
        key = rng.choice(inner) if inner and rng.random() < 0.85 else rng.choice(list(metadata))
        if key in inner:
            metadata[key] = _damaged_card(rng, metadata[key]).decode("utf-8", "replace")
        else:
            metadata[key] = rng.choice(WORDS)
    elif way < 0.75:
        names = [name for name in header if name != "__metadata__"]
        name = rng.choice(names)
        tensor = dict(header[name])  # type: ignore[call-overload]
        if rng.random() < 0.05:
            empty = {"dtype": "F32", "shape": [0], "data_offsets": [len(body)] * 2}
            header |= {f"n{k}": empty for k in range(NAMES)}
        field = rng.choice(("dtype", "shape", "data_offsets"))
        tensor[field] = rng.choice(
            (
                "F16",
                "F64",
                "I64",
                "BOOL",
                "F8_E4M3",
                "X",
                None,
                [],
                [0],
                [2**62, 2],
                [-1],
                [1] * 70,
                [0, 2**63],
                [4, 0],
                "F32",
                [1, 2],
            )
        )
        if field == "dtype" and tensor["dtype"] in ("F16", "F64", "I64"):  # and keep the bytes in agreement
            first, last = header[name]["data_offsets"]  # type: ignore[index]
            tensor["shape"] = [(last - first) // (2 if tensor["dtype"] == "F16" else 8)]
        header[name] = tensor
    elif way < 0.85:
        names = [name for name in header if name != "__metadata__"]
        first, second = rng.choice(names), rng.choice(names)
        header[first], header[second] = header[second], header[first]
        if rng.random() < 0.5:
            header[rng.choice(WORDS)] = header.pop(first)
    elif way < 0.92:
        values = rng.choice((struct.pack("<f", float("nan")), struct.pack("<f", float("inf")), b"\xff", b"\x80"))
        at = rng.randrange(max(len(body), 1)) // 4 * 4
        body = body[:at] + values + body[at + len(values) :]
    else:
        return _joined(to_json(rng, damaged_value(rng, header)), body, rng.choice((None,) * 4 + INTEGERS[:-2]))
    written = json.dumps(header).encode("utf-8", "surrogatepass")
    return _joined(
        written + b" " * (-len(written) % 8), body, None if rng.random() < 0.95 else rng.choice(INTEGERS[:-2])
    )
