"""Places that results are kept in: folders of this machine, and object stores that an address names, s3://bucket/run.

What is written is there as a whole or not at all: in a folder by a temporary name, in an object store because an object
is there once it is complete.
"""

from __future__ import annotations

import io
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeAlias, TypeVar

from latentlab.errors import UserError
from latentlab.files import MOST_JSON, atomic_path, check_regular, files_in, json_text, read_json
from latentlab.schemas import checked, parsed
from stylegan2.describing import printable

T = TypeVar("T")

Folder: TypeAlias = "str | Path"
"""A folder, or the address of a place in an object store."""

_LONGEST = 300  # characters of what a library of storage says
_MOST = 1 << 30  # bytes of an object that is read: a shard of 64 rows has a few hundred kilobytes
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+:/")  # Path takes one of two slashes away


def is_address(folder: Folder) -> bool:
    """Whether it is an address such as s3://bucket/run, and no folder of this machine."""
    return _SCHEME.match(str(folder)) is not None


class Place(Protocol):
    """Where files are kept by name, without folders in it."""

    def names(self) -> list[str]:
        """Names of all files, sorted; none where the place is not there yet."""
        ...

    def exists(self, name: str) -> bool:
        """Whether there is a file of this name."""
        ...

    def open(self, name: str) -> BinaryIO:
        """Open a file for reading; OSError or UserError if that fails."""
        ...

    def write(self, name: str, fill: Callable[[BinaryIO], object]) -> None:
        """Write a file, whole or not at all; UserError if that fails."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        ...

    def read_json(self, name: str, form: type[T]) -> T:
        """Read a JSON file, see `latentlab.files.read_json`."""
        ...


def place_of(folder: Folder) -> Place:
    """Return the place that a folder or an address names."""
    return _Store(str(folder).rstrip("/")) if is_address(folder) else _Local(Path(folder))


@dataclass(frozen=True)
class _Local:
    """A folder of this machine."""

    path: Path

    def names(self) -> list[str]:
        return sorted(entry.name for entry in self.path.iterdir()) if self.path.is_dir() else []

    def exists(self, name: str) -> bool:
        return (self.path / name).exists()

    def open(self, name: str) -> BinaryIO:
        check_regular(self.path / name)
        return (self.path / name).open("rb")

    def write(self, name: str, fill: Callable[[BinaryIO], object]) -> None:
        with atomic_path(self.path / name) as temporary, temporary.open("wb") as file:
            fill(file)

    def remove(self, name: str) -> None:
        (self.path / name).unlink(missing_ok=True)

    def read_json(self, name: str, form: type[T]) -> T:
        return read_json(self.path / name, form)


@dataclass(frozen=True)
class _Store:
    """A place in an object store, by fsspec; the connection is made anew in each process."""

    address: str

    def names(self) -> list[str]:
        with self._errors():
            fs, path = self._system()
            fs.invalidate_cache()
            found = fs.ls(path, detail=False) if fs.exists(path) else []
            return sorted(str(one).rpartition("/")[2] for one in found)

    def exists(self, name: str) -> bool:
        with self._errors():
            fs, path = self._system()
            fs.invalidate_cache()
            return bool(fs.exists(f"{path}/{name}"))

    def open(self, name: str) -> BinaryIO:
        return io.BytesIO(self.read(name))

    def read(self, name: str, most: int = _MOST) -> bytes:
        """Read a file, of `most` bytes at most."""
        with self._errors():
            fs, path = self._system()
            size = fs.size(f"{path}/{name}")
            content: bytes = b"" if size > most else fs.cat_file(f"{path}/{name}")
        if size > most:
            raise UserError(f"{self.address}/{name} is longer than the {most >> 20} MiB that such a file may have")
        return content

    def write(self, name: str, fill: Callable[[BinaryIO], object]) -> None:
        content = io.BytesIO()
        fill(content)
        with self._errors():
            fs, path = self._system()
            fs.pipe_file(f"{path}/{name}", content.getvalue())

    def remove(self, name: str) -> None:
        if self.exists(name):
            with self._errors():
                fs, path = self._system()
                fs.rm_file(f"{path}/{name}")

    def read_json(self, name: str, form: type[T]) -> T:
        where = f"{self.address}/{name}"
        return checked(parsed(self.read(name, MOST_JSON), where), form, where)

    def _system(self) -> tuple[Any, str]:
        from fsspec.core import url_to_fs

        fs, path = url_to_fs(self.address)
        return fs, str(path)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn what file systems raise, each its own, into a UserError that names the address."""
        try:
            yield
        except ImportError as error:
            raise UserError(f"{self.address} needs a package that is not installed: {_line(error)}") from error
        except Exception as error:  # libraries of storage have no class of errors in common
            raise UserError(f"cannot use {self.address}: {_line(error)}") from error


def _line(error: Exception) -> str:
    return printable(" ".join(str(error).split())[:_LONGEST]) or type(error).__name__


def write_json_in(place: Place, name: str, data: Any) -> None:
    """Write a JSON file; see `latentlab.files.write_json`."""
    place.write(name, lambda file: file.write(json_text(data).encode()))


@contextmanager
def published(folder: Folder, begun: str) -> Iterator[Path]:
    """Give a folder of this machine to write into, whose files go to an address at the end, if it is one.

    Parameters
    ----------
    folder
        Folder, which is given itself, or address.
    begun
        Name of the file by which such a folder is known. It is fetched from the address if it is there, and comes last
        at the end.

    Raises
    ------
    UserError
        If the address cannot be used.
    """
    if not is_address(folder):
        yield Path(folder)
        return
    address = str(folder).rstrip("/")
    with tempfile.TemporaryDirectory(prefix="latentlab-") as scratch:
        local, place = Path(scratch) / "run", place_of(address)
        if place.exists(begun):
            with place.open(begun) as file:
                _copy(file, _Local(local), begun)
        yield local
        for path in sorted(files_in(local, recursive=True), key=lambda path: (path == local / begun, path)):
            inner = path.parent.relative_to(local).as_posix()
            with path.open("rb") as file:
                _copy(file, place if inner == "." else place_of(f"{address}/{inner}"), path.name)


def _copy(file: BinaryIO, place: Place, name: str) -> None:
    place.write(name, lambda copy: shutil.copyfileobj(file, copy))
