"""Damage to images: sizes that lie, bombs in text and colour profiles, tags, and formats under other names."""

from __future__ import annotations

import struct
import zlib
from random import Random

from bombs import black_png, packed
from mutate import INTEGERS, damaged

_SIZES = (0, 1, 2, 15, 17, 255, 4096, 20_000, 65_535, 2**16, 2**24, 2**31 - 1, 2**32 - 1)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    found, at = [], 8
    while at + 8 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        found.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    return found


def _bomb(rng: Random) -> tuple[bytes, bytes]:
    """A chunk that unpacks to a thousand times its size, or that means something else than it should."""
    text = packed(rng.choice((10**6, 10**7, 2 * 10**8)))[0]
    return rng.choice(
        (
            (b"zTXt", b"Comment\0\0" + text),
            (b"iTXt", b"Comment\0\1\0\0\0" + text),
            (b"iCCP", b"icc\0\0" + text),
            (b"tEXt", b"Comment\0" + b"x" * 70_000),
            (b"eXIf", b"II*\0" + struct.pack("<I", rng.choice((8, 2**31, 0)))),
            (b"acTL", struct.pack(">II", rng.choice(_SIZES), 0)),
            (b"PLTE", b"\0" * rng.choice((0, 1, 768, 999))),
            (b"tRNS", b"\0" * rng.choice((0, 1, 2, 6, 300))),
            (b"IHDR", struct.pack(">IIBBBBB", 9, 9, 8, 2, 0, 0, 0)),
            (b"fcTL", struct.pack(">IIIIIHHBB", 0, rng.choice(_SIZES), 16, 0, 0, 1, 1, 0, 0)),
            (b"gAMA", b"\0"),
            (b"pHYs", b""),
        )
    )


def _damaged_png(rng: Random, data: bytes) -> bytes:
    chunks = _chunks(data)
    way = rng.randrange(6)
    at = rng.randrange(len(chunks))
    if way == 0:
        width, height = rng.choice(_SIZES), rng.choice((16, rng.choice(_SIZES)))
        chunks[0] = b"IHDR", struct.pack(">II", width, height) + chunks[0][1][8:]
    elif way == 1:
        head = bytearray(chunks[0][1])
        head[rng.randrange(8, 13)] = rng.choice((0, 1, 2, 3, 4, 6, 7, 8, 16, 255))
        chunks[0] = b"IHDR", bytes(head)
    elif way == 2:
        chunks.insert(rng.randrange(1, len(chunks)), _bomb(rng))
    elif way == 3:
        kind, content = chunks[at]
        chunks[at] = kind, damaged(rng, content)
    elif way == 4:
        chunks.insert(at, chunks[rng.randrange(len(chunks))])
    else:  # pixels that unpack to more than the size says, or to less
        rows = zlib.compress(bytes(rng.choice((1, 100, 10**6)))) if rng.random() < 0.7 else packed(10**8)[0]
        chunks = [one for one in chunks if one[0] != b"IDAT"][:-1] + [(b"IDAT", rows), (b"IEND", b"")]
    return data[:8] + b"".join(_chunk(kind, content) for kind, content in chunks)


def _field(rng: Random, data: bytes, at: int, layout: str) -> bytes:
    size = struct.calcsize(layout)
    value = rng.choice((*_SIZES, *INTEGERS[:-2])) % 256**size
    return data[:at] + value.to_bytes(size, "little" if layout[0] == "<" else "big") + data[at + size :]


def _damaged_tiff(rng: Random, data: bytes) -> bytes:
    order = "<" if data[:2] == b"II" else ">"
    (start,) = struct.unpack(order + "I", data[4:8])
    (count,) = struct.unpack(order + "H", data[start : start + 2])
    entry = start + 2 + 12 * rng.randrange(count)
    return _field(
        rng,
        data,
        *rng.choice(
            (
                (entry, order + "H"),
                (entry + 2, order + "H"),
                (entry + 4, order + "I"),
                (entry + 8, order + "I"),
                (start, order + "H"),
                (start + 2 + 12 * count, order + "I"),
                (4, order + "I"),
            )
        ),
    )


