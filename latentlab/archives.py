"""Zip archives of images, unpacked into a folder without anything else that they may hold."""

from __future__ import annotations

import os
import shutil
import stat
import zipfile
import zlib
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath

from latentlab.errors import UserError
from latentlab.files import SUFFIXES, check_regular, read_json, write_json
from stylegan2.describing import describe, printable
from stylegan2.errors import MALFORMED
from stylegan2.writing import temporary_beside

_DAMAGE: tuple[type[Exception], ...] = (zipfile.BadZipFile, zlib.error, EOFError, *MALFORMED)
_SOURCE = ".source.json"
# Room to leave on the disk.
_SPARE = 1 << 28
# How much larger than an archive its images may be: drawings without compression of their own.
_RATIO, _SLACK = 200, 1 << 27
# Names of devices on Windows, with any suffix.
_RESERVED = {"CON", "PRN", "AUX", "NUL", *(f"{device}{k}" for device in ("COM", "LPT") for k in range(1, 10))}


def is_archive(path: Path) -> bool:
    """Whether a path is a zip archive, by its name."""
    return path.suffix.lower() == ".zip" and not os.path.isdir(path)


def unpack(archive: Path, folder: Path, wanted: Collection[str] = SUFFIXES) -> Path:
    """Unpack the images of a zip archive, and the JSON files beside them; what was unpacked before is kept.

    Parameters
    ----------
    archive
        The archive.
    folder
        Folder to unpack into; it appears complete or not at all. What it holds from another archive is replaced.
    wanted
        Suffixes of the files that are unpacked, those of images by default; one has to be there.

    Returns
    -------
    Path
        The folder, or the single folder in it that holds all files.

    Raises
    ------
    UserError
        The archive is missing, broken or encrypted, holds no such file or a path that leads out of it, or does not
        fit on the disk. Names it.
    """
    check_regular(archive)
    try:
        with zipfile.ZipFile(archive) as opened:
            _check_paths(archive, opened.infolist())
            members = [member for member in opened.infolist() if _is_taken(member, {*wanted, ".json"})]
            check_members(members, archive.stat().st_size, _RATIO)
            source = _describe(archive, members, wanted)
            if not _holds(folder, source):
                _extract(opened, members, archive, folder, source)
    except UserError as error:
        if str(archive) in str(error):
            raise  # not from itself, a chain of causes without an end
        raise UserError(f"{archive}: {error}") from error
    except OSError as error:
        raise UserError(f"cannot unpack {archive} into {folder}: {error.strerror or error}") from error
    except _DAMAGE as error:
        raise UserError(f"{archive} is not a zip archive that can be read: {printable(str(error)[:200])}") from error
    return _innermost(folder)


@contextmanager
def unpacked_for_a_while(paths: Sequence[Path], out: Path, wanted: Collection[str] = SUFFIXES) -> Iterator[list[Path]]:
    """Yield paths with folders in place of the zip archives; the folders exist as long as the block lasts.

    Errors that the block raises name the archives in place of the folders.

    Parameters
    ----------
    paths
        Files and folders; what is not an archive stays as it is.
    out
        Folder of the results, in which the archives are unpacked. What a killed process left there is removed.
    wanted
        See `unpack`.

    Raises
    ------
    UserError
        An archive cannot be unpacked, see `unpack`.
    """
    if not any(map(is_archive, paths)):
        yield list(paths)
        return
    with ExitStack() as stack:
        try:
            out.mkdir(parents=True, exist_ok=True)
            folder = stack.enter_context(temporary_beside(out / "unpacked", folder=True))
        except OSError as error:
            raise UserError(f"cannot unpack into {out}: {error.strerror or error}") from error
        places = [folder / str(k) / path.stem for k, path in enumerate(paths)]
        given = [
            unpack(path, place, wanted) if is_archive(path) else path for path, place in zip(paths, places, strict=True)
        ]
        try:
            yield given
        except UserError as error:
            raise UserError(named_as_given(str(error), given, paths)) from error


def named_as_given(text: str, unpacked: Sequence[Path], paths: Sequence[Path]) -> str:
    """Return a text that names archives in place of the folders that they were unpacked into."""
    for folder, path in zip(unpacked, paths, strict=True):
        if folder != path:
            text = text.replace(str(folder), str(path))
    return text


def check_members(members: Sequence[zipfile.ZipInfo], size: int, ratio: int) -> None:
    """Refuse members of an archive that must not be unpacked, before anything is unpacked.

    Parameters
    ----------
    members
        The members.
    size
        Size of the archive in bytes.
    ratio
        How many times that size the members may have in all; 128 MiB more are always allowed.

    Raises
    ------
    UserError
        A member is encrypted, a link, or compressed in a way that images and arrays are not; two have the same
        name; or they unpack to more. Names the member.
    """
    names = Counter(member.filename for member in members)
    for member in members:
        name, kind = describe(member.filename), stat.S_IFMT(member.external_attr >> 16)
        if names[member.filename] > 1:
            raise UserError(f"it holds {name} twice")
        if member.flag_bits & 1:
            raise UserError(f"{name} in it is encrypted; unpack it by hand, and give the folder")
        if kind not in (0, stat.S_IFREG) or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise UserError(f"{name} in it is no plain file, or compressed in a way other than deflate")
    total = sum(member.file_size for member in members)
    if total > ratio * size + _SLACK:
        raise UserError(f"its {size >> 10} KiB unpack to {total >> 20} MiB, as no images or arrays do")


def _is_taken(member: zipfile.ZipInfo, suffixes: Collection[str]) -> bool:
    path = PurePosixPath(member.filename)
    hidden = any(part.startswith((".", "__MACOSX")) for part in path.parts)
    return not member.is_dir() and not hidden and path.suffix.lower() in suffixes


def _check_paths(archive: Path, members: list[zipfile.ZipInfo]) -> None:
    for member in members:
        path = PurePosixPath(member.filename)
        if path.is_absolute() or ".." in path.parts or set(member.filename) & set("\\:"):
            raise UserError(f"{archive} holds a path that leads out of it, {describe(member.filename)}: refused")
        if any(part.partition(".")[0].rstrip().upper() in _RESERVED or len(part.encode()) > 255 for part in path.parts):
            raise UserError(f"{archive} holds {describe(member.filename)}, a name that some systems do not allow")
        if not member.filename.isprintable():
            raise UserError(f"{archive} holds {describe(member.filename)}, a name with control characters: refused")


def _describe(archive: Path, members: list[zipfile.ZipInfo], wanted: Collection[str]) -> dict[str, object]:
    known: dict[str, str] = {}  # by names that some file systems cannot tell apart
    for name in {member.filename for member in members}:
        if known.setdefault(name.casefold(), name) != name:
            raise UserError(f"{archive} holds {describe(name)} and {describe(known[name.casefold()])}: rename one")
    if not any(PurePosixPath(member.filename).suffix.lower() in wanted for member in members):
        raise UserError(f"there is no image in {archive}; it takes files ending in {', '.join(sorted(wanted))}")
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
        _put(part, folder, source)


def _put(part: Path, folder: Path, source: dict[str, object]) -> None:
    """Move what was unpacked to its place, unless another process of the same training was quicker and reads there."""
    if not _holds(folder, source):
        shutil.rmtree(folder, ignore_errors=True)
        try:
            part.rename(folder)
        except OSError:
            if not _holds(folder, source):
                raise


def _innermost(folder: Path) -> Path:
    """The folder below which all files lie, without those of the way to it."""
    while len(inner := [path for path in folder.iterdir() if path.name != _SOURCE]) == 1 and inner[0].is_dir():
        folder = inner[0]
    return folder
