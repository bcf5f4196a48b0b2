"""Editors of faces that come with the package, by name."""

from __future__ import annotations

from contextlib import AbstractContextManager
from importlib.resources import as_file, files
from pathlib import Path

_SUFFIX = ".safetensors"
_FOLDER = files("latentlab") / "data" / "editors"


def shipped_editors() -> tuple[str, ...]:
    """Names of the editors that come with the package, in alphabetical order."""
    found = _FOLDER.iterdir() if _FOLDER.is_dir() else ()
    return tuple(sorted(one.name.removesuffix(_SUFFIX) for one in found if one.name.endswith(_SUFFIX)))


def shipped_editor(name: str) -> AbstractContextManager[Path]:
    """File of an editor that comes with the package, for the time of a block."""
    return as_file(_FOLDER / f"{name}{_SUFFIX}")
