"""Paths that are not regular files: reading a pipe would wait for ever, and reading a device never end."""

from __future__ import annotations

import os
import stat
from pathlib import Path

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def irregular(path: str | os.PathLike[str]) -> str | None:
    """Say what a path is if it is not a regular file, such as "a folder"; None for files and what does not exist."""
    try:
        kind = stat.S_IFMT(Path(path).stat().st_mode)
    except (OSError, ValueError):  # opening it will say why
        return None
    return None if kind == stat.S_IFREG else _KINDS.get(kind, "no regular file")
