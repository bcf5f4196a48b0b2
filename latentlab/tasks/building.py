"""What the builders of tasks share: sets that are made once, what tells sets apart, methods by name."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from latentlab.comparison.protocol import Method
from latentlab.errors import UserError
from latentlab.files import write_json

_DONE = "done.json"


def made_once(folder: Path, make: Callable[[], object]) -> None:
    """Have a set made in `folder`, unless it lies there whole already."""
    if not (folder / _DONE).exists():
        make()
        write_json(folder / _DONE, {})


def fingerprint(paths: Iterable[Path]) -> str:
    """Sixteen hexadecimal digits of the names and the bytes of files."""
    found = hashlib.sha256()
    for path in paths:
        found.update(f"{path.name} {path.stat().st_size} ".encode())
        found.update(path.read_bytes())
    return found.hexdigest()[:16]


def chosen(known: Mapping[str, Callable[[], Method]], names: Sequence[str]) -> list[Method]:
    """The methods of some names, each built anew.

    Raises
    ------
    UserError
        A name is not known.
    """
    for name in names:
        if name not in known:
            raise UserError(f"the methods of this task are {', '.join(known)}; there is no {name!r}")
    return [known[name]() for name in names]
