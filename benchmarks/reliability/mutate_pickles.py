"""Damage to pickles that keeps what a reader expects of them: by opcode, with hostile names, depths and counts."""

from __future__ import annotations

import pickle
import pickletools
import struct
from collections.abc import Callable
from random import Random

from bombs import pickle_of_many
from hostile import NAMES, call, mention, text
from mutate import DEPTHS, INTEGERS, WORDS, damaged

Pieces = list[bytes]
_CODES = [code.code.encode("latin-1") for code in pickletools.opcodes]


def parts(data: bytes, start: int = 0) -> tuple[Pieces, int]:
    """The opcodes of the first pickle from `start`, with their arguments, without frames; and where it ends."""
    found = [(code.name, position) for code, _, position in pickletools.genops(data[start:])]
    end = found[-1][1] + 1
    ends = [position for _, position in found[1:]] + [end]
    pieces = [data[start + p : start + e] for (name, p), e in zip(found, ends, strict=True) if name != "FRAME"]
    return pieces, start + end


def _constant(rng: Random) -> bytes:
    """An opcode that pushes a value of no use."""
    number = rng.choice(INTEGERS[:-1])
    if rng.random() < 0.4:
        raw = number.to_bytes(20, "little", signed=True)
        return rng.choice(
            (pickle.LONG1 + b"\x14" + raw, pickle.BININT + raw[:4], pickle.LONG4 + struct.pack("<I", 20) + raw)
        )
    return rng.choice((
        pickle.NONE, pickle.NEWTRUE, pickle.EMPTY_DICT, pickle.EMPTY_LIST, pickle.EMPTY_TUPLE, pickle.EMPTY_SET,
        text(rng.choice(WORDS)), pickle.BINFLOAT + struct.pack(">d", rng.choice((0.0, float("nan"), 1e308, -1.5))),
        pickle.SHORT_BINBYTES + b"\x03abc", pickle.BINUNICODE8 + struct.pack("<Q", 3) + b"\xff\xfe\xfd",
        b"I" + str(number).encode() + b"\n", b"L" + str(number).encode() + b"L\n", b"F1e999\n", b"S'x'\n", b"Vx\n",
        pickle.MARK + pickle.LIST, pickle.MARK + pickle.DICT, pickle.BYTEARRAY8 + struct.pack("<Q", 2) + b"ab",
    ))  # fmt: skip


def _counts(rng: Random) -> bytes:
    """An opcode whose count is beyond the file."""
    four, eight = (
        struct.pack("<I", rng.choice(INTEGERS[:-2]) % 2**32),
        struct.pack("<Q", rng.choice(INTEGERS[:-2]) % 2**64),
    )
    return rng.choice(
        (
            pickle.BINUNICODE + four,
            pickle.BINBYTES + four,
            pickle.LONG4 + four,
            pickle.LONG_BINPUT + four,
            pickle.LONG_BINGET + four,
            pickle.BINUNICODE8 + eight,
            pickle.BINBYTES8 + eight,
            pickle.BYTEARRAY8 + eight,
            pickle.FRAME + eight,
            pickle.EXT1 + b"\x01",
            pickle.EXT2 + b"\x01\x00",
            pickle.EXT4 + four,
            b"p" + str(2**70).encode() + b"\n",
            b"g" + b"9" * 5000 + b"\n",
            b"P" + b"x" * 99 + b"\n",
            pickle.PROTO + bytes([rng.randrange(256)]),
            pickle.BINPERSID,
            pickle.NEXT_BUFFER,
            pickle.READONLY_BUFFER,
        )
    )


def _deep(rng: Random) -> bytes:
    """Values nested in one another, or lists that hold themselves."""
    depth = rng.choice(DEPTHS)
    return rng.choice((
        pickle.NONE + pickle.TUPLE1 * depth,
        pickle.EMPTY_LIST * depth + pickle.APPEND * (depth - 1),
        (pickle.EMPTY_DICT + text("a")) * min(depth, 5000) + pickle.NONE + pickle.SETITEM * min(depth, 5000),
        pickle.EMPTY_LIST + pickle.BINPUT + b"\xf0" + pickle.BINGET + b"\xf0" + pickle.APPEND,
        pickle.EMPTY_DICT + pickle.BINPUT + b"\xf0" + text("a") + pickle.BINGET + b"\xf0" + pickle.SETITEM,
        pickle.NONE + b"".join(pickle.DUP + pickle.TUPLE2 for _ in range(60)),  # 2**60 leaves
        pickle.MARK * depth,
        _doubling(rng, 40),
    ))  # fmt: skip


