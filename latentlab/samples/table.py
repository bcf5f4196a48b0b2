"""Sample tables in memory: rows of seed, psi, w and scores."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from latentlab.errors import UserError
from latentlab.reprs import ShortRepr
from latentlab.scorers.scores import label_scores, score_column
from latentlab.scorers.threshold import POSITIVE, Threshold

if TYPE_CHECKING:
    from torch import Tensor

# Columns of the tables on disk; a score with such a name would overwrite them.
RESERVED = ("seed", "psi", "w", "strength")


@dataclass(frozen=True, eq=False, repr=False)
class SampleTable(ShortRepr):
    """Rows of seed, psi, w and scores.

    Attributes
    ----------
    seeds
        `(n,)` int64.
    psi
        `(n,)` float32: truncation with which each w was drawn.
    w
        `(n, w_dim)` float32: truncated w, equal for all layers.
    scores
        `(n, k)` float32.
    names
        Names of the k scores.
    generator, scorer
        Fingerprints of the networks that the rows come from; None if unknown.
    threshold
        Threshold that `labels` cuts scores at; None for the largest of several scores, or one half for a single one.
    """

    seeds: NDArray[np.int64]
    psi: NDArray[np.float32]
    w: NDArray[np.float32]
    scores: NDArray[np.float32]
    names: tuple[str, ...]
    generator: str | None = None
    scorer: str | None = None
    threshold: Threshold | None = None

    def __post_init__(self) -> None:
        rows = len(self.seeds)
        if self.psi.shape != (rows,) or self.w.ndim != 2 or len(self.w) != rows:
            raise ValueError(f"psi {self.psi.shape} and w {self.w.shape} do not fit {rows} seeds")
        if self.scores.shape != (rows, len(self.names)):
            shape = self.scores.shape
            raise ValueError(f"scores {shape} do not fit {rows} seeds and {len(self.names)} names")

    def __len__(self) -> int:
        return len(self.seeds)

    def subset(self, rows: NDArray[Any]) -> SampleTable:
        """Select rows by a boolean mask `(n,)`, or by an array of indices, in its order."""
        columns = {name: getattr(self, name)[rows] for name in ("seeds", "psi", "w", "scores")}
        return replace(self, **columns)

    def column(self, name: str) -> NDArray[np.float32]:
        """Scores called `name`, `(n,)`.

        Raises
        ------
        UserError
            If there is no such score (lists the names).
        """
        return score_column(self.scores, self.names, name)

    def labels(self, name: str, threshold: float | str | Threshold | None = None) -> NDArray[np.int8]:
        """Label the rows by the score `name`: 1 for positive, −1 for negative, 0 for neither, `(n,)`.

        Parameters
        ----------
        name
            Score that decides.
        threshold
            A number, 'median' or quantiles of the rows' scores, see `Threshold.parse`; by default the table's own. If
            it has none either, rows are positive where the score is the largest of several or, alone, exceeds one half.

        Raises
        ------
        UserError
            If there is no such score, or the threshold cannot be read.
        """
        table = self.resolve(name, threshold)
        return label_scores(table.scores, table.names, name, table.threshold)

    def is_positive(self, name: str, threshold: float | str | Threshold | None = None) -> NDArray[np.bool_]:
        """Whether the rows are positive for the score `name`: `(n,)`; see `labels`."""
        positive: NDArray[np.bool_] = self.labels(name, threshold) == POSITIVE
        return positive

    def resolve(self, name: str, threshold: float | str | Threshold | None = None) -> SampleTable:
        """Give the table a threshold in numbers: quantiles become those of its scores `name`.

        What is taken from the result, a part of its rows or edits of them, is labelled at the same numbers.

        Parameters
        ----------
        name
            Score that the quantiles are of.
        threshold
            See `labels`.
        """
        chosen = self.threshold if threshold is None else Threshold.parse(threshold)
        return self if chosen is None else replace(self, threshold=chosen.resolve(self.column(name)))

    def ws(self, num_ws: int) -> Tensor:
        """Repeat w for the synthesis network: `(n, num_ws, w_dim)` float32 on the CPU."""
        import torch  # the rest of a table does without it

        return torch.from_numpy(self.w).unsqueeze(1).repeat(1, num_ws, 1)


def concatenate(tables: list[SampleTable]) -> SampleTable:
    """Join the rows of all `tables`, in their order.

    Raises
    ------
    ValueError
        If the tables differ in names, generator, scorer or threshold.
    """
    if len({table.names for table in tables}) != 1:
        raise ValueError("only tables with the same scores can be joined")
    if len({(table.generator, table.scorer, table.threshold) for table in tables}) != 1:
        raise ValueError("only tables from the same generator and scorer, with the same threshold, can be joined")
    return replace(
        tables[0],
        seeds=np.concatenate([table.seeds for table in tables]),
        psi=np.concatenate([table.psi for table in tables]),
        w=np.concatenate([table.w for table in tables]),
        scores=np.concatenate([table.scores for table in tables]),
    )


def split(table: SampleTable, test_share: float = 0.25, seed: int = 0) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Split a table into training and test rows: two masks `(n,)`.

    Where a row goes depends on its seed alone (a hash of it, SplitMix64's finaliser), so that growing,
    shrinking or reordering the samples never moves a row from one part to the other.

    Parameters
    ----------
    table
        Samples to split.
    test_share
        Expected share of the test rows, above 0 and below 1.
    seed
        Random seed of the split.
    """
    if not 0 < test_share < 1:
        raise UserError(f"test_share must be above 0 and below 1, not {test_share:g}")
    offset = np.uint64((seed * 0x9E3779B97F4A7C15 + 0x9E3779B97F4A7C15) % 2**64)
    # uint64 arrays wrap around: arithmetic modulo 2**64, as the hash wants it.
    x = table.seeds.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + offset
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x = x ^ (x >> np.uint64(31))
    test = x < np.uint64(round(test_share * 2**64))
    return ~test, test
