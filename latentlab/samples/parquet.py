"""Tables in Parquet files, whose types and sizes are looked at before any row is read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from latentlab.errors import UserError
from latentlab.files import check_regular
from stylegan2.describing import printable
from stylegan2.errors import MALFORMED

# Numbers of eight bytes that a file may hold: of repeated ones it keeps a few bytes, of scores and latents all of them.
_RATIO, _SLACK = 10, 1 << 26


_DAMAGE: tuple[type[Exception], ...] = (OSError, pa.ArrowException, *MALFORMED)


def read_table(path: Path) -> pa.Table:
    """Read all columns of a file, checking the sums of its pages where there are any.

    Raises
    ------
    UserError
        It is missing, no regular file, broken, declares more numbers than it can hold, or lacks values (null).
    """
    check_regular(path)
    try:
        with path.open("rb") as file:  # pyarrow itself takes no path that is not UTF-8
            stored = pq.ParquetFile(file, page_checksum_verification=True)
            _check_sizes(stored.metadata, path.stat().st_size)
            table = stored.read()
            table.validate(full=True)
    except _DAMAGE as error:
        lines = printable(getattr(error, "strerror", None) or str(error).partition("\n")[0])
        raise UserError(lines or type(error).__name__) from error
    if len(set(table.column_names)) < table.num_columns:
        raise UserError("two of its columns have one name")
    for name in table.column_names:
        if table[name].null_count:
            raise UserError(f"its column {printable(name)} lacks values")
    return table


def _check_sizes(metadata: pq.FileMetaData, size: int) -> None:
    groups = [metadata.row_group(k) for k in range(metadata.num_row_groups)]
    chunks = [group.column(k) for group in groups for k in range(group.num_columns)]
    if sum(group.num_rows for group in groups) != metadata.num_rows:
        raise UserError("its groups of rows have not the rows that it declares")
    numbers = sum(chunk.num_values for chunk in chunks)
    if 8 * max(numbers, metadata.num_rows) > _RATIO * size + _SLACK:
        raise UserError(f"it declares {numbers} numbers in {size} bytes")
    if any(chunk.total_uncompressed_size > 16 * chunk.num_values + (1 << 16) for chunk in chunks):
        raise UserError("a column is larger than its numbers are")


def check_types(table: pa.Table, wanted: Mapping[str, pa.DataType]) -> None:
    """Refuse a table whose columns, by name, are of other types; UserError names one."""
    for name, kind in wanted.items():
        found = table.schema.field(name).type if name in table.column_names else None
        if found != kind:
            told = "is missing" if found is None else f"is of type {printable(str(found))}, not {kind}"
            raise UserError(f"its column {printable(name)} {told}")
