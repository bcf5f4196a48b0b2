"""Sample tables in memory: rows of seed, psi, w and scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from latentlab.errors import UserError
from latentlab.reprs import ShortRepr
from latentlab.scorers.naming import qualify, set_fingerprint
from latentlab.scorers.scores import label_scores, score_column, scores_to_logits
from latentlab.scorers.threshold import (
    POSITIVE,
    AnyThreshold,
    Threshold,
    ThresholdLike,
    Thresholds,
    combine,
    parse_threshold,
)

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
        `(n, w_dim)` float32: truncated w, equal for all layers; `(n, 0)` for a generator without W.
    scores
        `(n, k)` float32; NaN where an image could not be scored.
    names
        Names of the k scores.
    generator, scorer
        Fingerprints of the networks that the rows come from; None if unknown.
    threshold
        Threshold that `labels` cuts scores at, one for all or one for each; None for the largest of several scores, or
        one half for a single one.
    known_logits
        Logits `(n,)` float32 of those scores whose scorer knows them better than the scores show, by name.
    """

    seeds: NDArray[np.int64]
    psi: NDArray[np.float32]
    w: NDArray[np.float32]
    scores: NDArray[np.float32]
    names: tuple[str, ...]
    generator: str | None = None
    scorer: str | None = None
    threshold: AnyThreshold | None = None
    known_logits: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rows = len(self.seeds)
        if self.psi.shape != (rows,) or self.w.ndim != 2 or len(self.w) != rows:
            raise ValueError(f"psi {self.psi.shape} and w {self.w.shape} do not fit {rows} seeds")
        if self.scores.shape != (rows, len(self.names)):
            shape = self.scores.shape
            raise ValueError(f"scores {shape} do not fit {rows} seeds and {len(self.names)} names")
        if any(name not in self.names or len(logits) != rows for name, logits in self.known_logits.items()):
            raise ValueError(f"logits of {', '.join(self.known_logits)} do not fit {rows} seeds and their names")

    def __len__(self) -> int:
        return len(self.seeds)

    def subset(self, rows: NDArray[Any]) -> SampleTable:
        """Select rows by a boolean mask `(n,)`, or by an array of indices, in its order."""
        columns = {name: getattr(self, name)[rows] for name in ("seeds", "psi", "w", "scores")}
        return replace(self, **columns, known_logits={name: x[rows] for name, x in self.known_logits.items()})

    def check_has_w(self) -> None:
        """Refuse samples of a generator without W, for what works in W; UserError."""
        if not self.w.shape[1]:
            raise UserError(
                "these samples have no w: their generator, a Progressive GAN, has none, and its codes are z"
            )

    def column(self, name: str) -> NDArray[np.float32]:
        """Scores called `name`, `(n,)`.

        Raises
        ------
        UserError
            If there is no such score (lists the names).
        """
        return score_column(self.scores, self.names, name)

    def logits(self, name: str) -> NDArray[np.float32]:
        """Logits of the scores called `name`, `(n,)`.

        They are the scorer's own where it knows them, and follow from the scores otherwise: clipped to ±13.8 for
        scores in [0, 1], the scores themselves on another scale; see `latentlab.scorers.logits_of`.

        Raises
        ------
        UserError
            If there is no such score (lists the names).
        """
        scores, known = self.column(name), self.known_logits.get(name)
        return scores_to_logits(scores) if known is None else known

    def missing(self, name: str) -> NDArray[np.bool_]:
        """Whether rows have no score called `name`, since their images could not be scored: `(n,)`."""
        return np.isnan(self.column(name))

    def labels(self, name: str, threshold: ThresholdLike | None = None) -> NDArray[np.int8]:
        """Label the rows by the score `name`: 1 for positive, −1 for negative, 0 for neither, `(n,)`.

        Rows without such a score (NaN) are neither.

        Parameters
        ----------
        name
            Score that decides.
        threshold
            A number, 'median' or quantiles of the rows' scores, or one for each score, see
            `latentlab.scorers.parse_threshold`; by default the table's own. If it has none either, rows are positive
            where the score is the largest of several or, alone, exceeds one half.

        Raises
        ------
        UserError
            If there is no such score, or the threshold cannot be read or names another score.
        """
        table = self.resolve(name, threshold)
        return label_scores(table.scores, table.names, name, table.threshold)

    def is_positive(self, name: str, threshold: ThresholdLike | None = None) -> NDArray[np.bool_]:
        """Whether the rows are positive for the score `name`: `(n,)`; see `labels`."""
        positive: NDArray[np.bool_] = self.labels(name, threshold) == POSITIVE
        return positive

    def threshold_for(self, name: str) -> Threshold | None:
        """Threshold of the score `name`; None for the largest of several scores, or one half for a single one."""
        return None if self.threshold is None else self.threshold.of(name)

    def resolve(self, name: str, threshold: ThresholdLike | None = None) -> SampleTable:
        """Give the score `name` a threshold in numbers: quantiles become those of its scores.

        What is taken from the result, a part of its rows or edits of them, is labelled at the same numbers.

        Parameters
        ----------
        name
            Score whose threshold is meant. Other scores keep theirs.
        threshold
            See `labels`.

        Raises
        ------
        UserError
            See `labels`; or quantiles are asked for and no row has a score.
        """
        chosen = self.threshold if threshold is None else parse_threshold(threshold)
        if chosen is not None:
            chosen.check(self.names)
        own = None if chosen is None else chosen.of(name)
        if own is None:
            return self
        numbers = own.resolve(self.column(name))
        if len(self.names) == 1 or chosen == self.threshold == numbers:
            return replace(self, threshold=numbers)
        before = self.threshold if isinstance(self.threshold, Thresholds) else Thresholds((), self.threshold)
        return replace(self, threshold=before.updated(name, numbers))

    def ws(self, num_ws: int) -> Tensor:
        """Repeat w for the synthesis network: `(n, num_ws, w_dim)` float32 on the CPU.

        Raises
        ------
        UserError
            If the samples are of a generator without W.
        """
        import torch  # the rest of a table does without it

        self.check_has_w()

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
        known_logits={
            name: np.concatenate([table.logits(name) for table in tables])
            for name in tables[0].names
            if any(name in table.known_logits for table in tables)  # those of older parts follow from their scores
        },
    )


