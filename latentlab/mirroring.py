"""Folders of this machine that are kept in an object store while work goes on in them.

Whatever is written there is sent to the store before the work goes on, file by file and in the same order. So the store
is at any moment as the folder was at some moment, and a killed job can go on from it on any machine.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from latentlab.errors import UserError
from latentlab.files import LISTENERS, files_in, remove
from latentlab.places import Folder, Store, is_address, store_at

_PAUSE = 30.0  # seconds until a store that failed is tried again


def everything(name: str) -> bool:
    """Take all files."""
    return True


@dataclass(frozen=True)
class Mirrored:
    """A folder and the address that it is kept at.

    Attributes
    ----------
    root
        The folder.
    address
        The address.
    wanted
        Which files the work needs again when it goes on, by their names in the folder, as in 'state/a.json'.
    """

    root: Path
    address: str
    wanted: Callable[[str], bool] = everything

    def fetch(self) -> None:
        """Fetch what is wanted, and missing in the folder, from the store; UserError if that fails."""
        store = Store(self.address)
        for name in store.sizes():
            path = self.root / name
            if not _is_hidden(name) and self.wanted(name) and not path.exists():
                if not path.resolve().is_relative_to(self.root.resolve()):
                    raise UserError(f"{self.address} holds {name!r}, which lies outside of it")
                store.fetch(name, path)


class Mirror:
    """Sends what is written in a folder to the store; a listener of `latentlab.files`.

    A store that fails does not end the work: what it did not take is sent later, in the same order.
    """

    def __init__(self, of: Mirrored) -> None:
        self.of, self._store = of, Store(of.address)
        self._waiting: dict[str, None] = {}  # names in the order in which they were written
        self._sent: dict[str, tuple[int, int, int]] = {}  # which file it was that was sent
        self._lock, self._again = threading.RLock(), 0.0

    def __call__(self, path: Path) -> None:
        """Send a file or the files of a folder or, if it no longer exists, remove it from the store."""
        if not path.is_relative_to(self.of.root):
            return
        files = sorted(files_in(path, recursive=True)) if path.is_dir() else [path]
        names = [file.relative_to(self.of.root).as_posix() for file in files]
        with self._lock:
            self._waiting.update(dict.fromkeys(name for name in names if not _is_hidden(name)))
            if time.monotonic() < self._again:
                return
            try:
                self.send()
            except UserError as error:
                self._again = time.monotonic() + _PAUSE
                warnings.warn(f"{error}; the work goes on, and what is done is sent later", stacklevel=4)

    def finish(self) -> None:
        """Send what still waits, and files that nobody reported; UserError if that fails."""
        with self._lock:
            self.send()
            stored = self._store.sizes()
            for path in sorted(files_in(self.of.root, recursive=True)) if self.of.root.is_dir() else ():
                name = path.relative_to(self.of.root).as_posix()
                if stored.get(name) != path.stat().st_size:
                    self._send(name)

    @property
    def lacks(self) -> bool:
        """Whether there is something that the store has not taken."""
        return bool(self._waiting)

    def send(self) -> None:
        """Send what waits; UserError if that fails."""
        with self._lock:
            for name in list(self._waiting):
                self._send(name)
                del self._waiting[name]

    def _send(self, name: str) -> None:
        path = self.of.root / name
        if not path.exists():
            self._store.remove_all(name)
            return
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            version = (status.st_ino, status.st_mtime_ns, status.st_size)
            if self._sent.get(name) != version:
                self._store.write(name, lambda copy: shutil.copyfileobj(file, copy))
        self._sent[name] = version


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))


def mirrored() -> list[Mirrored]:
    """The folders of this process that are kept in a store."""
    return [one.of for one in _mirrors()]


def send_all() -> None:
    """Send what waits in the folders of this process; UserError if that fails."""
    for one in _mirrors():
        one.send()


def _mirrors() -> list[Mirror]:
    return [one for one in LISTENERS if isinstance(one, Mirror)]


def take_over(folders: Sequence[Mirrored]) -> None:
    """Keep the folders of another process in their store, and no others, in this one; UserError if a store fails."""
    LISTENERS[:] = [one for one in LISTENERS if not isinstance(one, Mirror)]
    for folder in folders:
        folder.fetch()
        LISTENERS.append(Mirror(folder))


def shown(path: Path) -> str:
    """A path as the user sees it: the address that it is kept at, if there is one."""
    for one in mirrored():
        if path.is_relative_to(one.root):
            inner = path.relative_to(one.root).as_posix()
            return one.address if inner == "." else f"{one.address}/{inner}"
    return str(path)


@contextmanager
def published(folder: Folder, wanted: Callable[[str], bool] = everything) -> Iterator[Path]:
    """Yield a folder of this machine to work in; for an address, each file is sent there as soon as it is whole.

    Parameters
    ----------
    folder
        Folder, which is yielded itself, or address. For an address the folder is a temporary one, which begins with
        what an earlier run has left at the address.
    wanted
        Which files the work needs again when it goes on, by their names; see `Mirrored`.

    Raises
    ------
    UserError
        If the address cannot be used at the beginning or at the end. Then the temporary folder stays.
    """
    if not is_address(folder):
        yield Path(folder)
        return
    store = store_at(folder)
    store.check()
    scratch = Path(tempfile.mkdtemp(prefix="latentlab-")).resolve()
    mirror = Mirror(Mirrored(scratch / "run", store.address, wanted))
    try:
        mirror.of.fetch()
        LISTENERS.append(mirror)
        yield mirror.of.root
        mirror.finish()
    except UserError as error:
        left = f"; what is missing there is in {scratch}" if mirror.lacks else ""
        raise UserError(str(error).replace(str(mirror.of.root), store.address) + left) from error
    finally:
        if mirror in LISTENERS:
            LISTENERS.remove(mirror)
        if not mirror.lacks:
            remove(scratch)
