"""Places that results are kept in: folders of this machine, and object stores that an address names, s3://bucket/run.

What is written is there as a whole or not at all: in a folder through a temporary name, in an object store because an
object is there only once it is complete.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeAlias, TypeVar

from latentlab.errors import UserError
from latentlab.files import MOST_JSON, atomic_path, check_regular, json_text, read_json, remove
from latentlab.schemas import checked, parsed
from stylegan2.describing import printable

T = TypeVar("T")

Folder: TypeAlias = "str | Path"
"""A folder, or the address of a place in an object store."""

_LONGEST = 300  # characters of what a library of storage says
_MOST = 1 << 30  # bytes of an object that is read: a shard of 64 rows has a few hundred kilobytes
_PROBE = ".latentlab"  # an empty file that is written and removed again
_BUCKETS = ("s3", "s3a", "gs", "gcs")  # schemes whose addresses begin with a bucket
_NAMED = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]+)://(?P<bucket>[^/]*)(?:/.*)?")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+:/")  # Path takes one of two slashes away


def is_address(folder: Folder) -> bool:
    """Whether it is an address such as s3://bucket/run, and not a folder of this machine."""
    return _SCHEME.match(str(folder)) is not None


class Place(Protocol):
    """Where files are kept by name, without subfolders."""

    def names(self) -> list[str]:
        """Names of all files, sorted; none where the place does not exist yet."""
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
    return store_at(folder) if is_address(folder) else _Local(Path(folder))


def store_at(address: Folder) -> Store:
    """Return the place in a store that an address names."""
    text = str(address)
    return Store(text if text.endswith("://") else text.rstrip("/"))


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
        remove(self.path / name)

    def read_json(self, name: str, form: type[T]) -> T:
        return read_json(self.path / name, form)


@dataclass(frozen=True)
class Store:
    """A place in an object store, through fsspec; the connection is made anew in each process.

    Attributes
    ----------
    address
        Its address, without a slash at the end.
    """

    address: str

    def names(self) -> list[str]:
        """Names of all files, sorted; none where the place does not exist yet."""
        with self._errors():
            fs, path = self._system()
            fs.invalidate_cache()
            found = fs.ls(path, detail=False) if fs.exists(path) else []
            return sorted(str(one).rpartition("/")[2] for one in found)

    def exists(self, name: str) -> bool:
        """Whether there is a file of this name."""
        with self._errors():
            fs, path = self._system()
            fs.invalidate_cache()
            return bool(fs.exists(f"{path}/{name}"))

    def open(self, name: str) -> BinaryIO:
        """Open a file for reading; UserError if that fails."""
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
        """Write a file, whole or not at all; UserError if that fails."""
        content = io.BytesIO()
        fill(content)
        with self._errors():
            fs, path = self._system()
            fs.pipe_file(f"{path}/{name}", content.getvalue())

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        if self.exists(name):
            with self._errors():
                fs, path = self._system()
                fs.rm_file(f"{path}/{name}")

    def sizes(self) -> dict[str, int]:
        """Bytes of all files by name, those in folders as 'folder/name'; none where the place does not exist yet."""
        with self._errors():
            fs, path = self._system()
            fs.invalidate_cache()
            found = fs.find(path, detail=True) if fs.exists(path) else {}
            start = path.strip("/") + "/"
            names = {str(name).lstrip("/"): int(one["size"]) for name, one in found.items()}
        # A name that ends in a slash is what some browsers of stores take for a folder.
        return {name.removeprefix(start): size for name, size in names.items() if not name.endswith("/")}

    def fetch(self, name: str, to: Path) -> None:
        """Copy a file to this machine, whole or not at all."""
        with atomic_path(to) as temporary, self._errors():
            fs, path = self._system()
            fs.get_file(f"{path}/{name}", str(temporary))

    def remove_all(self, name: str) -> None:
        """Remove a file, or a folder with all that is in it, if it is there."""
        with self._errors():
            fs, path = self._system()
            fs.invalidate_cache()
            if fs.exists(f"{path}/{name}"):
                fs.rm(f"{path}/{name}", recursive=True)

    def check(self) -> None:
        """Write an empty file and remove it, so that what would fail later fails before the work, with UserError."""
        named = _NAMED.fullmatch(self.address)
        if named is None or (named["scheme"] in _BUCKETS and not named["bucket"]):
            raise UserError(f"{self.address} names no place in a store: give an address such as s3://BUCKET/RUN")
        self.write(_PROBE, lambda file: None)
        self.remove(_PROBE)

    def read_json(self, name: str, form: type[T]) -> T:
        """Read a JSON file, see `latentlab.files.read_json`."""
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