def _doubling(rng: Random, levels: int) -> bytes:
    """Lists or dictionaries that hold the one before twice: small, and without end for who walks them."""
    data = pickle.EMPTY_LIST + pickle.BINPUT + b"\xf1"
    for _ in range(levels):
        get = pickle.BINGET + b"\xf1"
        inner = (pickle.EMPTY_DICT + pickle.MARK + text("a") + get + text("b") + get + pickle.SETITEMS
                 if rng.random() < 0.5 else pickle.EMPTY_LIST + pickle.MARK + get + get + pickle.APPENDS)  # fmt: skip
        data += pickle.POP + inner + pickle.BINPUT + b"\xf1"
    return data


def _call_of_data(rng: Random) -> bytes:
    """A call of an allowed name, with arguments of no use; its answer may be used as state."""
    name = rng.choice(
        (
            "torch._utils _rebuild_tensor_v2",
            "torch._utils _rebuild_parameter",
            "collections OrderedDict",
            "numpy dtype",
            "numpy.core.multiarray _reconstruct",
            "numpy.core.multiarray scalar",
            "numpy.core.numeric _frombuffer",
            "_codecs encode",
            "builtins set",
            "pathlib PosixPath",
            "argparse Namespace",
            "torch.storage _load_from_bytes",
            "torch_utils.persistence _reconstruct_persistent_obj",
            "dnnlib.tflib.network Network",
            "torch Size",
            "torch device",
            "torch FloatStorage",
            "torch.storage UntypedStorage",
            "numpy ndarray",
            "stylegan2.config GeneratorConfig",
        )
    )
    arguments = b"".join(rng.choice((_constant, _constant, _pair))(rng) for _ in range(rng.randrange(6)))
    made = (
        pickle.GLOBAL
        + name.replace(" ", "\n").encode()
        + b"\n"
        + pickle.MARK
        + arguments
        + pickle.TUPLE
        + pickle.REDUCE
    )
    return made + (_constant(rng) + pickle.BUILD if rng.random() < 0.4 else b"")


def _pair(rng: Random) -> bytes:
    return _constant(rng) + _constant(rng) + rng.choice((pickle.TUPLE2, pickle.POP))


def _hostile(rng: Random) -> bytes:
    name = rng.choice(NAMES)
    return call(rng, name) if rng.random() < 0.7 else mention(rng, name)


_PUSHES: tuple[Callable[[Random], bytes], ...] = (
    _constant,
    _constant,
    _deep,
    _call_of_data,
    _call_of_data,
    _hostile,
    _counts,
)


def _change(rng: Random, pieces: Pieces) -> Pieces:
    """Change one opcode."""
    at = rng.randrange(1, len(pieces))
    pieces, way = list(pieces), rng.randrange(9)
    if way == 0:
        del pieces[at]
    elif way == 1:
        pieces.insert(at, pieces[rng.randrange(len(pieces))])
    elif way == 2:
        other = rng.randrange(1, len(pieces))
        pieces[at], pieces[other] = pieces[other], pieces[at]
    elif way == 3:
        pieces.insert(at, rng.choice(_PUSHES)(rng) + (pickle.POP if rng.random() < 0.6 else b""))
    elif way == 4:
        values = [k for k, piece in enumerate(pieces) if piece[:1] in b"KMJN\x88\x89X\x8cG]})"]
        pieces[rng.choice(values) if values else at] = rng.choice(_PUSHES)(rng)
    elif way == 5:
        names = [k for k, piece in enumerate(pieces) if piece[:1] in (pickle.GLOBAL, pickle.STACK_GLOBAL)]
        where = rng.choice(names) if names else at
        before = pickle.POP + pickle.POP if pieces[where][:1] == pickle.STACK_GLOBAL else b""
        pieces[where] = before + mention(rng, rng.choice(NAMES))
    elif way == 6:
        pieces[at] = _resized(rng, pieces[at])
    elif way == 7:
        pieces.insert(at, rng.choice(_CODES) + rng.randbytes(rng.choice((0, 1, 2, 4))))
    else:
        size = rng.choice((2, 5, 30))
        pieces[at : at + size] = pieces[at : at + size] * rng.choice((0, 2, 3))
    return pieces


