"""Rows of a part that is being made, saved from time to time, so that a stop costs seconds and not the whole part."""

from __future__ import annotations

import time
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentlab.files import atomic_path, remove

KEEP_SECONDS = 15.0
"""Seconds after which the rows made so far are saved: what a stop can cost, besides the last batch."""

Arrays = Mapping[str, NDArray[Any]]
"""Arrays by name, all with the same number of rows."""

_FIRST = "first"  # the number of the first row, beside the arrays


class BegunRows:
    """The one file of the part that is being made.

    Parameters
    ----------
    path
        The file. The caller has made sure that its folder belongs to the same work.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def finish(
        self, part: range, kinds: Sequence[str], make: Callable[[range, Sequence[str]], Iterable[Arrays]]
    ) -> dict[str, NDArray[Any]]:
        """Return the arrays of a part's rows, going on from what a stopped run has made of them.

        Parameters
        ----------
        part
            Numbers of the rows.
        kinds
            Names of the arrays.
        make
            Yields arrays of some rows and of these kinds, in batches, all but the last of one size.
            So the rows are bit for bit those of a run that was not stopped.

        Raises
        ------
        UserError
            If the file cannot be written.
        """
        begun, saved = self._read(part, kinds), time.monotonic()
        batches: list[Arrays] = [] if begun is None else [begun]
        done = 0 if begun is None else len(begun[kinds[0]])
        for batch in make(part[done:], kinds) if done < len(part) else ():
            batches.append(batch)
            done += len(batch[kinds[0]])
            if done < len(part) and time.monotonic() - saved > KEEP_SECONDS:
                batches = [_joined(batches, kinds)]
                self._write(part, batches[0])
                saved = time.monotonic()
        return _joined(batches, kinds)

    def forget(self) -> None:
        """Remove the file: all parts are done."""
        remove(self.path)

    def _write(self, part: range, arrays: Arrays) -> None:
        with atomic_path(self.path) as temporary, temporary.open("wb") as file:
            np.savez(file, allow_pickle=False, **{_FIRST: np.array(part.start), **arrays})

    def _read(self, part: range, kinds: Sequence[str]) -> dict[str, NDArray[Any]] | None:
        """Read the first rows of a part; None where the file is missing, broken or of another part."""
        try:
            with np.load(self.path, allow_pickle=False) as stored:
                if set(stored) != {_FIRST, *kinds} or int(stored[_FIRST]) != part.start:
                    return None
                found = {kind: stored[kind] for kind in kinds}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):
            return None
        lengths = {len(rows) for rows in found.values()}
        return found if len(lengths) == 1 and 0 < max(lengths) <= len(part) else None


def _joined(batches: Sequence[Arrays], kinds: Sequence[str]) -> dict[str, NDArray[Any]]:
    return {kind: np.concatenate([batch[kind] for batch in batches]) for kind in kinds}
