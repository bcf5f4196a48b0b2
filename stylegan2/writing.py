"""Temporary names for what is being written, and the removal of those that killed processes left behind."""

from __future__ import annotations

import hashlib
import os
import platform
import secrets
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

if sys.platform != "win32":
    import fcntl

_PREFIX = ".writing-"
_ABANDONED = 86_400.0  # seconds


@contextmanager
def temporary_beside(path: Path, folder: bool = False) -> Iterator[Path]:
    """Yield a hidden name beside `path` to write to, with the same suffix, which no other process uses.

    What the block leaves under that name is removed, so the block has to rename it. The first call for a folder also
    removes what killed processes are known to have left in it.

    Parameters
    ----------
    path
        The file or folder that is to be written; its parent exists.
    folder
        Whether the name is that of a folder.

    Yields
    ------
    pathlib.Path
        The name, of an empty file or folder.

    Raises
    ------
    OSError
        The place is not writable, or is full.
    """
    _remove_left(path.parent.absolute())
    temporary, handle = _claim(path, folder)
    try:
        yield temporary
    finally:
        _remove(temporary)
        if handle is not None:
            os.close(handle)


# A lock that a writer holds on its file shows that it is alive: the system frees it in whatever way a process ends, and
# process numbers, which recur and differ in every container, do not matter. On some file systems that machines share,
# each machine sees only its own locks. So what another machine, or an earlier start of this one, was writing is
# removed only if, in addition, it has not been written to for a day. Where there are no locks, nothing is removed.


def _claim(path: Path, folder: bool) -> tuple[Path, int | None]:
    """Make an empty file or folder, and lock it."""
    while True:
        temporary = path.with_name(f"{_PREFIX}{_machine()}-{secrets.token_hex(6)}{path.suffix}")
        if folder:
            temporary.mkdir()
        else:
            temporary.touch(exist_ok=False)
        if sys.platform == "win32":
            return temporary, None
        with suppress(FileNotFoundError):  # another process took it for one that was left before it was locked
            handle = _open(temporary)
            with suppress(OSError):
                fcntl.flock(handle, fcntl.LOCK_EX)
            if _is_open_as(handle, temporary):
                return temporary, handle
            os.close(handle)


def _open(path: Path) -> int:
    # NFS locks only what is open for writing, and a folder cannot be.
    return os.open(path, (os.O_RDONLY if path.is_dir() else os.O_RDWR) | getattr(os, "O_NOFOLLOW", 0))


def _is_open_as(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


@cache
def _remove_left(folder: Path) -> None:
    """Remove what killed processes left in a folder; only once, as a folder of many files takes long to list."""
    with suppress(OSError):
        for path in [Path(entry.path) for entry in os.scandir(folder) if entry.name.startswith(_PREFIX)]:
            with suppress(OSError):  # another user's, or another process is removing it
                _remove_if_left(path)


def _remove_if_left(path: Path) -> None:
    if sys.platform == "win32":
        return
    own = path.name.startswith(f"{_PREFIX}{_machine()}-")
    if not own and time.time() - path.lstat().st_mtime < _ABANDONED:
        return
    handle = _open(path)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _remove(path)
    finally:
        os.close(handle)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@cache
def _machine() -> str:
    """Eight digits for this start of this machine, within which locks are known to be seen by all."""
    try:
        name = Path("/proc/sys/kernel/random/boot_id").read_text()
    except OSError:
        name = platform.node()
    return hashlib.sha256(name.encode()).hexdigest()[:8]
