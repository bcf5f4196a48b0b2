"""Measurements as JSON holds them, and back: data classes that say what each entry is; null stands for NaN."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from latentlab.intervals import Interval
from latentlab.pipelines.measuring.results import Facts, Measurement, Role, Row, Way
from latentlab.schemas import Count

_Number = float | None
_Seed = Annotated[int, msgspec.Meta(ge=0, lt=2**32)]


@dataclass(frozen=True)
class StoredInterval:
    """An `Interval`."""

    mean: _Number
    low: _Number
    high: _Number
    n: Count
    missing: Count = 0
    why: str = ""


@dataclass(frozen=True)
class StoredFacts:
    """A `Facts`."""

    name: str
    attribute: str
    method: str
    space: str
    reversed: bool
    sigma: float
    auc: dict[str, StoredInterval]
    strengths: list[float]
    shares: dict[str, list[float]]
    identities: list[_Number]
    rank_correlation: dict[str, _Number]
    learning_seconds: _Number
    edit_seconds: float

    def restored(self) -> Facts:
        """Return the facts."""
        entries = {name: getattr(self, name) for name in self.__dataclass_fields__}
        auc = {
            score: Interval(_number(one.mean), _number(one.low), _number(one.high), one.n, one.missing, one.why)
            for score, one in self.auc.items()
        }
        correlation = {score: _number(value) for score, value in self.rank_correlation.items()}
        lists = {"identities": [_number(value) for value in self.identities], "rank_correlation": correlation}
        return Facts(**{**entries, "auc": auc, **lists})


@dataclass(frozen=True)
class StoredRow:
    """A `Row`."""

    direction: str
    way: Way
    strengths: list[_Number]
    succeeded: list[bool]
    reached: bool
    values: dict[str, list[_Number]]
    changes: list[list[_Number]]
    gained: list[Count]
    lost: list[Count]

    def __post_init__(self) -> None:
        faces, attributes = len(self.strengths), len(self.gained)
        lengths = {len(self.succeeded), len(self.changes), *map(len, self.values.values())}
        if lengths - {faces} or {len(self.lost), *map(len, self.changes)} - {attributes}:
            raise ValueError(f"the values are not of {faces} faces and {attributes} attributes")

    def restored(self) -> Row:
        """Return the row."""
        return Row(
            self.direction,
            self.way,
            _array(self.strengths),
            np.array(self.succeeded, dtype=bool),
            self.reached,
            {name: _array(values) for name, values in self.values.items()},
            _array(self.changes),
            np.array(self.gained, dtype=np.int64),
            np.array(self.lost, dtype=np.int64),
        )


@dataclass(frozen=True)
class StoredRole:
    """A `Role`."""

    teacher: str
    judge: str
    attributes: tuple[str, ...]
    related: tuple[str, ...]
    rows: list[StoredRow]

    def restored(self) -> Role:
        """Return the role."""
        rows = tuple(row.restored() for row in self.rows)
        return Role(self.teacher, self.judge, self.attributes, self.related, rows)


@dataclass(frozen=True)
class StoredMeasurement:
    """A `Measurement`."""

    attribute: str
    region: str | None
    seeds: list[_Seed]
    facts: list[StoredFacts]
    roles: list[StoredRole]
    cosines: list[list[_Number]]
    settings: dict[str, Any]

    def __post_init__(self) -> None:
        if any(len(row.strengths) != len(self.seeds) for role in self.roles for row in role.rows):
            raise ValueError(f"a row has not a value for each of {len(self.seeds)} faces")
        if {len(self.facts), *map(len, self.cosines)} != {len(self.cosines)}:
            raise ValueError(f"there are not facts of each of {len(self.cosines)} directions, and cosines of all pairs")

    def restored(self) -> Measurement:
        """Return the measurement."""
        return Measurement(
            self.attribute,
            self.region,
            np.array(self.seeds, dtype=np.int64),
            tuple(one.restored() for one in self.facts),
            tuple(role.restored() for role in self.roles),
            _array(self.cosines),
            self.settings,
        )


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _array(stored: Sequence[Any]) -> NDArray[np.float64]:
    return np.array(stored, dtype=np.float64)  # where null becomes NaN
