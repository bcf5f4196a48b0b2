"""Translators that come with the package, by name."""

from __future__ import annotations

from contextlib import AbstractContextManager
from importlib.resources import as_file, files
from pathlib import Path

_SUFFIX = ".safetensors"
_FOLDER = files("latentlab") / "data" / "translators"

DRAWING = "drawing"
"""Name of the translator that paints faces from drawings; the others are editors, named after what they edit."""


def shipped_translators() -> tuple[str, ...]:
    """Names of the translators that come with the package, in alphabetical order."""
    found = _FOLDER.iterdir() if _FOLDER.is_dir() else ()
    return tuple(sorted(one.name.removesuffix(_SUFFIX) for one in found if one.name.endswith(_SUFFIX)))


def shipped_editors() -> tuple[str, ...]:
    """Names of the shipped translators that edit faces, which are named after what they edit."""
    return tuple(name for name in shipped_translators() if name != DRAWING)


def shipped_translator(name: str) -> AbstractContextManager[Path]:
    """File of a translator that comes with the package, for the duration of a `with` block."""
    return as_file(_FOLDER / f"{name}{_SUFFIX}")
