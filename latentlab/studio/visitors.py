"""Folders of visitors: a visitor is known by a token that nobody guesses, and files have only plain names."""

from __future__ import annotations

import filecmp
import itertools
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from latentlab.errors import UserError
from latentlab.files import atomic_path
from latentlab.images import opened
from stylegan2.describing import printable

_TOKEN = re.compile(r"[0-9a-f]{32}")
_PHOTOS = "photos"
_LONGEST = 60  # characters of a name
MOST_BYTES = 50_000_000
"""Largest size of an uploaded file, translators apart."""
MOST_TRANSLATOR_BYTES = 350_000_000
"""Largest size of an uploaded translator: pix2pix's default network for 256 pixels has 218 MB, for 1024 pixels 318."""


def new_token() -> str:
    """A token for a new visitor."""
    return secrets.token_hex(16)


def is_token(value: object) -> bool:
    """Whether a browser gave a token, and not something else that would name a folder."""
    return isinstance(value, str) and _TOKEN.fullmatch(value) is not None


class Visitors:
    """The folder in which the studio keeps what visitors made, a folder each.

    Attributes
    ----------
    folder
        The folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def folder_of(self, token: str) -> Path:
        """The folder of a visitor, made on first use.

        Raises
        ------
        UserError
            If it is not a token.
        """
        if not is_token(token):
            raise UserError("this page has lost its place: load it anew")
        found = self.folder / token
        found.mkdir(parents=True, exist_ok=True)
        return found

    def name_of(self, path: Path) -> str:
        """What a path in the folder is called on the page: from the folder's own name on, for the rest is private."""
        return str(path.relative_to(self.folder.parent))

    @contextmanager
    def new_folder(self, token: str, kind: str) -> Iterator[Path]:
        """An empty folder of a visitor, named after a kind of work and a number; removed if nothing is put into it.

        Enter it where the work is done, and not before: work that waits and is cancelled then leaves nothing.
        """
        parent, number = self.folder_of(token), 1
        while True:
            found = parent / f"{kind}-{number}"
            try:
                found.mkdir()
            except FileExistsError:
                number += 1
            else:
                break
        try:
            yield found
        finally:
            with suppress(OSError):  # it holds something
                found.rmdir()

    def results_of(self, token: str, kind: str) -> list[str]:
        """Names of a visitor's folders of a kind that hold results, the latest first."""
        folder = self.folder / token if is_token(token) else None
        if folder is None or not folder.is_dir():
            return []
        names = (re.fullmatch(rf"{kind}-(\d+)", path.name) for path in folder.iterdir() if _files(path))
        return [f"{kind}-{number}" for number in sorted((int(name[1]) for name in names if name), reverse=True)]

    def result(self, token: str, kind: str, name: str) -> list[Path]:
        """Files of one of a visitor's result folders, by its name; UserError if there is none."""
        if name not in self.results_of(token, kind):
            raise UserError("this result is not there any more; make it again")
        return _files(self.folder_of(token) / name)

    def take_photo(self, token: str, upload: str | Path) -> Path:
        """Keep an uploaded photo, and return its file.

        Raises
        ------
        UserError
            If it is too large, or not an image that is read here; the message names the upload, not its place.
        """
        upload = Path(upload)
        check_upload(upload)
        folder = self.folder_of(token) / _PHOTOS
        folder.mkdir(exist_ok=True)
        kept = _place_for(upload, folder)
        with atomic_path(kept) as temporary:
            shutil.copyfile(upload, temporary)
        return kept

    def photos_of(self, token: str) -> list[str]:
        """Names of the photos that a visitor has loaded."""
        folder = self.folder / token / _PHOTOS if is_token(token) else None
        return [] if folder is None or not folder.is_dir() else sorted(path.name for path in folder.iterdir())

    def photo(self, token: str, name: str) -> Path:
        """A visitor's photo by its name; UserError if there is none."""
        if name not in self.photos_of(token):
            raise UserError("this photo is not there any more; load it again")
        return self.folder_of(token) / _PHOTOS / name


def _files(folder: Path) -> list[Path]:
    """Files that lie in a folder itself, by name; those that are being written have names with a dot before them."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))


def check_upload(upload: Path) -> None:
    """Refuse an uploaded file that is too large, or not an image read here; UserError names it, not its place."""
    check_size(upload)
    try:
        with opened(upload) as image:
            image.load()
    except UserError as error:
        raise UserError(str(error).replace(str(upload), upload.name)) from error


def check_size(upload: Path, most: int = MOST_BYTES) -> None:
    """Refuse an uploaded file of more than `most` bytes; UserError."""
    size = upload.stat().st_size
    if size > most:
        raise UserError(f"{upload.name} has {size / 1e6:.0f} MB; {most / 1e6:.0f} MB are the most")


def plain_name(name: str) -> str:
    """A file's name made of letters, digits, underscores, dots and dashes only, which leads nowhere else."""
    stem, dot, suffix = Path(printable(name)).name.rpartition(".")
    stem, suffix = (re.sub(r"[^\w-]+", "-", part, flags=re.ASCII).strip("-") for part in (stem or suffix, suffix))
    return f"{stem[:_LONGEST] or 'file'}{f'.{suffix[:10].lower()}' if dot and suffix else ''}"


def _place_for(upload: Path, folder: Path) -> Path:
    """Where an upload is kept: its name with a number, where another file has that name already."""
    name = Path(plain_name(upload.name))
    numbered = (name if k == 1 else name.with_stem(f"{name.stem}-photo{k}") for k in itertools.count(1))
    places = (folder / one for one in numbered)
    return next(one for one in places if not one.exists() or filecmp.cmp(one, upload, shallow=False))


def free_stem(folder: Path, path: Path) -> str:
    """A plain name for a result of a file, which no image in a folder has yet."""
    stem = plain_name(path.name).partition(".")[0]
    numbers = (stem if number == 1 else f"{stem}-{number}" for number in itertools.count(1))
    return next(name for name in numbers if not (folder / f"{name}.png").exists())
