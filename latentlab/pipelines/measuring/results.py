"""The results of a measurement, and how they are kept as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from latentlab.errors import UserError
from latentlab.files import read_json, write_json
from latentlab.metrics import Interval, PairedDifferences, mean_interval, paired_bootstrap
from latentlab.pipelines.measuring.quality import Measure, measures_for
from latentlab.reprs import ShortRepr

Way = Literal["one", "each"]
WAYS: dict[Way, str] = {"one": "one strength", "each": "strength per face"}
_FORMAT = 1


@dataclass(frozen=True, eq=False, repr=False)
class Facts(ShortRepr):
    """What is known of a direction apart from edits of equal effect.

    Attributes
    ----------
    name, attribute, method, space
        Its name in the report, and entries of its card.
    reversed
        Whether the attribute grows where strengths are negative, so that the reversed direction was measured.
    sigma
        Standard deviation of the population along it, in units of strength.
    auc
        Area under the ROC curve on the population, by score: with DeLong's interval, of the direction as measured.
    strengths
        Strengths of the series, outwards from 0.
    shares
        Shares of the faces that are positive at each, by score.
    identities
        Mean identity kept at each.
    rank_correlation
        Spearman's correlation of strength and logit of each face over all that was rendered, averaged, by score.
    learning_seconds
        Seconds that it took to learn, from its card; None if unknown.
    edit_seconds
        Seconds that the edit and its rendering took per image.
    """

    name: str
    attribute: str
    method: str
    space: str
    reversed: bool
    sigma: float
    auc: dict[str, Interval]
    strengths: list[float]
    shares: dict[str, list[float]]
    identities: list[float]
    rank_correlation: dict[str, float]
    learning_seconds: float | None
    edit_seconds: float


@dataclass(frozen=True, eq=False, repr=False)
class Row(ShortRepr):
    """Edits along one direction, at the strength or strengths of equal effect.

    Attributes
    ----------
    direction
        Name of the direction.
    way
        'one' strength for all faces, or one for 'each'.
    strengths
        `(n,)`, in the direction's units; negative for a direction whose reverse was measured.
    succeeded
        `(n,)`: whether the judge says that the edited face has the attribute.
    reached
        Whether as many did as were asked for. If not, the strength is the one at which the most did.
    values
        `(n,)` by the name of a `Measure`.
    changes
        `(n, a)`: changes of the logits of all attributes, with their sign, in standard deviations.
    gained, lost
        `(a,)`: how many faces gained and lost each attribute.
    """

    direction: str
    way: Way
    strengths: NDArray[np.float64]
    succeeded: NDArray[np.bool_]
    reached: bool
    values: dict[str, NDArray[np.float64]]
    changes: NDArray[np.float64]
    gained: NDArray[np.int64]
    lost: NDArray[np.int64]

    @property
    def title(self) -> str:
        """Direction and way, for readers."""
        return f"{self.direction}, {WAYS[self.way]}"

    def mean(self, measure: str) -> float:
        """Mean of a measure over the faces that have a value; NaN where none has."""
        values = self.values[measure]
        known = values[~np.isnan(values)]
        return float(known.mean()) if len(known) else math.nan

    def interval(self, measure: str) -> Interval:
        """Mean of a measure with its bootstrap interval."""
        return mean_interval(self.values[measure])


@dataclass(frozen=True, eq=False, repr=False)
class Role(ShortRepr):
    """Everything measured with one scorer as the teacher and another as the judge.

    Attributes
    ----------
    teacher, judge
        Their scores.
    attributes
        The a attributes whose changes are known, all of one scorer.
    related
        Those of them that are not leakage: the attribute itself, and what naturally changes with it.
    rows
        Two for each direction.
    """

    teacher: str
    judge: str
    attributes: tuple[str, ...]
    related: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def others(self) -> list[int]:
        """Positions of the attributes that are not related."""
        return [k for k, name in enumerate(self.attributes) if name not in self.related]

    def row(self, direction: str, way: Way) -> Row:
        """The row of a direction."""
        return next(row for row in self.rows if (row.direction, row.way) == (direction, way))

    def differences(self, measure: Measure) -> PairedDifferences:
        """Differences of all pairs of rows in one measure, on the same faces."""
        return paired_bootstrap(np.stack([row.values[measure.name] for row in self.rows], axis=1))

    def beats(self, measure: Measure) -> NDArray[np.bool_]:
        """Whether the row is better than the column beyond the interval, `(rows, rows)`.

        False where one of the two did not reach the effect at which directions are compared.
        """
        reached = np.array([row.reached for row in self.rows])
        found: NDArray[np.bool_] = self.differences(measure).better(measure.more) & reached[:, None] & reached
        return found

    def matrix(self, way: Way) -> tuple[list[str], NDArray[np.float64]]:
        """Leakage matrix: names of the directions, and the mean absolute changes `(directions, a)`."""
        rows = [row for row in self.rows if row.way == way]
        return [row.direction for row in rows], np.stack([np.abs(row.changes).mean(axis=0) for row in rows])


@dataclass(frozen=True, eq=False, repr=False)
class Measurement(ShortRepr):
    """Directions for one attribute, measured.

    Attributes
    ----------
    attribute
        Name of the attribute.
    region
        Region that edits may change; None for the whole image.
    seeds
        `(n,)`: the faces.
    facts
        What is known of each direction.
    roles
        The results, and those with teacher and judge exchanged.
    cosines
        `(directions, directions)`: cosines of the angles between the directions, as measured; NaN where they cannot be
        compared. See `cosines_between`.
    settings
        What the results depend on, as JSON.
    """

    attribute: str
    region: str | None
    seeds: NDArray[np.int64]
    facts: tuple[Facts, ...]
    roles: tuple[Role, ...]
    cosines: NDArray[np.float64]
    settings: Mapping[str, Any]

    @property
    def measures(self) -> tuple[Measure, ...]:
        """What was measured."""
        return measures_for(self.region)

    def save(self, path: str | Path) -> None:
        """Write it as JSON, atomically, with means, intervals and comparisons beside the values of each face."""
        write_json(path, plain({"format_version": _FORMAT, **_own(self), "summary": self._summary()}))

    @classmethod
    def load(cls, path: str | Path) -> Measurement:
        """Load what `save` wrote; UserError if the file is missing, broken or something else."""
        from latentlab.pipelines.measuring.stored import StoredMeasurement  # which builds on this

        try:
            return read_json(path, StoredMeasurement, most=1 << 30).restored()
        except UserError as error:
            raise UserError(f"{path} holds no measurement of directions ({error})") from error

    def _summary(self) -> list[dict[str, Any]]:
        found = []
        for role in self.roles:
            beats = {measure.name: role.beats(measure) for measure in self.measures}
            for i, row in enumerate(role.rows):
                found.append(
                    {
                        "teacher": role.teacher,
                        "judge": role.judge,
                        "direction": row.direction,
                        "way": row.way,
                        "success": float(row.succeeded.mean()),
                        **{m.name: asdict(row.interval(m.name)) for m in self.measures},
                        "beats": {
                            m.name: [role.rows[j].title for j in np.flatnonzero(beats[m.name][i])]
                            for m in self.measures
                        },
                    }
                )
        return found


# --- JSON ---------------------------------------------------------------------------------------------------


def plain(value: Any) -> Any:
    """Turn results into what JSON holds; NaN becomes null."""
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return _own(value) if isinstance(value, Facts | Row | Role | Interval) else value


def _own(value: Any) -> dict[str, Any]:
    return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