def _damaged_jpeg(rng: Random, data: bytes) -> bytes:
    markers = [k for k in range(len(data) - 9) if data[k] == 0xFF and data[k + 1] not in (0, 0xFF)]
    at = rng.choice(markers)
    way = rng.randrange(4)
    if way == 0:
        frame = next((k for k in markers if data[k + 1] in (0xC0, 0xC2)), at)
        return _field(rng, data, frame + rng.choice((5, 7)), ">H")
    if way == 1:
        return _field(rng, data, at + 2, ">H")
    if way == 2:
        exif = (
            b"Exif\0\0II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0"
            + struct.pack("<I", rng.choice((0, 3, 6, 9, 2**31)))
            + bytes(4)
        )
        body = rng.choice(
            (
                exif,
                b"MPF\0II*\0" + rng.randbytes(30),
                b"ICC_PROFILE\0\1\2" + bytes(40),
                b"Photoshop 3.0\0" + rng.randbytes(30),
            )
        )
        return (
            data[:2]
            + b"\xff"
            + rng.choice((b"\xe1", b"\xe2", b"\xed", b"\xee"))
            + struct.pack(">H", len(body) + 2)
            + body
            + data[2:]
        )
    return data[: at + 1] + bytes([rng.choice((0xC0, 0xC2, 0xC4, 0xD8, 0xD9, 0xDA, 0xDB, 0xDD, 0xFE))]) + data[at + 2 :]


_POSTSCRIPT = b"""%!PS-Adobe-3.0 EPSF-3.0
%%BoundingBox: 0 0 16 16
%%EndComments
(PWNED) (w) file closefile
%pipe%touch${IFS}PWNED (r) file
showpage
%%EOF
"""
_STRANGERS = (
    _POSTSCRIPT,
    _POSTSCRIPT.replace(b"16 16", b"99999 99999"),
    b"GIF89a" + b"\xff" * 20,
    b"BM" + b"\xff" * 60,
    b"RIFF\xff\xff\xff\xffWEBPVP8X" + bytes(20),
    b"<svg xmlns='x'><image href='file:///etc/passwd'/></svg>",
    b"P6\n99999 99999\n255\n",
    b"P5 -1 -1 255\n",
    b"P3\n2 2\n255\n" + b"9" * 100_000,
    b"#define x_width 999999\n#define x_height 999999\nstatic char x_bits[]={",
    b"8BPS\0\1" + bytes(6) + b"\0\3" + b"\0\1\0\0" * 2 + b"\0\x08\0\3",
    b"DDS " + b"\xff" * 124,
    b"icns\0\0\0\x10ic10\0\0\0\x08",
    b"\x00\x00\x01\x00\xff\xff" + b"\xff" * 40,
    b"SIMPLE  =                    T" + b" " * 2850,
    b"%PDF-1.4\n" + b"\0" * 99,
    b"\0\0\0\x0cjP  \r\n\x87\n" + b"\0" * 60,
    b"\xff\x4f\xff\x51" + b"\xff" * 60,
    b"FUJIFILM",
    b"\xd7\xcd\xc6\x9a" + b"\xff" * 40,
    b"\x01\0\0\0" + b"\xff" * 84,
    b"IMAGE=1",
    b"qoif" + b"\xff" * 10,
    b"\0\0\0\x20ftypavif" + bytes(60),
    b"GIMP\0\0\0",
    b"\x80\0\0\0",
)


def damaged_image(rng: Random, data: bytes, other: bytes = b"") -> bytes:
    """Damage an image, mostly in the fields of its format."""
    if rng.random() < 0.01:
        return black_png()
    if rng.random() < 0.05:
        return rng.choice(_STRANGERS)
    if rng.random() < 0.7:
        if data.startswith(b"\x89PNG"):
            return _damaged_png(rng, data)
        if data.startswith((b"II*", b"MM\0")):
            return _damaged_tiff(rng, data)
        if data.startswith(b"\xff\xd8"):
            return _damaged_jpeg(rng, data)
        if data.startswith(b"BM"):
            return _field(rng, data, rng.choice((2, 10, 14, 18, 22, 26, 28, 30, 34, 46)), "<I")
        if data.startswith(b"GIF"):
            return _field(rng, data, rng.choice((6, 8, 10, len(data) // 2)), "<H")
        if data.startswith(b"RIFF"):
            return _field(rng, data, rng.choice((4, 12, 16, 20, 24, 26, 28)), "<I")
    return damaged(rng, data, other)
