"""Sample tables on disk: Parquet shards, from which a run is resumed, and the manifest of their settings."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from latentlab.errors import UserError
from latentlab.places import Folder, is_address, place_of, write_json_in
from latentlab.precision import Settled
from latentlab.resuming import check_same
from latentlab.samples.parquet import check_types, read_open_table
from latentlab.samples.table import RESERVED, SampleTable, concatenate
from latentlab.schemas import Count, checked
from latentlab.scorers.threshold import AnyThreshold, parse_threshold
from stylegan2.describing import describe, printable

if TYPE_CHECKING:
    from stylegan2.protocol import NoiseMode

FORMAT_VERSION = 1
# Readers of Parquet folders (pyarrow, pandas, …) pass over names with a leading underscore.
MANIFEST = "_manifest.json"
_BEGUN = "_begun.parquet"
COLUMNS = ("seed", "psi", "w")
SEED_END = 2**32  # numpy's RandomState takes seeds below this
_BEFORE = "float32"  # precision of tables whose manifest does not say it


def check_distinct_seeds(seeds: Sequence[int]) -> None:
    """Refuse a seed that is given twice, whose image would be written twice under one name; UserError names it."""
    again = [seed for seed, times in Counter(seeds).items() if times > 1]
    if again:
        raise UserError(f"seed {again[0]} is given twice")


def check_psi(psi: float) -> float:
    """Return psi if it is above 0 and at most 2; UserError otherwise."""
    if not 0 < psi <= 2:
        raise UserError(f"psi must be above 0 and at most 2, not {psi:g}")
    return psi


@dataclass(frozen=True)
class SampleSettings:
    """All settings that a row depends on, and the threshold: two runs with equal settings draw equal tables.

    Attributes
    ----------
    generator, scorer
        Fingerprints of the networks.
    names
        Names of the scores.
    psi
        Truncation, above 0 and at most 2. (At 0 all seeds give the same image.)
    seed_start, samples
        The seeds are seed_start, …, seed_start + samples − 1, below 2**32.
    shard_size
        Rows per shard.
    resolution
        Resolution of the images that are scored, in pixels.
    noise_mode
        'const' or 'none'; with random noise a seed would not determine its image.
    threshold
        Threshold of the table's labels, one for all scores or one for each. Rows do not depend on it: the same folder
        serves any.
    class_label
        Class of a conditional generator; None for an unconditional one.
    precision
        Type that the images are rendered in: 'float32' or 'bfloat16'.
    """

    generator: str
    scorer: str
    names: tuple[str, ...]
    psi: float
    seed_start: int
    samples: int
    resolution: int
    shard_size: int = 64
    noise_mode: NoiseMode = "const"
    threshold: AnyThreshold | None = None
    class_label: int | None = None
    precision: Settled = "float32"

    def __post_init__(self) -> None:
        check_psi(self.psi)
        if self.samples < 1 or self.shard_size < 1:
            raise UserError(f"samples must be 1 or more, not {min(self.samples, self.shard_size)}")
        if self.seed_start < 0 or self.seed_start + self.samples > SEED_END:
            last = self.seed_start + self.samples - 1
            raise UserError(f"seeds must lie in 0 … {SEED_END - 1}, not {self.seed_start} … {last}")
        if self.noise_mode not in ("const", "none"):
            raise UserError(f"noise_mode must be 'const' or 'none' for samples, not {self.noise_mode!r}")
        taken = {*RESERVED, *map(_logit_column, self.names)}
        if not self.names:
            raise UserError("samples have one score at least")
        unfit = [name for name, times in Counter(self.names).items() if times > 1 or name in taken]
        if unfit:
            raise UserError(f"scores need distinct names other than {', '.join(RESERVED)}; got {describe(unfit[0])}")
        if self.precision not in ("float32", "bfloat16"):
            raise UserError(f"images are rendered in float32 or bfloat16, not {self.precision!r}")
        if self.threshold is not None:
            self.threshold.check(self.names)

    @property
    def shards(self) -> int:
        """Number of shards."""
        return -(-self.samples // self.shard_size)

    def seeds_of(self, shard: int) -> range:
        """Return the seeds of a shard, 0 … shards − 1."""
        first, end = self.seed_start + shard * self.shard_size, self.seed_start + self.samples
        return range(first, min(first + self.shard_size, end))


@dataclass(frozen=True)
class _Manifest:
    """`SampleSettings` as JSON holds them; those of earlier versions lack what has a default."""

    generator: str
    scorer: str
    names: tuple[str, ...]
    psi: float
    seed_start: Count
    samples: Count
    resolution: Annotated[int, msgspec.Meta(ge=1, le=1 << 15)]
    shard_size: Count
    noise_mode: Literal["const", "none"]
    threshold: float | str | None = None
    class_label: Count | None = None
    precision: Settled = "float32"

    def settings(self) -> SampleSettings:
        """Return the settings; UserError if they are out of range."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        threshold = None if self.threshold is None else parse_threshold(self.threshold)
        return SampleSettings(**{**values, "threshold": threshold})


