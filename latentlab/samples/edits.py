"""Tables of edits: scores of faces at a series of strengths, on disk as Parquet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from latentlab.errors import UserError
from latentlab.files import atomic_path
from latentlab.reprs import ShortRepr
from latentlab.samples.parquet import check_types, read_table
from latentlab.scorers.scores import is_positive, label_scores, score_column
from latentlab.scorers.threshold import AnyThreshold, parse_threshold
from stylegan2.describing import printable
from stylegan2.errors import MALFORMED

_THRESHOLD = b"threshold"  # key in the file's metadata
_REACHED = "reached"


@dataclass(frozen=True, eq=False, repr=False)
class EditTable(ShortRepr):
    """Scores of faces edited at a series of strengths.

    Attributes
    ----------
    seeds
        `(faces,)` int64: seeds of the faces.
    strengths
        `(strengths,)` float64, in the direction's units; or `(faces, strengths)`, where each face has its own.
    scores
        `(faces, strengths, k)` float32.
    names
        Names of the k scores.
    threshold
        Threshold in numbers that `labels` cuts scores at, one for all or one for each; None for the largest of several
        scores, or one half for a single one.
    reached
        `(faces,)` bool: whether a face reached the target that its own strength was found for; None without a target.
    """

    seeds: NDArray[np.int64]
    strengths: NDArray[np.float64]
    scores: NDArray[np.float32]
    names: tuple[str, ...]
    threshold: AnyThreshold | None = None
    reached: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        faces, steps = len(self.seeds), self.strengths.shape[-1]
        wanted = (faces, steps, len(self.names))
        if self.scores.shape != wanted:
            raise ValueError(f"scores are {self.scores.shape}, not {wanted} (faces, strengths, names)")
        if self.strengths.shape not in ((steps,), (faces, steps)):
            raise ValueError(f"strengths are {self.strengths.shape}, not {(steps,)} or {(faces, steps)}")
        if self.reached is not None and self.reached.shape != (faces,):
            raise ValueError(f"what {faces} faces reached is not {self.reached.shape}")

    @property
    def own_strengths(self) -> NDArray[np.float64]:
        """Strengths of each face, `(faces, strengths)`, whether they share them or not."""
        return np.broadcast_to(self.strengths, self.scores.shape[:2])

    def column(self, name: str) -> NDArray[np.float32]:
        """Scores called `name`, `(faces, strengths)`; UserError if there are none."""
        return score_column(self.scores, self.names, name)

    def labels(self, name: str) -> NDArray[np.int8]:
        """Label the images by the score `name`: 1 for positive, −1 for negative, 0 for neither, `(faces, strengths)`.

        Raises
        ------
        UserError
            If there is no such score, or the threshold has quantiles: edits are labelled as the samples were, at the
            numbers that `SampleTable.resolve` gives.
        """
        return label_scores(self.scores, self.names, name, self.threshold)

    def is_positive(self, name: str) -> NDArray[np.bool_]:
        """Whether the images are positive for the score `name`, `(faces, strengths)`; see `labels`."""
        return is_positive(self.scores, self.names, name, self.threshold)

    def save(self, path: str | Path) -> None:
        """Write a Parquet file, atomically, with a row for each face and strength; UserError if that fails."""
        strengths = self.scores.shape[1]
        columns: dict[str, NDArray[Any]]
        columns = {"seed": np.repeat(self.seeds, strengths), "strength": self.own_strengths.ravel()}
        if self.reached is not None:
            columns[_REACHED] = np.repeat(self.reached, strengths)
        columns |= {name: self.column(name).ravel() for name in self.names}
        metadata = None if self.threshold is None else {_THRESHOLD: str(self.threshold)}
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            pq.write_table(pa.table(columns, metadata=metadata), file, write_page_checksum=True)

    @classmethod
    def load(cls, path: str | Path) -> EditTable:
        """Read a file that `save` wrote; UserError if it is missing, broken or something else."""
        try:
            return _from_arrow(read_table(Path(path)))
        except MALFORMED as error:
            raise UserError(f"cannot read {path} as a table of edits: {printable(str(error))}") from error


def _from_arrow(stored: pa.Table) -> EditTable:
    # Where no target was asked for, a score may have this name.
    has_target = _REACHED in stored.column_names and pa.types.is_boolean(stored[_REACHED].type)
    own = ("seed", "strength", *([_REACHED] if has_target else []))
    names = tuple(name for name in stored.column_names if name not in own)
    check_types(stored, {"seed": pa.int64(), "strength": pa.float64(), **dict.fromkeys(names, pa.float32())})
    seeds = stored["seed"].to_numpy()
    width = int((seeds == seeds[0]).sum())
    seeds, strengths = seeds.reshape(-1, width), stored["strength"].to_numpy().reshape(-1, width)
    if not np.isfinite(strengths).all() or (seeds != seeds[:, :1]).any():
        raise ValueError("it has strengths that are not finite, or rows in another order")
    reached = stored[_REACHED].to_numpy()[::width].copy() if has_target else None
    threshold = (stored.schema.metadata or {}).get(_THRESHOLD)
    return EditTable(
        seeds[:, 0].copy(),
        strengths[0].copy() if (strengths == strengths[0]).all() and reached is None else strengths.copy(),
        np.stack([stored[name].to_numpy().reshape(-1, width) for name in names], axis=-1),
        names,
        None if threshold is None else parse_threshold(threshold.decode()),
        reached,
    )
