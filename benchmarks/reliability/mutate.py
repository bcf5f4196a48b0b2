"""Damage that fits every file: bits, pieces, ends; and values of JSON, which many formats hold."""

from __future__ import annotations

import json
import struct
from random import Random
from typing import Any

from bombs import json_of_many, widened

# Numbers at the edges of what fields hold.
INTEGERS = (0, 1, -1, 2, 3, 7, 127, 128, 255, 256, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**53 + 1, 2**62,
            2**63 - 1, 2**63, 2**64 - 1, -(2**31), -(2**63), 10**30, 10**400)  # fmt: skip
WORDS = (
    "",
    " ",
    "\0",
    "\n",
    "\x1b[31m\x1b]0;x\x07",
    "a\rb",
    "\u202egnp.",
    "\ud800",
    "\ufeff",
    "x" * 70_000,
    "../../x",
    "/etc/passwd",
    "C:\\x",
    "con",
    "%s%n{0}",
    "nan",
    "-1",
    "0" * 400,
    "\U0001f600",
    "__class__",
    "a\u2028b",
)
VALUES: tuple[Any, ...] = (
    None, True, False, *INTEGERS, *WORDS, 0.5, -0.0, 1e308, float("nan"), float("inf"), float("-inf"), [], {}, [[]],
    [None], [1, 2], {"a": 1}, [["a"]], {"": {}}, [1e400], ["x"] * 5000, list(range(-2, 70)),
)  # fmt: skip
DEPTHS = (50, 900, 2000, 100_000)


def damaged(rng: Random, data: bytes, other: bytes = b"") -> bytes:
    """Damage bytes in one of many ways; `other` is a second file, to be spliced with."""
    if not data:
        return rng.randbytes(rng.choice((1, 8, 100)))
    at = rng.randrange(len(data))
    if rng.random() < 0.5:  # the ends of files hold their structure
        at = (
            min(rng.randrange(200), len(data) - 1) if rng.random() < 0.6 else max(len(data) - 1 - rng.randrange(200), 0)
        )
    size = min(rng.choice((1, 2, 4, 8, 16, 64, 500)), len(data) - at)
    way = rng.randrange(10)
    if way == 0:
        return data[:at]
    if way == 1:
        return data[:at] + data[at + size :]
    if way == 2:
        return data[:at] + rng.randbytes(size) + data[at:]
    if way == 3:
        return data[:at] + bytes([rng.choice((0, 255))]) * size + data[at + size :]
    if way == 4:
        return data[:at] + data[at : at + size] * rng.choice((2, 3, 50)) + data[at + size :]
    if way == 5:
        start = rng.randrange(len(other)) if other else 0
        return data[:at] + other[start:]
    if way == 6:
        layout = rng.choice(("<b", "<h", "<i", "<q", ">h", ">i", ">q"))
        most = 256 ** struct.calcsize(layout)
        number = (rng.choice(INTEGERS[:-2]) % most).to_bytes(
            struct.calcsize(layout), "little" if layout[0] == "<" else "big"
        )
        return data[:at] + number + data[at + len(number) :]
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        where = rng.randrange(len(data)) if rng.random() < 0.5 else min(at + rng.randrange(32), len(data) - 1)
        changed[where] = changed[where] ^ (1 << rng.randrange(8)) if way < 9 else rng.randrange(256)
    return bytes(changed)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths of all values within a value of JSON, itself included."""
    found = [path]
    if len(path) < 12 and isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in items:
            found += _places(inner, (*path, key))
    return found


def _changed(rng: Random, value: Any, path: tuple[Any, ...], found: list[Any]) -> Any:
    if not path:
        return _replacement(rng, value, found)
    key, *rest = path
    if isinstance(value, dict):
        kept = dict(value)
        if not rest and rng.random() < 0.25:
            inner = kept.pop(key)
            if rng.random() < 0.5:
                kept[rng.choice((*WORDS, str(key) + "x"))] = inner
        else:
            kept[key] = _changed(rng, value[key], tuple(rest), found)
        return kept
    items = list(value)
    if not rest and rng.random() < 0.25:
        items[key : key + 1] = [] if rng.random() < 0.5 else [items[key]] * rng.choice((2, 3, 300))
    else:
        items[key] = _changed(rng, items[key], tuple(rest), found)
    return items


def _replacement(rng: Random, value: Any, found: list[Any]) -> Any:
    way = rng.randrange(8)
    if way == 0:
        return rng.choice(found)
    if way == 1:
        return rng.choice(([value], {"a": value}, [value, value], str(value)))
    if way == 2 and isinstance(value, int | float) and abs(value) < 1e300:
        return rng.choice((-value, value + 1, value * 1000, float(value), str(value), value - 0.5))
    if way == 3 and isinstance(value, str):
        return rng.choice(
            (value + rng.choice(WORDS), value.upper(), value[:-1], value * 3, value.encode("utf-8", "replace").hex())
        )
    return rng.choice(VALUES)


def damaged_value(rng: Random, value: Any) -> Any:
    """Change one to three places of a value of JSON."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        places = _places(value)
        found = [_at(value, place) for place in rng.sample(places, min(5, len(places)))]
        value = _changed(rng, value, rng.choice(places), found)
    return value


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def to_json(rng: Random, value: Any) -> bytes:
    """Write JSON, at times in ways that only some readers take."""
    text = json.dumps(value, ensure_ascii=rng.random() < 0.7)
    way = rng.randrange(20)
    if way == 0:
        depth = rng.choice(DEPTHS)
        opening, closing = rng.choice((("[", "]"), ('{"a":', "}")))
        text = opening * depth + text + closing * (depth if rng.random() < 0.7 else 0)
    if way == 1:
        text = text.replace("1", rng.choice(("1e999", "-0", "01", "1" * 5000, "0x1", "NaN", "-Infinity")), 1)
    if way == 2 and text.startswith("{") and len(text) > 2:
        text = "{" + text[1:-1] + "," + text[1:]  # every key twice
    if way == 3:
        return text.encode(rng.choice(("utf-16", "utf-32", "utf-8-sig")), "surrogatepass")
    if way == 4:
        text = rng.choice(("", " ", "null", "0", '"x"', "[]", "{}", "{", "nul", "\ufeff{}"))
    return text.encode("utf-8", "surrogatepass")


def damaged_json(rng: Random, data: bytes, other: bytes = b"") -> bytes:
    """Damage a file of JSON: mostly its values, at times its bytes."""
    if rng.random() < 0.01:
        return json_of_many(rng)
    if rng.random() < 0.02:
        return to_json(rng, widened(rng, json.loads(data)))
    if rng.random() < 0.15:
        return damaged(rng, data, other)
    return to_json(rng, damaged_value(rng, json.loads(data)))