def _row_settings(settings: SampleSettings) -> dict[str, Any]:
    """Settings that rows depend on, as the manifest has them."""
    values = {name: value for name, value in asdict(settings).items() if name != "threshold"}
    return {"format_version": FORMAT_VERSION, **values, "names": list(settings.names)}


def _check_settings(stored: Mapping[str, Any], settings: SampleSettings, folder: Folder) -> None:
    """Refuse a manifest of other rows."""
    check_same(folder, "samples", {"precision": _BEFORE, **stored}, _row_settings(settings))


def begun_precision(folder: Folder) -> Settled | None:
    """Precision of the table in a folder, with which a stopped run goes on; None where there is no table."""
    place = place_of(folder)
    return place.read_json(MANIFEST, _Manifest).precision if place.exists(MANIFEST) else None


class SampleStore:
    """A folder of Parquet shards with a manifest of their settings; `open` creates or finds one.

    The folder may be the address of a place in an object store, such as s3://bucket/samples, see `latentlab.places`.
    `pandas.read_parquet(folder)` reads it too: columns `seed` (int64), `psi` (float32), `w` (fixed-size
    list of float32, or an empty list where the generator has no W), a float32 column for each score, and a column
    `logit(NAME)` for each score whose scorer gives logits.
    """

    def __init__(self, folder: Folder, settings: SampleSettings) -> None:
        self.folder = folder if is_address(folder) else Path(folder)
        self.settings = settings
        self._place = place_of(folder)

    @classmethod
    def open(cls, folder: Folder, settings: SampleSettings) -> SampleStore:
        """Open the store in `folder`, or create it if there is none.

        Samples that were labelled at another threshold are accepted, and the new one is kept.

        Raises
        ------
        UserError
            If the folder holds samples of other settings (names the setting and both values) or other Parquet
            files, or cannot be written.
        """
        place = place_of(folder)
        threshold = None if settings.threshold is None else str(settings.threshold)
        wanted = {**_row_settings(settings), "threshold": threshold}
        if place.exists(MANIFEST):
            stored = place.read_json(MANIFEST, dict[str, Any])
            _check_settings(stored, settings, folder)
            if stored.get("threshold") != threshold:
                write_json_in(place, MANIFEST, wanted)
        elif any(name.endswith(".parquet") for name in place.names()):
            raise UserError(f"{folder} holds Parquet files but no {MANIFEST}; choose another folder")
        else:
            write_json_in(place, MANIFEST, wanted)
        return cls(folder, settings)

    @classmethod
    def load(cls, folder: Folder) -> SampleStore:
        """Load the store in `folder`, with the settings of its manifest.

        Raises
        ------
        UserError
            If there is none, or its manifest is broken or of a newer version.
        """
        place, manifest = place_of(folder), f"{folder}/{MANIFEST}"
        if not place.exists(MANIFEST):
            raise UserError(f"there are no samples in {folder}; `latentlab label --out {folder}` draws some")
        stored = place.read_json(MANIFEST, dict[str, Any])
        try:
            settings = checked(stored, _Manifest, manifest).settings()
        except UserError as error:
            raise UserError(f"{manifest} is not a manifest of samples: {error}") from error
        _check_settings(stored, settings, folder)
        return cls(folder, settings)

    @property
    def has_w(self) -> bool:
        """Whether rows have a w; those of a generator without W have none."""
        first = next(iter(self._shards()), None)
        try:
            with self._place.open(first) if first else nullcontext() as file:
                return file is None or pa.types.is_fixed_size_list(pq.read_schema(file).field("w").type)
        except (OSError, KeyError, UserError, pa.ArrowException):
            return True  # a broken shard; whoever reads the table says so

    def path(self, index: int) -> Path:
        """File of shard `index`."""
        return Path(self.folder) / _shard(index)

    def _shards(self) -> list[str]:
        """Names of the shards that are there."""
        return [name for name in self._place.names() if name.startswith("shard-") and name.endswith(".parquet")]

    def missing(self) -> dict[int, range]:
        """Shards that are missing, from index to seeds; broken ones count among them, with a warning."""
        there = set(self._shards())  # a store is asked once, and not for each
        lacking = (k for k in range(self.settings.shards) if _shard(k) not in there or self._read(k) is None)
        return {k: self.settings.seeds_of(k) for k in lacking}

    def write(self, index: int, table: SampleTable) -> None:
        """Write shard `index` atomically.

        Raises
        ------
        UserError
            If the disk is full or the folder may not be written to; other shards are untouched.
        ValueError
            If the rows are not those of the shard.
        """
        if table.names != self.settings.names or table.seeds.tolist() != list(self.settings.seeds_of(index)):
            raise ValueError(f"these rows are not those of shard {index}")
        self._write(_shard(index), table)

    def keep(self, rows: SampleTable) -> None:
        """Keep the first rows of a shard that is being drawn, atomically; they replace those kept before.

        Raises
        ------
        UserError
            If the disk is full or the folder may not be written to.
        """
        self._write(_BEGUN, rows)

    def begun(self, index: int) -> SampleTable | None:
        """Rows of shard `index` that `keep` kept; None if there are none. Broken ones count as none, with a warning."""
        table, seeds = self._load(_BEGUN), self.settings.seeds_of(index)
        return table if table is not None and table.seeds.tolist() == list(seeds[: len(table)]) else None

    def forget_begun(self) -> None:
        """Remove what `keep` has kept: all shards are there."""
        self._place.remove(_BEGUN)

    def table(self) -> SampleTable:
        """Read all rows, in the order of their seeds.

        Raises
        ------
        UserError
            If shards are missing.
        """
        count = self.settings.shards
        # A manifest may declare any number of them: those that are there are counted before one is looked for.
        lacking = max(count - len(self._shards()), 0)
        whole: list[SampleTable] = []
        if not lacking:
            whole = [part for part in map(self._read, range(count)) if part is not None]
            lacking = count - len(whole)
        if lacking:
            raise UserError(f"{self.folder} lacks {lacking} of its {count} shards; run it to the end first")
        if len({part.w.shape[1] for part in whole}) > 1:
            raise UserError(f"{self.folder} holds shards whose w differ in width: draw them anew in another folder")
        return concatenate(whole)

    def _read(self, index: int) -> SampleTable | None:
        table = self._load(_shard(index))
        if table is None or np.array_equal(table.seeds, self.settings.seeds_of(index)):
            return table
        self._warn(_shard(index), "it holds other seeds")
        return None

    def _load(self, name: str) -> SampleTable | None:
        if not self._place.exists(name):
            return None
        try:
            with self._place.open(name) as file:
                return _from_arrow(read_open_table(file), self.settings)
        except (UserError, ValueError) as error:
            self._warn(name, str(error))
        return None

    def _warn(self, name: str, reason: str) -> None:
        warnings.warn(f"{self.folder}/{name} is broken ({reason}); it counts as missing", stacklevel=4)

    def _write(self, name: str, table: SampleTable) -> None:
        self._place.write(name, lambda file: pq.write_table(_to_arrow(table), file, write_page_checksum=True))


