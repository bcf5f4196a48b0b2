"""Attributes that change with another by nature: an edit that changes them as well does not leak."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from latentlab.errors import UserError
from latentlab.files import read_json
from latentlab.schemas import checked
from stylegan2.describing import describe

_FILE = "related.json"


def related(attribute: str, known: Iterable[str] | None = None) -> tuple[str, ...]:
    """Attributes that change with an attribute by nature, from the lists that come with the package.

    There are lists for the 40 attributes of the shipped classifier and for the expressions of `fer`. A smile opens the
    mouth, raises the cheeks and narrows the eyes, and each of these looks more like a smile: those lists name each
    other. Others go one way: a hat hides hair, but another colour of hair does not put on a hat. What is only customary
    (men wear neckties) or only frequent in the data (the smiling wear make-up) is not related: where an edit changes
    it, the edit leaks.

    Parameters
    ----------
    attribute
        Name of a score.
    known
        Attributes that a classifier knows; others are left out. None for all.

    Returns
    -------
    tuple of str
        In alphabetical order; empty where nothing is known to change with the attribute.
    """
    found = _shipped().get(attribute, ())
    return found if known is None else tuple(name for name in found if name in set(known))


def load_related(path: str | Path) -> dict[str, tuple[str, ...]]:
    """Load your own lists: a JSON object with a list of related attributes for each attribute.

    Raises
    ------
    UserError
        If the file cannot be read, is something else, or a list names an attribute that has no list.
    """
    return parse_related(read_json(path), str(path))


def check_related(names: Iterable[str], known: Iterable[str]) -> tuple[str, ...]:
    """Return a list of related attributes; UserError if one is not among those that a classifier knows."""
    known, names = tuple(known), tuple(names)
    for name in names:
        if name not in known:
            raise UserError(f"the related attributes name {name}, which is unknown; there are {', '.join(known)}")
    return names


def parse_related(stored: Any, where: str) -> dict[str, tuple[str, ...]]:
    """Check lists of related attributes, as JSON held them; `where` names their file in messages."""
    try:
        lists = checked(stored, dict[str, list[str]], where)
    except UserError as error:
        example = '{"smiling": ["narrow_eyes"], …}'
        raise UserError(f"{where} holds no related attributes, which look like {example} ({error})") from error
    for attribute, names in lists.items():
        whose = f"{where}: the list of {describe(attribute)}"
        for name in names:
            if name not in lists:
                raise UserError(f"{whose} names {describe(name)}, which is unknown: it has no list")
            if name == attribute:
                raise UserError(f"{whose} names {describe(name)} itself")
    return {attribute: tuple(names) for attribute, names in lists.items()}


@cache
def _shipped() -> dict[str, tuple[str, ...]]:
    text = (resources.files("latentlab") / "data" / _FILE).read_text(encoding="utf-8")
    return parse_related(json.loads(text), _FILE)