def join(tables: Mapping[str, SampleTable]) -> SampleTable:
    """Put the scores of several tables of the same samples side by side, as if their scorers had been one set.

    Parameters
    ----------
    tables
        Tables by the names that qualify their scores, as in `latentlab.scorers.ScorerSet`: those of
        `{"fer": …, "attributes": …}` are called 'fer:happy', 'attributes:smiling' and so on.

    Raises
    ------
    UserError
        If there are none, or they are of different seeds, truncation or generators.
    """
    if len(tables) < 2:
        raise UserError(f"two tables or more are joined, not {len(tables)}")
    (first_name, first), *others = tables.items()
    for name, table in others:
        what = next((what for what, same in _comparison(first, table).items() if not same), None)
        if what is not None:
            raise UserError(f"the samples {first_name} and {name} cannot be joined: they differ in their {what}")
    named = {qualify(by, name): (table, name) for by, table in tables.items() for name in table.names}
    prints = {by: table.scorer for by, table in tables.items() if table.scorer is not None}
    return replace(
        first,
        scores=np.concatenate([table.scores for table in tables.values()], axis=1),
        names=tuple(named),
        scorer=set_fingerprint(prints) if len(prints) == len(tables) else None,
        threshold=combine({new: table.threshold_for(name) for new, (table, name) in named.items()}),
        known_logits={
            new: table.known_logits[name] for new, (table, name) in named.items() if name in table.known_logits
        },
    )


def _comparison(a: SampleTable, b: SampleTable) -> dict[str, bool]:
    """What must agree for two tables to be of the same samples, and whether it does."""
    return {
        f"seeds ({_seeds(a)}, and {_seeds(b)})": np.array_equal(a.seeds, b.seeds),
        "generators": None in (a.generator, b.generator) or a.generator == b.generator,
        "truncation psi": np.array_equal(a.psi, b.psi),
        "latents w": a.w.shape == b.w.shape and np.allclose(a.w, b.w, atol=1e-3),
    }


def _seeds(table: SampleTable) -> str:
    return f"{len(table)} from {table.seeds[0]} to {table.seeds[-1]}" if len(table) else "none"


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