def _shard(index: int) -> str:
    return f"shard-{index:05d}.parquet"


def _to_arrow(table: SampleTable) -> pa.Table:
    if table.w.shape[1]:
        w = pa.FixedSizeListArray.from_arrays(pa.array(table.w.ravel(), pa.float32()), table.w.shape[1])
    else:  # lists of a fixed size of 0 have no length
        w = pa.array([[]] * len(table), pa.list_(pa.float32()))
    columns = [pa.array(table.seeds, pa.int64()), pa.array(table.psi, pa.float32()), w]
    columns += [pa.array(column, pa.float32()) for column in (*table.scores.T, *table.known_logits.values())]
    return pa.table(columns, names=[*COLUMNS, *table.names, *map(_logit_column, table.known_logits)])


def _logit_column(name: str) -> str:
    """Name of the column with the logits of a score."""
    return f"logit({name})"


def _from_arrow(stored: pa.Table, settings: SampleSettings) -> SampleTable:
    present = set(stored.column_names)
    known = [name for name in settings.names if _logit_column(name) in present]
    if stored.column_names != [*COLUMNS, *settings.names, *map(_logit_column, known)]:
        raise ValueError(f"its columns are {printable(', '.join(stored.column_names))[:200]}")
    w = stored["w"].combine_chunks()
    scores = dict.fromkeys(stored.column_names[len(COLUMNS) :], pa.float32())
    # A generator without W leaves lists that are empty, and these have no fixed size.
    width = w.type.list_size if pa.types.is_fixed_size_list(w.type) else -1
    check_types(stored, {"seed": pa.int64(), "psi": pa.float32(), "w": pa.list_(pa.float32(), width), **scores})
    if width < 0 and len(w.flatten()):
        raise ValueError("its w are lists of no fixed size")
    table = SampleTable(
        seeds=stored["seed"].to_numpy(),
        psi=stored["psi"].to_numpy(),
        w=w.flatten().to_numpy().reshape(len(w), -1).copy(),  # Arrow's memory is read-only
        scores=np.stack([stored[name].to_numpy() for name in settings.names], axis=1),
        names=settings.names,
        generator=settings.generator,
        scorer=settings.scorer,
        threshold=settings.threshold,
        known_logits={name: stored[_logit_column(name)].to_numpy() for name in known},
    )
    if not np.isfinite(table.w).all() or (table.psi != np.float32(settings.psi)).any():
        raise ValueError(f"its w are not finite, or its psi is not {settings.psi:g}")
    return table
