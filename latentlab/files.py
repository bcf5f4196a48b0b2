"""Names and lists of files, and atomic writing: whatever is written gets a temporary name and is then renamed."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, overload

from latentlab.errors import UserError
from latentlab.schemas import checked, parsed
from stylegan2.regular import irregular
from stylegan2.writing import temporary_beside

T = TypeVar("T")


class NestedImages(UserError):
    """A folder holds no image itself, but those in it do; a caller that can take these says how."""


# Suffixes of images; other files in a folder are ignored.
SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})

MOST_JSON = 1 << 24
"""Largest size of a JSON file in bytes, unless stated otherwise."""

LISTENERS: list[Callable[[Path], object]] = []
"""Called, in order, with each file that was written and each file or folder that was renamed or removed."""

# Errors of the system that are about the place itself, and what to do about them. Any other OSError
# inside the block (a lost connection, say) is not about the file and passes through untouched.
_REMEDIES = {
    errno.ENOSPC: "free some space or choose another folder",
    errno.EDQUOT: "free some space or choose another folder",
    errno.EFBIG: "choose a file system that takes larger files",
    errno.EACCES: "choose a folder you may write to",
    errno.EPERM: "choose a folder you may write to",
    errno.EROFS: "choose a folder you may write to",
    errno.ENOTDIR: "one of its parents is a file; choose another folder",
    errno.EEXIST: "one of its parents is a file; choose another folder",
    errno.EISDIR: "there is a folder of that name; choose another name",
    errno.ENOENT: "choose a folder that exists",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EIO: "the disk reports an error; choose another one",
}


@contextmanager
def _errors_name(path: Path) -> Iterator[None]:
    """Turn the system's refusals to write `path` into a UserError that names it."""
    try:
        yield
    except OSError as error:
        if error.errno not in _REMEDIES:
            raise
        reason = os.strerror(error.errno)
        raise UserError(f"cannot write {path}: {reason}; {_REMEDIES[error.errno]}") from error


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Wait until renames in a folder would survive a crash of the machine."""
    if os.name == "posix":  # elsewhere a folder cannot be opened, and a rename is durable by itself
        _sync(folder)


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary name to write to, which becomes `path` if the block succeeds and is removed if not.

    The temporary file lies beside `path`, hidden, with the same suffix, under a name no other process
    uses; those that killed processes left there are removed. Readers of `path` see the old content or the new one,
    even after a crash of the machine. Missing parent folders are made.

    Parameters
    ----------
    path
        The file to write.

    Yields
    ------
    pathlib.Path
        The temporary name, of an empty file. The block must write the file and close it.

    Raises
    ------
    UserError
        The disk is full, or the place may not be written to. Names `path` and what to do.
    """
    path = Path(path)
    with _errors_name(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary_beside(path) as temporary:
            yield temporary
            _sync(temporary)
            os.replace(temporary, path)
        sync_folder(path.parent)
    tell(path)


def tell(path: Path) -> None:
    """Tell the listeners that a file or a folder is complete under this name, or is gone."""
    for listener in LISTENERS:
        listener(path)


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it, if it is there, and tell the listeners."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    tell(path)


def check_regular(path: str | os.PathLike[str]) -> None:
    """Refuse a folder, a pipe or a device in place of a file to read; UserError names it."""
    kind = irregular(path)
    if kind is not None:
        raise UserError(f"{path} is {kind}; give {'a file in it' if kind == 'a folder' else 'a file'}")


def images_in(folder: Path, recursive: bool = False, suffixes: Collection[str] = SUFFIXES) -> list[Path]:
    """List the images in a folder, in the order of their names; hidden files are left out.

    Parameters
    ----------
    folder
        The folder.
    recursive
        Whether those in its subfolders are listed, too; hidden folders are left out.
    suffixes
        Endings of what counts as an image, in lower case.

    Raises
    ------
    UserError
        There is no such folder, or no image in it: `NestedImages` if there are some in its subfolders.
    """
    if not os.path.isdir(folder):
        raise UserError(f"there is no folder {folder}")
    paths = sorted(path for path in files_in(folder, recursive) if path.suffix.lower() in suffixes)
    if not paths:
        if any(path.suffix.lower() in suffixes for path in files_in(folder, True)):
            raise NestedImages(f"there is no image in {folder} itself, only in the folders in it")
        raise UserError(f"there is no image in {folder}; it takes files ending in {', '.join(sorted(suffixes))}")
    return paths


def files_in(folder: Path, recursive: bool) -> Iterator[Path]:
    """Yield the files in a folder and, if `recursive`, in its subfolders; hidden ones are left out."""
    return _files_below(folder, recursive, frozenset())


def _files_below(folder: Path, recursive: bool, above: frozenset[Path]) -> Iterator[Path]:
    """Yield them, without those that a link to one of the folders above would give again and again."""
    here = folder.resolve()
    if here in above:
        return
    for path in folder.iterdir():
        if path.name.startswith("."):
            continue
        if not path.is_dir():
            yield path
        elif recursive:
            yield from _files_below(path, recursive, above | {here})


def name_in(folder: Path, path: Path) -> str:
    """Return the name of a file in a folder, with the folders on the way and without its suffix: 'street/01'."""
    return path.relative_to(folder).with_suffix("").as_posix()


def named_images(
    given: Iterable[str | os.PathLike[str]], recursive: bool = False, suffixes: Collection[str] = SUFFIXES
) -> dict[str, Path]:
    """List image files by name, with a folder replaced by its images, named as by `name_in`; see `images_in`.

    Raises
    ------
    UserError
        A folder holds no image, or two files have the same name.
    """
    found: dict[str, Path] = {}
    known: dict[str, Path] = {}  # by names that some file systems cannot tell apart
    for one in map(Path, given):
        # Not one.is_dir(), which a name that is too long makes raise.
        for path in images_in(one, recursive, suffixes) if os.path.isdir(one) else [one]:
            name = name_in(one if os.path.isdir(one) else one.parent, path)
            if name.casefold() in known:
                check_distinct_stems([known[name.casefold()], path])
            found[name] = known[name.casefold()] = path
    return found


def list_images(given: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """List image files, with a folder replaced by its images; their stems have to differ.

    Raises
    ------
    UserError
        A folder holds no image, or two files have the same stem.
    """
    return list(named_images(given).values())


def strength_names(strengths: Sequence[float]) -> list[str]:
    """Name strengths for files and lines, such as ``+2`` and ``-0.5``, with enough digits that all names differ.

    Parameters
    ----------
    strengths
        Finite numbers.

    Raises
    ------
    UserError
        If there is none, or one is given twice.
    """
    if len(set(strengths)) < len(strengths) or not len(strengths):
        raise UserError(f"strengths must be one or more different numbers, not {list(strengths)}")
    for digits in range(6, 18):
        names = [f"{strength + 0.0:+.{digits}g}" for strength in strengths]
        if len(set(names)) == len(strengths):
            break
    return names


def check_distinct_stems(paths: Iterable[str | os.PathLike[str]]) -> None:
    """Refuse files whose results, named like them, would overwrite each other; some file systems ignore case.

    Raises
    ------
    UserError
        If two of them have the same stem. Names both.
    """
    files = [Path(path) for path in paths]
    if again := [file for file, times in Counter(files).items() if times > 1]:
        raise UserError(f"{again[0]} is given twice")
    times = Counter(file.stem.casefold() for file in files)
    twice = [file for file in files if times[file.stem.casefold()] > 1]
    if twice:
        stem = twice[0].stem.casefold()
        twice = [file for file in twice if file.stem.casefold() == stem]
        raise UserError(
            f"{twice[0]} and {twice[1]} would both be written as {twice[0].stem}; "
            "give them in two runs with different folders, or rename one"
        )


def readable(text: str) -> str:
    """Return text that UTF-8 can hold.

    Where the system's encoding is narrower than the names of its files, Python holds the bytes of a name that it could
    not decode as lone surrogates; they become the characters that they were, or question marks.
    """
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write `text` as UTF-8, atomically; see `readable`.

    Raises
    ------
    UserError
        `path` cannot be written.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(readable(text), encoding="utf-8")


def write_json(path: str | os.PathLike[str], data: Any) -> None:
    """Write `data` as indented JSON, atomically; keys keep their order.

    Raises
    ------
    UserError
        `path` cannot be written.
    ValueError
        `data` holds NaN or an infinity, which JSON does not have.
    """
    write_text(path, json_text(data))


def json_text(data: Any) -> str:
    """Return indented JSON as text that UTF-8 can hold; ValueError for NaN or an infinity, which it does not have."""
    return readable(json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_bytes(path: str | os.PathLike[str], most: int | None = None) -> bytes:
    """Read a file, of `most` bytes at most.

    Raises
    ------
    UserError
        It is missing, unreadable, not a regular file or longer. Names it.
    """
    check_regular(path)
    try:
        with open(path, "rb") as file:
            content = file.read(-1 if most is None else most + 1)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:  # a name with a NUL character
        raise UserError(f"cannot read {str(path)!r}: {error}") from error
    if most is not None and len(content) > most:
        raise UserError(f"{path} is longer than the {most >> 20} MiB that such a file may have")
    return content


def read_text(path: str | os.PathLike[str]) -> str:
    """Read a text file in UTF-8, with or without a byte order mark.

    Raises
    ------
    UserError
        The file is missing, unreadable or not text. Names the file.
    """
    try:
        return read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no text in UTF-8") from error


@overload
def read_json(path: str | os.PathLike[str]) -> Any: ...


@overload
def read_json(path: str | os.PathLike[str], form: type[T], most: int = ...) -> T: ...


def read_json(path: str | os.PathLike[str], form: Any = Any, most: int = MOST_JSON) -> Any:
    """Read a JSON file.

    Parameters
    ----------
    path
        The file.
    form
        What it holds: a data class, or another type that `latentlab.schemas.checked` takes.
    most
        Bytes that it may have at most.

    Raises
    ------
    UserError
        The file is missing, unreadable, broken, or holds something else. Names the file.
    """
    data = parsed(read_bytes(path, most), str(path))
    try:
        return checked(data, form, str(path))
    except UserError as error:
        raise UserError(f"{error}; restore it or remove it") from error
