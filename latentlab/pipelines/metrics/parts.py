"""Arrays that are kept in parts while they are made, so that stopped work resumes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from latentlab.arrays import BARE, read_arrays
from latentlab.errors import UserError
from latentlab.files import atomic_path, read_json, write_json
from latentlab.pipelines.begun import BegunRows
from latentlab.progress import Step
from latentlab.resuming import check_same

PART = 32
"""Rows of a part."""
_MANIFEST, _BEGUN = "_manifest.json", "_begun.npz"
_FORMAT = 1

Array = NDArray[np.float64]
Probe = Callable[[Tensor], Array]
"""Images `(b, c, h, w)` to rows `(b, d)` that are kept of them."""


class PartStore:
    """A folder of arrays in parts, with a manifest of what all of them depend on.

    Parameters
    ----------
    folder
        The folder, which is created.
    depends_on
        What the arrays depend on, as JSON holds it.

    Raises
    ------
    UserError
        If the folder holds arrays that depend on something else, or cannot be written.
    """

    def __init__(self, folder: Path, depends_on: Mapping[str, Any]) -> None:
        self.folder = folder
        wanted = {"format_version": _FORMAT, **depends_on}
        if (folder / _MANIFEST).exists():
            check_same(folder, "metrics", read_json(folder / _MANIFEST, dict[str, Any]), wanted)
        else:
            write_json(folder / _MANIFEST, wanted)

    def collect(
        self,
        rows: range,
        kinds: Sequence[str],
        make: Callable[[range, Sequence[str]], Iterable[Mapping[str, Array]]],
        step: Step,
    ) -> dict[str, Array]:
        """Return arrays of all rows, making the parts that are not there yet.

        Parameters
        ----------
        rows
            Numbers of the rows, such as seeds.
        kinds
            Names of the arrays.
        make
            Makes arrays `(n, d)` of some rows, batch after batch, see `latentlab.pipelines.begun`: of those kinds
            that are missing.
        step
            Progress.

        Raises
        ------
        UserError
            If a part cannot be written; those before it stay.
        """
        found: dict[str, list[Array]] = {kind: [] for kind in kinds}
        begun = BegunRows(self.folder / _BEGUN)
        for first in range(rows.start, rows.stop, PART):
            part = range(first, min(first + PART, rows.stop))
            step(first - rows.start, len(rows))
            own = {kind: self._read(kind, part) for kind in kinds}
            missing = [kind for kind, array in own.items() if array is None]
            if missing:
                made = begun.finish(part, missing, make)
                for kind in missing:
                    own[kind] = made[kind]
                    self._write(kind, part, made[kind])
            for kind, array in own.items():
                assert array is not None
                found[kind].append(array)
        begun.forget()
        step(len(rows), len(rows))
        return {kind: np.concatenate(parts) for kind, parts in found.items()}

    def _path(self, kind: str, part: range) -> Path:
        return self.folder / kind / f"{part.start}-{part.stop - 1}.npy"

    def _read(self, kind: str, part: range) -> Array | None:
        """Read a part; None where it is missing or broken, and is to be made again."""
        try:
            array = read_arrays(self._path(kind, part)).get(BARE, np.empty(0))
        except UserError:
            return None
        sound = array.ndim == 2 and array.dtype == np.float64 and np.isfinite(array).all()
        return array if sound and len(array) == len(part) else None

    def _write(self, kind: str, part: range, array: Array) -> None:
        with atomic_path(self._path(kind, part)) as temporary:
            np.save(temporary, array)


def digest(*words: object) -> str:
    """Return twelve digits that stand for some words, for the name of what depends on them."""
    return hashlib.sha256("\0".join(map(str, words)).encode("utf-8", "surrogateescape")).hexdigest()[:12]


def digest_of_files(paths: Sequence[Path]) -> str:
    """Return twelve digits that change with the names, sizes and times of files."""
    stats = [path.stat() for path in paths]
    return digest(*(f"{path.name} {s.st_size} {s.st_mtime_ns}" for path, s in zip(paths, stats, strict=True)))


def probe_images(images: Tensor, probes: Mapping[str, Probe], kinds: Sequence[str]) -> dict[str, Array]:
    """Apply some of the probes to images; UserError where one gives values that are not finite."""
    found = {kind: probes[kind](images) for kind in kinds}
    for kind, rows in found.items():
        if not np.isfinite(rows).all():
            raise UserError(f"{kind} gave values that are not finite (NaN or infinite)")
    return found
