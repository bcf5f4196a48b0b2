"""CSV files from elsewhere, and file names in them; errors name the line."""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path

from latentlab.errors import UserError
from latentlab.files import check_regular, read_text
from stylegan2.describing import describe

# Bytes, each of which takes twenty in memory; the 40 labels of the 202,599 images of CelebA take 26 MiB.
_MOST = 1 << 25

Row = tuple[int, list[str]]
"""The number of a row's last line, and its cells."""


def read_rows(path: str | os.PathLike[str]) -> list[Row]:
    """Read the rows of a CSV file in UTF-8, with or without a byte order mark; empty ones are left out.

    Raises
    ------
    UserError
        The file cannot be read or has more than 32 MiB, or a line is not CSV. Names the file and the line.
    """
    text = read_text(path)
    if len(text) > _MOST:
        raise UserError(f"{path} has {len(text) >> 20} MiB, and CSV files of up to {_MOST >> 20} are read: split it")
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise UserError(f"{path}, line {line}: a NUL character; save it as CSV in UTF-8")
    return list(_rows(path, text))


def _rows(path: str | os.PathLike[str], text: str) -> Iterator[Row]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for row in reader:
            if row:
                yield reader.line_num, row
    except csv.Error as error:
        raise UserError(f"{path}, line {reader.line_num}: {error}") from error


def read_records(path: str | os.PathLike[str], columns: Collection[str] = ()) -> list[tuple[int, dict[str, str]]]:
    """Read the rows of a CSV file by the names of its columns, which its first row gives.

    Parameters
    ----------
    path
        The file.
    columns
        Columns that it must have.

    Returns
    -------
    list
        The number of each row's line, and its cells by column, in the order of the file.

    Raises
    ------
    UserError
        As `read_rows` says; or a column is missing or occurs twice, or a row has more or fewer cells.
    """
    rows = read_rows(path)
    names = rows[0][1] if rows else []
    if missing := [name for name in columns if name not in names]:
        raise UserError(f"{path} needs the columns {' and '.join(missing)} in its first line")
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise UserError(f"{path} has two columns {describe(twice[0])}")
    for line, cells in rows[1:]:
        if len(cells) != len(names):
            raise UserError(f"{path}, line {line}: {len(cells)} cells, and the first line has {len(names)}")
    return [(line, dict(zip(names, cells, strict=True))) for line, cells in rows[1:]]


def _is_inside(folder: Path, name: str) -> bool:
    if not name or Path(name).is_absolute() or ".." in Path(name).parts:
        return False
    try:
        return Path(os.path.realpath(folder / name)).is_relative_to(os.path.realpath(folder))
    except (OSError, ValueError):  # no file can have that name
        return False


def path_in(folder: Path, name: str, where: str) -> Path:
    """Return the path of a file in a folder or its subfolders, by a name that somebody else's file gives.

    Raises
    ------
    UserError
        It leads out of the folder, also through a link, or is not a regular file. `where` says which file gives it.
    """
    path = folder / name
    if not _is_inside(folder, name):
        raise UserError(f"{where}: {describe(name)} is no file in the folder {folder}")
    try:
        check_regular(path)
    except UserError as error:
        raise UserError(f"{where}: {error}") from error
    return path
