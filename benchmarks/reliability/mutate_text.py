"""Damage to tables of text and to XML."""

from __future__ import annotations

import re
from random import Random

from bombs import csv_of_many
from mutate import INTEGERS, WORDS, damaged

_CELLS = (
    *WORDS,
    *map(str, INTEGERS),
    "nan",
    "inf",
    "-inf",
    "1e999",
    "1_000",
    "０",
    "١",
    '"',
    '""',
    "'",
    ",",
    ";",
    "\t",
    "0x10",
    "True",
    "=1+1",
    "1,5",
    " 1 ",
    "x" * 140_000,
)


def damaged_csv(rng: Random, data: bytes, other: bytes = b"") -> bytes:
    """Damage a CSV: cells, rows, quotes, encoding."""
    if rng.random() < 0.01:
        return csv_of_many(rng, data)
    if rng.random() < 0.15:
        return damaged(rng, data, other)
    rows = [line.split(",") for line in data.decode().splitlines()]
    for _ in range(rng.choice((1, 1, 2, 4))):
        row = rng.randrange(len(rows)) if rng.random() < 0.7 else 0
        cell = rng.randrange(len(rows[row])) if rows[row] else 0
        way = rng.randrange(8)
        if way <= 3 and rows[row]:
            rows[row][cell] = rng.choice(_CELLS)
        elif way == 4:
            rows[row].insert(cell, rng.choice(_CELLS))
        elif way == 5 and rows[row]:
            del rows[row][cell]
        elif way == 6:
            rows.insert(row, rows[row] * rng.choice((1, 2, 500)))
        elif len(rows) > 1:
            del rows[row]
    ending = rng.choice(("\n", "\n", "\n", "\r\n", "\r", "\n\n", "\x0b", "\x1e"))
    text = ending.join(",".join(row) for row in rows) + rng.choice((ending, "", '"', "\0"))
    return text.encode(rng.choice(("utf-8",) * 8 + ("utf-16", "utf-8-sig", "utf-32", "utf-16-le")), "surrogatepass")


_ATTRIBUTES = (
    "",
    "x",
    "-1",
    "2, -2",
    "99999999999999999999",
    "2,2,2",
    "0",
    "1e3",
    "2, x",
    "f64",
    "i64",
    "i32",
    "f32",
    "boolean",
    "1" * 5000,
    "\u0662, 2",
    ",,,",
    "9223372036854775807",
    "65536, 65536, 65536",
    " 2 ,2 ",
    "nan",
    "0",
    "1",
    "4",
)


def damaged_xml(rng: Random, data: bytes, other: bytes = b"") -> bytes:
    """Damage a graph in XML: attributes, elements, entities, depth."""
    way = rng.randrange(8)
    if way == 0:
        return damaged(rng, data, other)
    text = data.decode()
    if way <= 3:
        found = list(re.finditer(r'="([^"]*)"', text))
        for one in rng.sample(found, rng.choice((1, 1, 2))):
            return (text[: one.start(1)] + rng.choice(_ATTRIBUTES) + text[one.end(1) :]).encode()
    if way == 4:
        elements = list(re.finditer(r"<(layer|edge|data)\b[^>]*/?>", text))
        one = rng.choice(elements)
        return (text[: one.start()] + one[0] * rng.choice((0, 2, 3000)) + text[one.end() :]).encode()
    if way == 5:
        bomb = "".join(f'<!ENTITY a{k + 1} "{f"&a{k};" * 10}">' for k in range(10))
        head = rng.choice((
            f'<!DOCTYPE net [<!ENTITY a0 "x">{bomb}]>', '<!DOCTYPE net [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
            '<!DOCTYPE net SYSTEM "http://127.0.0.1:9/x.dtd">', '<?xml-stylesheet href="http://127.0.0.1:9/"?>',
        ))  # fmt: skip
        return (
            text.replace("<net", head + "<net", 1)
            .replace('name="add"', rng.choice(('name="&a9;"', 'name="add"')))
            .encode()
        )
    if way == 6:
        depth = rng.choice((500, 20_000, 300_000))
        return text.replace("<layers>", "<layers>" + "<a>" * depth + "</a>" * depth, 1).encode()
    return (
        text.replace("UTF-8", "x")
        .replace('"1.0"', '"1.0" encoding="utf-16"')
        .encode(rng.choice(("utf-16", "utf-8", "utf-7")))
    )
