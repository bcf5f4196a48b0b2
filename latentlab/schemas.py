"""What JSON of cards and manifests has to look like: data classes are the schemas, and msgspec checks them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Annotated, Any, TypeVar

import msgspec

from latentlab.errors import UserError
from stylegan2.describing import describe, printable
from stylegan2.errors import MALFORMED

T = TypeVar("T")

Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
"""A number of things, such as steps: what JSON in other languages holds exactly, and a loop could count to."""

_DEEPEST = 64
_TIMES, _SPARE = 10, 500_000_000
"""Values may take this many times the JSON's size, and this many bytes more."""
_LONGEST = 200  # characters of an error about JSON, which may quote it


def parsed(text: str | bytes, where: str) -> Any:
    """Parse JSON: UTF-8 with or without a byte order mark, every key once, and finite numbers only.

    Parameters
    ----------
    text
        The JSON.
    where
        The file, for errors.

    Raises
    ------
    UserError
        It is not such JSON, or its values would take more than ten times its size and 500 MB. Names the file.
    """
    try:
        text = text.decode("utf-8-sig") if isinstance(text, bytes) else text
        _check_memory(text, where)
        found = json.loads(text, object_pairs_hook=_distinct, parse_float=_finite, parse_constant=_finite)
        _check_depth(found)
        return found
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where} is not valid JSON ({_short(error)})") from error


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make a dictionary; of two values under one key readers take one or the other, so that it means nothing."""
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"{describe(twice)} stands in it twice")
    return found


def _check_memory(text: str, where: str) -> None:
    """Refuse small values by the million, which take up to forty times their text, before memory is taken for them.

    What a value takes is CPython's: a dictionary with an entry 184 bytes, a further entry 170, a list with two values
    88, a text some 50, a number 28, and 8 for its place. Marks within texts count, too: in the formats read here few
    have them.
    """
    bytes_of = {"{": 192, ":": 170, "[": 96, ",": 36, '"': 26}
    needed = sum(each * text.count(mark) for mark, each in bytes_of.items())
    if needed > _TIMES * len(text) + _SPARE:
        raise UserError(
            f"{where} has so many small values that they would take {needed >> 20} MiB: write fewer into it"
        )


def _check_depth(value: Any) -> None:
    """Refuse lists within lists so deep that to compare, copy or print them would exhaust the interpreter's stack."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(_DEEPEST):
        inner = (one.values() if isinstance(one, dict) else one for one in level)
        level = [value for values in inner for value in values if isinstance(value, dict | list)]
    if level:
        raise ValueError(f"lists are nested more than {_DEEPEST} deep")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is no finite number")
    return number


def checked(data: Any, form: type[T], where: str, closed: bool = False) -> T:
    """Convert what JSON held to a type, checking every field.

    Parameters
    ----------
    data
        Dictionaries, lists, text, numbers and None, as `parsed` gives them.
    form
        A data class, or any type that msgspec knows; fields may carry limits, `Annotated[int, msgspec.Meta(ge=1)]`.
        Entries that the class does not have are passed over, and those with a default may be missing.
    where
        The file, for errors.
    closed
        Whether `form` is a data class of settings, each of which has its effect: one that it does not have is refused.

    Raises
    ------
    UserError
        A field is missing, of another type or beyond its limits. Names the file and the field.
    """
    known = {field.name for field in fields(form)} if closed and is_dataclass(form) else None
    if known is not None and isinstance(data, Mapping) and not data.keys() <= known:
        raise UserError(f"{where}: {describe(next(name for name in data if name not in known))} is unknown")
    try:
        return msgspec.convert(data, form)
    except MALFORMED as error:  # of msgspec, or of the class that makes something of the fields
        raise UserError(f"{where}: {_short(error)}") from error


def _short(error: Exception) -> str:
    text = printable(str(error)) or type(error).__name__
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
