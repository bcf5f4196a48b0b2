"""What kept work depends on: it is written beside the work, and compared with what is asked for when work resumes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from latentlab.errors import UserError
from stylegan2.describing import printable

_SHOWN = 3  # differences in a message
_LONGEST = 60  # characters of a value in a message


def check_same(
    where: str | Path,
    noun: str,
    stored: Any,
    wanted: Mapping[str, Any],
    advice: str = "ask for the same, or choose another folder",
) -> None:
    """Refuse to resume work that depends on something other than what is asked for.

    Parameters
    ----------
    where
        File or folder of the kept work.
    noun
        Word for it, with its article: "a training".
    stored
        What it depends on, as JSON held it.
    wanted
        What is asked for. Other entries of `stored` do not matter.
    advice
        What to do about it.

    Raises
    ------
    UserError
        If they differ. Names what differs, with both values.
    """
    if not isinstance(stored, Mapping):
        raise UserError(f"{where} does not say what it depends on; {advice}")
    known = json.loads(json.dumps(wanted))
    found = [line for name in known for line in _differences(name, stored.get(name), known[name])]
    if found:
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise UserError(f"{where} holds {noun} whose {', '.join(found[:_SHOWN])}{more}; {advice}")


def _differences(name: str, stored: Any, wanted: Any) -> Iterator[str]:
    """Name every entry that differs, with both values; the entries of a mapping by their path, `settings.steps`."""
    if isinstance(stored, Mapping) and isinstance(wanted, Mapping):
        for key in {**wanted, **stored}:
            yield from _differences(f"{name}.{key}", stored.get(key), wanted.get(key))
    elif _all_mappings(stored, wanted) and len(stored) == len(wanted):
        for number, (one, other) in enumerate(zip(stored, wanted, strict=True)):
            yield from _differences(f"{name}[{number}]", one, other)
    elif stored != wanted:
        yield f"{name} is {_short(stored)}, not {_short(wanted)}"


def _all_mappings(*values: Any) -> bool:
    """Whether they are lists of mappings, whose entries are worth naming."""
    return all(isinstance(value, list) and all(isinstance(one, Mapping) for one in value) for value in values)


def _short(value: Any) -> str:
    """Write a value as JSON, cut where it is long; of a digest twelve digits are enough."""
    if isinstance(value, str) and re.fullmatch("[0-9a-f]{12,}", value):
        return value[:12]
    text = printable(value) if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
    text = "none" if value is None else text
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
