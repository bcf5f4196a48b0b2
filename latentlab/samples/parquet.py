"""Tables in Parquet files, read piece by piece, so that a small file cannot fill the memory."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from latentlab.errors import UserError
from latentlab.files import check_regular
from stylegan2.describing import describe, printable
from stylegan2.errors import MALFORMED

# Bytes that a table may take for each byte of its file, and in addition: a file keeps repeated numbers in a few bytes.
_RATIO, _SLACK = 10, 1 << 26
_ROWS = 4096  # read at a time

_DAMAGE: tuple[type[Exception], ...] = (OSError, pa.ArrowException, *MALFORMED)


def read_table(path: Path) -> pa.Table:
    """Read all columns of a file, checking the sums of its pages where there are any.

    Raises
    ------
    UserError
        It is missing, not a regular file, broken, holds far more rows than its size suggests, or lacks values (null).
    """
    check_regular(path)
    try:
        with path.open("rb") as file:  # pyarrow itself takes no path that is not UTF-8
            return read_open_table(file)
    except OSError as error:
        raise UserError(printable(error.strerror or str(error))) from error


def read_open_table(file: BinaryIO) -> pa.Table:
    """Read all columns of an open file; see `read_table`."""
    try:
        size = file.seek(0, os.SEEK_END)
        stored = pq.ParquetFile(file, page_checksum_verification=True)
        table = _read(stored, _RATIO * size + _SLACK)
        table.validate(full=True)
    except _DAMAGE as error:
        lines = printable(getattr(error, "strerror", None) or str(error).partition("\n")[0])
        raise UserError(lines or type(error).__name__) from error
    if len(set(table.column_names)) < table.num_columns:
        raise UserError("two of its columns have one name")
    for name in table.column_names:
        if table[name].null_count:
            raise UserError(f"its column {describe(name)} lacks values")
    return table


def _read(stored: pq.ParquetFile, limit: int) -> pa.Table:
    # What the file declares about its columns is not asked for: Arrow ends the process where that is damaged.
    batches, size = [], 0
    # Arrow's threads do not survive in a fork of a process that has used them: a read in one could wait for ever.
    for batch in stored.iter_batches(_ROWS, use_threads=False):
        batches.append(batch)
        size += batch.nbytes
        if size > limit:
            raise UserError("its rows take far more memory than it has bytes")
    table = pa.Table.from_batches(batches, stored.schema_arrow)
    if len(table) != stored.metadata.num_rows:
        raise UserError(f"it has {len(table)} rows, and declares {stored.metadata.num_rows}")
    return table


def check_types(table: pa.Table, wanted: Mapping[str, pa.DataType]) -> None:
    """Refuse a table whose columns, by name, are of other types; UserError names one."""
    types = {field.name: field.type for field in table.schema}
    for name, kind in wanted.items():
        found = types.get(name)
        if found != kind:
            told = "is missing" if found is None else f"is of type {printable(str(found))}, not {kind}"
            raise UserError(f"its column {describe(name)} {told}")
