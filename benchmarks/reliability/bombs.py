"""Files that are well formed and unfold: small ones that unpack to much, and large ones of many small values or names.

Making one takes a while; each is made once.
"""

from __future__ import annotations

import io
import pickle
import struct
import zlib
from functools import cache
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

UNPACKED = 800_000_000  # bytes, beyond what a small file may take
LARGE = 40_000_000  # bytes of a file whose values take more than ten times its size
NAMES = 100_000  # so many that no reader may look at each pair of them

_OPCODES = (
    pickle.EMPTY_LIST, pickle.EMPTY_DICT, pickle.MARK, pickle.EMPTY_TUPLE, pickle.NONE, b"K\x05",
    b"K\x05\x85", b"N\x85\x85", b"X\0\0\0\0", b"\x8c\x02ab", b"\x8c\x01a\x94", b"G?\xf0\0\0\0\0\0\1",
    b"]q\x01", b"}q\x01", b"]\x94", b"C\x01a", b"J\xff\xff\xff\x7f", b"\x8a\x09" + b"\1" * 9, b"2",
    b"]N\x86", b"}K\1Ns", b"]Na",
)  # fmt: skip


def pickle_of_many(rng: Random) -> bytes:
    """One opcode or two, millions of times, as loose values or within a list."""
    unit = rng.choice(_OPCODES)
    many = unit * (LARGE // 4 // len(unit))
    first = pickle.NONE if unit == b"2" else b""
    return (
        b"\x80\x04"
        + rng.choice((first + many, pickle.EMPTY_LIST + pickle.MARK + first + many + pickle.APPENDS))
        + pickle.STOP
    )


def json_of_many(rng: Random) -> bytes:
    """One small value, millions of times."""
    unit = rng.choice((b"[],", b"{},", b'"",', b"0,", b"[[]],", b'{"a":1},', b"null,", b"1e9,"))
    return b'{"a":[' + unit * (LARGE // len(unit)) + b"0]}"


def widened(rng: Random, value: Any) -> Any:
    """Give a JSON value very many names or items, at a place within it."""
    inner = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    inner = [key for key in inner if isinstance(value[key], dict | list | str)]
    if inner and rng.random() < 0.6:
        changed, key = value.copy(), rng.choice(inner)
        changed[key] = widened(rng, value[key])
        return changed
    if isinstance(value, dict):
        like = rng.choice([*value.values(), 1])
        return {**value, **{f"n{k}": like for k in range(NAMES)}}
    if isinstance(value, list):
        return (value or [0]) * (NAMES // max(len(value), 1))
    return rng.choice((",", "=,", "a=1,", "x")) * NAMES


def csv_of_names(rng: Random, head: bytes) -> bytes:
    """Very many columns, and a row of as many cells."""
    first = head.splitlines()[0]
    names = b"".join(b",n%d" % k for k in range(NAMES))
    return first + names + b"\n" + b",".join([rng.choice((b"1", b"a.png"))] * (NAMES + first.count(b",") + 1)) + b"\n"


def csv_of_many(rng: Random, head: bytes) -> bytes:
    """One short row, millions of times; or very many columns."""
    if rng.random() < 0.3:
        return csv_of_names(rng, head)
    row = rng.choice((b"a\n", b"a,b\n", b",\n", b"a.png,p,0,1\n", b"a.jpg,1,2,3,4\n", b"\n", b"a,b,c,d,e,f,g\n"))
    return head.splitlines(True)[0] + row * (LARGE // len(row))


@cache
def packed(unpacked: int, head: bytes = b"", raw: bool = False) -> tuple[bytes, int, int]:
    """Zeros behind `head`, packed by zlib, or as zip archives have them (`raw`): the data, CRC and size."""
    packer, crc, piece = zlib.compressobj(9, wbits=-15 if raw else 15), zlib.crc32(head), bytes(1_000_000)
    data = packer.compress(head)
    for _ in range(unpacked // len(piece)):
        data += packer.compress(piece)
        crc = zlib.crc32(piece, crc)
    return data + packer.flush(), crc, len(head) + unpacked // len(piece) * len(piece)


@cache
def npy_head() -> bytes:
    """The head of a .npy file of zeros that takes UNPACKED bytes."""
    text = repr({"descr": "<f4", "fortran_order": False, "shape": (UNPACKED // 32, 8)}).encode()
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(text)) + text


@cache
def parquet_of_many(data: bytes) -> bytes:
    """The first row of a table, thirty million times."""
    first = pq.read_table(io.BytesIO(data)).slice(0, 1)
    million = first.take(pa.array([0] * 1_000_000))
    file = io.BytesIO()
    with pq.ParquetWriter(file, first.schema, compression="zstd") as writer:
        for _ in range(30):
            writer.write_table(million)
    return file.getvalue()


@cache
def parquet_of_names(data: bytes) -> bytes:
    """A table of twenty thousand more columns."""
    table = pq.read_table(io.BytesIO(data))
    column = pa.array([0.5] * table.num_rows, pa.float32())
    names = [f"n{k}" for k in range(NAMES // 5)]
    wide = pa.table([*table.columns, *[column] * len(names)], names=[*table.column_names, *names])
    file = io.BytesIO()
    pq.write_table(wide.replace_schema_metadata(table.schema.metadata), file)
    return file.getvalue()


@cache
def black_png(side: int = 9000) -> bytes:
    """A square black image of one bit a pixel."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows = zlib.compress((b"\0" + bytes((side + 7) // 8)) * side, 9)
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
