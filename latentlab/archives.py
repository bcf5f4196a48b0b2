"""Zip archives of images: unpacked into a folder, and nothing else of what they may hold."""

from __future__ import annotations

import shutil
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from latentlab.errors import UserError
from latentlab.files import SUFFIXES, read_json, write_json
from stylegan2.writing import temporary_beside

_TAKEN = SUFFIXES | {".json"}
_SOURCE = ".source.json"
# Room that is left on the disk.
_SPARE = 1 << 28


def is_archive(path: Path) -> bool:
    """Whether a path is a file of a zip archive, by its name."""
    return path.suffix.lower() == ".zip" and not path.is_dir()


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack the images of a zip archive, and the JSON files beside them; what was unpacked before is kept.

    Parameters
    ----------
    archive
        The archive.
    folder
        Folder to unpack into; it appears complete or not at all. What it holds of another archive is replaced.

    Returns
    -------
    Path
        The folder, or the one folder in it in which all files lie.

    Raises
    ------
    UserError
        The archive is missing, broken or encrypted, holds no image or a path that leads out of it, or does not fit on
        the disk. Names it.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            _check_paths(archive, opened.infolist())
            members = [member for member in opened.infolist() if _is_taken(member)]
            source = _describe(archive, members)
            if not _holds(folder, source):
                _extract(opened, members, archive, folder, source)
    except OSError as error:
        raise UserError(f"cannot unpack {archive} into {folder}: {error.strerror or error}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise UserError(f"{archive} is not a zip archive that can be read: {error}") from error
    except RuntimeError as error:  # encrypted
        raise UserError(f"cannot unpack {archive}: {error}; unpack it by hand, and give the folder") from error
    return _innermost(folder)


def _is_taken(member: zipfile.ZipInfo) -> bool:
    path = PurePosixPath(member.filename)
    hidden = any(part.startswith((".", "__MACOSX")) for part in path.parts)
    return not member.is_dir() and not hidden and path.suffix.lower() in _TAKEN


def _check_paths(archive: Path, members: list[zipfile.ZipInfo]) -> None:
    for member in members:
        path = PurePosixPath(member.filename)
        if path.is_absolute() or ".." in path.parts or "\\" in member.filename or ":" in member.filename:
            raise UserError(f"{archive} holds a path that leads out of it, {member.filename!r}: refused")


def _describe(archive: Path, members: list[zipfile.ZipInfo]) -> dict[str, object]:
    if not any(PurePosixPath(member.filename).suffix.lower() in SUFFIXES for member in members):
        raise UserError(f"there is no image in {archive}")
    return {"archive": archive.name, "files": {member.filename: member.CRC for member in members}}


def _holds(folder: Path, source: dict[str, object]) -> bool:
    return (folder / _SOURCE).exists() and read_json(folder / _SOURCE) == source


def _extract(
    opened: zipfile.ZipFile, members: list[zipfile.ZipInfo], archive: Path, folder: Path, source: dict[str, object]
) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    needed, free = sum(member.file_size for member in members), shutil.disk_usage(folder.parent).free
    if needed + _SPARE > free:
        raise UserError(
            f"{archive} unpacks to {needed >> 20} MiB, and {folder.parent} has {free >> 20} MiB left: free some space"
        )
    with temporary_beside(folder, folder=True) as part:
        for member in members:
            path = part / member.filename
            path.parent.mkdir(parents=True, exist_ok=True)
            with opened.open(member) as content, open(path, "wb") as file:
                shutil.copyfileobj(content, file)
        write_json(part / _SOURCE, source)
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)


def _innermost(folder: Path) -> Path:
    """The folder below which all files lie, without those of the way to it."""
    while len(inner := [path for path in folder.iterdir() if path.name != _SOURCE]) == 1 and inner[0].is_dir():
        folder = inner[0]
    return folder