def _resized(rng: Random, piece: bytes) -> bytes:
    """An opcode with another argument of the same length."""
    if len(piece) < 2:
        return rng.choice(_CODES)
    if len(piece) <= 9:
        size = len(piece) - 1
        return piece[:1] + (rng.choice(INTEGERS[:-2]) % 256**size).to_bytes(size, "little")
    return piece[:1] + damaged(rng, piece[1:9]) + piece[9:]


def damaged_pickle(rng: Random, data: bytes, start: int = 0) -> bytes:
    """Damage the pickle that begins at `start`; what stands around it stays."""
    try:
        pieces, end = parts(data, start)
    except (ValueError, IndexError):
        return damaged(rng, data)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        if len(pieces) > 2:
            pieces = _change(rng, pieces)
    return data[:start] + b"".join(pieces) + data[end:]


def made_up(rng: Random) -> bytes:
    """A pickle of no file: values, calls and opcodes in any order."""
    body = b""
    for _ in range(rng.randrange(1, 12)):
        body += rng.choice(_PUSHES)(rng)
        if rng.random() < 0.4:
            body += rng.choice(
                (
                    pickle.TUPLE1,
                    pickle.TUPLE2,
                    pickle.MEMOIZE,
                    pickle.POP,
                    pickle.DUP,
                    pickle.BUILD,
                    pickle.REDUCE,
                    pickle.APPEND,
                    pickle.SETITEM,
                    pickle.MARK,
                    pickle.STACK_GLOBAL,
                )
            )
    return pickle.PROTO + bytes([rng.choice((0, 1, 2, 3, 4, 5))]) + body + pickle.STOP


def damaged_pickle_file(rng: Random, data: bytes, other: bytes = b"") -> bytes:
    """Damage a file that is a pickle."""
    way = rng.random()
    if way < 0.01:
        return pickle_of_many(rng)
    if way < 0.1:
        return damaged(rng, data, other)
    if way < 0.2:
        return made_up(rng)
    if way < 0.25:  # as older protocols write it
        name = rng.choice(NAMES).rpartition(".")
        return f"(dp0\nS'x'\nc{name[0]}\n{name[2]}\n(S'touch PWNED'\ntR.".encode()
    if way < 0.4:  # a nested torch file
        at = [k for k in range(len(data)) if data.startswith(b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46", k)]
        if at:
            return _nested(rng, data, rng.choice(at))
    return damaged_pickle(rng, data)


def _nested(rng: Random, data: bytes, at: int) -> bytes:
    """Damage within the bytes of a nested file, at the same length."""
    size = rng.choice((20, 60, 200))
    piece = damaged(rng, data[at : at + size])[:size]
    return data[:at] + piece.ljust(size, b"\0") + data[at + size :]


def damaged_stream(rng: Random, data: bytes, other: bytes = b"") -> bytes:
    """Damage one of the pickles of torch's older container, or its storages."""
    way = rng.random()
    if way < 0.1:
        return damaged(rng, data, other)
    starts, end = [], 0
    for _ in range(5):  # magic, protocol, system, object, keys
        starts.append(end)
        _, end = parts(data, end)
    if way < 0.2:  # the lengths of storages
        at = end + (0 if rng.random() < 0.5 else rng.randrange(max(len(data) - end, 1)))
        return data[:at] + struct.pack("<Q", rng.choice(INTEGERS[:-2]) % 2**64) + data[at + 8 :]
    if way < 0.25:
        return data[: rng.choice(starts)] + rng.choice((b"", made_up(rng))) + data[rng.choice(starts) :]
    return damaged_pickle(rng, data, rng.choices(starts, (1, 1, 1, 8, 2))[0])
