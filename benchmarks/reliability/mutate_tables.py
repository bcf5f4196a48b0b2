"""Damage to Parquet and HDF5 files: other columns, types and shapes, links to elsewhere, sizes that lie."""

from __future__ import annotations

import io
import json
from random import Random
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from bombs import parquet_of_many, parquet_of_names
from mutate import WORDS, damaged, damaged_value, to_json

# From the folder of an input: who opens it waits for ever, and so is found out even where no hook of Python sees it.
FIFO = "../fifo"


def _column(rng: Random, n: int) -> Any:
    """A column of n rows that no table of samples has."""
    return rng.choice(
        (
            lambda: pa.array([None] * n),
            lambda: pa.array([float("nan")] * n, pa.float32()),
            lambda: pa.array(["x"] * n),
            lambda: pa.array([b"\xff"] * n),
            lambda: pa.array([[1.0]] * n),
            lambda: pa.array([[]] * n, pa.list_(pa.float32())),
            lambda: pa.array([{"a": 1}] * n),
            lambda: pa.array([True] * n),
            lambda: pa.array([2**63 - 1] * n),
            lambda: pa.array(np.arange(n)),
            lambda: pa.array([1.5] * n, pa.float16()),
            lambda: pa.array([0] * n, pa.timestamp("s")),
            lambda: pa.array(["a"] * n).dictionary_encode(),
            lambda: pa.array([None, *[1.0] * (n - 1)], pa.float32()),
            lambda: pa.array([[1.0] * k for k in range(n)]),
            lambda: pa.array([-1] * n),
            lambda: pa.array([float("inf")] * n, pa.float32()),
            lambda: pa.array([[1.0, 2.0]] * n, pa.list_(pa.float32(), 2)),
            lambda: pa.array([[None, 1.0]] * n, pa.list_(pa.float32(), 2)),
        )
    )()


def damaged_parquet(rng: Random, data: bytes, other: bytes = b"") -> bytes:
    """Damage a Parquet file: its bytes, its columns or their values."""
    if rng.random() < 0.01:
        return rng.choice((parquet_of_many, parquet_of_names))(data)
    if rng.random() < 0.35:
        return damaged(rng, data, other)
    table = pq.read_table(io.BytesIO(data))
    way, at, n = rng.randrange(9), rng.randrange(table.num_columns), table.num_rows
    name = table.column_names[at]
    if way <= 3:
        table = table.set_column(at, name, _column(rng, n))
    elif way == 4:
        table = table.drop_columns([name])
    elif way == 5:
        table = table.rename_columns([rng.choice((*WORDS[:3], *WORDS[4:7], name, "seed")) if k == at else one
                                      for k, one in enumerate(table.column_names)])  # fmt: skip
    elif way == 6:
        table = table.slice(0, rng.choice((0, 1, n - 1)))
    elif way == 7:
        table = table.append_column(rng.choice(("seed", "x", "w", "\x1b[31m")), _column(rng, n))
    else:
        values = {
            key.encode(): rng.choice(WORDS).encode("utf-8", "replace")
            for key in ("threshold", "latentlab.threshold", "x")
        }
        table = table.replace_schema_metadata({**(table.schema.metadata or {}), **values})
    file = io.BytesIO()
    compression = rng.choice(("none", "snappy", "gzip", "zstd", "brotli"))
    pq.write_table(
        table,
        file,
        compression=compression,
        write_page_checksum=rng.random() < 0.5,
        row_group_size=rng.choice((None, 1, 2)),
    )
    return file.getvalue()


def _replace_array(rng: Random, file: h5py.File, name: str) -> None:
    shape = file[name].shape
    del file[name]
    way = rng.randrange(12)
    if way == 0:
        file[name] = np.full(shape, rng.choice((np.nan, np.inf, 1e300)))
    elif way == 1:
        file[name] = np.zeros(rng.choice(((), (1,), (0,), (*shape, 1), shape[::-1])), np.float32)
    elif way == 2:  # of this shape, or far beyond all memory, with no byte of it in the file
        huge = rng.choice((shape, (2**40,), (2**20, 2**20)))
        file.create_dataset(name, huge, "<f4", chunks=tuple(min(n, 64) for n in huge), fillvalue=1.0)
    elif way == 3:
        file[name] = np.full(shape, "x", h5py.string_dtype())
    elif way == 4:
        file[name] = h5py.SoftLink(rng.choice((f"/{name}", "/", "/none", "/model_weights")))
    elif way == 5:
        file[name] = h5py.ExternalLink(
            rng.choice(("/dev/stdin", FIFO, "input.hdf5", "/dev/zero", "../x.hdf5")), "/" + name
        )
    elif way == 6:
        file.create_dataset(
            name,
            shape,
            "<f4",
            external=[(rng.choice((FIFO, "/dev/zero", "input.hdf5")), 0, h5py.h5f.UNLIMITED)],
        )
    elif way == 7:
        file.create_group(name)
    elif way == 8:
        file.create_dataset(name, shape, np.dtype([("a", "<f4"), ("b", "<i8")]))
    elif way == 9:
        file.create_dataset(name, data=np.zeros(shape, rng.choice(("<i1", "<c8", "<f2", ">f8", "<u8"))))
    elif way == 10:
        file.create_dataset(name, shape, h5py.special_dtype(ref=h5py.Reference))
    # Else it is missing.


def damaged_hdf5(rng: Random, data: bytes, other: bytes = b"") -> bytes:
    """Damage an HDF5 file: its bytes, an array, or the JSON in its attributes."""
    if rng.random() < 0.3:
        return damaged(rng, data, other)
    buffer = io.BytesIO(data)
    with h5py.File(buffer, "r+") as file:
        names: list[str] = []
        file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        if rng.random() < 0.6:
            _replace_array(rng, file, rng.choice(names))
        else:
            config = to_json(rng, damaged_value(rng, json.loads(file.attrs["model_config"])))
            value = config.decode("utf-8", "replace").replace("\0", "")[:60_000]
            del file.attrs["model_config"]
            wrong: tuple[Any, ...] = (np.void(config[:99] or b"x"), 7, np.zeros(3), [b"x", b"y"], "")
            file.attrs["model_config"] = value if rng.random() < 0.8 else rng.choice(wrong)
    return buffer.getvalue()
