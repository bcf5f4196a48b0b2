"""What is kept between runs: keys of what results depend on, and sets that are made once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from latentlab.files import write_json

DONE = "done.json"
"""File that marks a folder as complete."""


def digest(key: Any) -> str:
    """Return twelve hexadecimal digits of a key that JSON can hold."""
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:12]


def files_digest(paths: Iterable[Path]) -> str:
    """Return sixteen hexadecimal digits of the names and the bytes of files."""
    found = hashlib.sha256()
    for path in paths:
        found.update(f"{path.name} {path.stat().st_size} ".encode())
        found.update(path.read_bytes())
    return found.hexdigest()[:16]


def made_once(folder: Path, make: Callable[[], object]) -> None:
    """Call `make` to fill a folder, unless it is complete already."""
    if not (folder / DONE).exists():
        make()
        write_json(folder / DONE, {})
