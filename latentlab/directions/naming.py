"""Names for unsupervised components: the attributes that go with each of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from latentlab.directions.direction import Direction
from latentlab.directions.statistics import LEAST_ROWS, auc_deviation
from latentlab.errors import UserError
from latentlab.intervals import Interval, unknown_because
from latentlab.samples.table import SampleTable
from latentlab.scorers.threshold import NEGATIVE, POSITIVE

_FEWEST = 4  # rows of a correlation whose interval has a width


@dataclass(frozen=True)
class Association:
    """How an attribute goes with a direction over a population.

    Attributes
    ----------
    attribute
        Its name.
    correlation
        Pearson's correlation of its logit with the coordinate.
    auc
        AUC of the coordinate for its labels; unknown with fewer than ten of a class.
    """

    attribute: str
    correlation: Interval
    auc: Interval

    @property
    def certain(self) -> bool:
        """Whether the interval of the correlation excludes 0."""
        return self.correlation.known and not self.correlation.low <= 0 <= self.correlation.high


@dataclass(frozen=True)
class NamedComponent:
    """A direction and the attributes that go with it.

    Attributes
    ----------
    direction
        The direction.
    associations
        All attributes, the strongest correlation first.
    """

    direction: Direction
    associations: tuple[Association, ...]

    def name(self, most: int = 3, least: float = 0.2) -> str:
        """Name it after the attributes that certainly go with it, such as '+smiling −young'.

        Parameters
        ----------
        most
            Most attributes in the name.
        least
            Least size of their correlations.

        Returns
        -------
        str
            The direction's own name where there are none.
        """
        found = [one for one in self.associations if one.certain and abs(one.correlation.mean) >= least][:most]
        words = [f"{'+' if one.correlation.mean > 0 else '−'}{one.attribute}" for one in found]
        return " ".join(words) or self.direction.attribute


def name_components(
    directions: Sequence[Direction],
    table: SampleTable,
    attributes: Sequence[str] | None = None,
    latents: NDArray[Any] | Mapping[str, Any] | None = None,
    level: float = 0.95,
) -> tuple[NamedComponent, ...]:
    """Find which attributes go with each of several directions, such as those of GANSpace and SeFa.

    They go with a direction in the population; `latentlab directions measure` shows what an edit along it changes.

    Parameters
    ----------
    directions
        Directions of the table's generator.
    table
        Samples that the directions were not learnt from, with scores of many attributes.
    attributes
        Scores to name them after; by default all.
    latents
        Latents of the table's rows in the directions' space: z `(n, z_dim)`, or styles by layer. Directions of w and
        w+ need none.
    level
        Confidence level of all intervals together (Bonferroni): of hundreds of correlations, some are large by chance.

    Returns
    -------
    tuple of NamedComponent
        One for each direction, in their order. Intervals of correlations are Fisher's (1921), of AUCs DeLong's (1988).

    Raises
    ------
    UserError
        If there are no directions or too few rows, a direction is of another generator, an attribute is unknown, or a
        direction needs latents that are not given.
    """
    names = table.names if attributes is None else tuple(attributes)
    if not directions or not names or len(table) < _FEWEST:
        raise UserError(
            f"components are named from one direction, one attribute and {_FEWEST} samples on, not from "
            f"{len(directions)}, {len(names)} and {len(table)}"
        )
    z = float(norm.ppf(0.5 + (1 - (1 - level) / (len(directions) * len(names))) / 2))
    logits = {name: table.logits(name).astype(np.float64) for name in names}
    labels = {name: table.labels(name) for name in names}
    found = []
    for direction in directions:
        coordinates = _coordinates(direction, table, latents)
        associations = [
            Association(name, _correlation(coordinates, logits[name], z), _auc(coordinates, labels[name], z))
            for name in names
        ]
        associations.sort(key=lambda one: -abs(one.correlation.mean) if one.correlation.known else 0.0)
        found.append(NamedComponent(direction, tuple(associations)))
    return tuple(found)


def _coordinates(
    direction: Direction, table: SampleTable, latents: NDArray[Any] | Mapping[str, Any] | None
) -> NDArray[np.float64]:
    if None not in (direction.generator, table.generator) and direction.generator != table.generator:
        raise UserError(f"the {direction.attribute} direction and the samples are of different generators")
    if latents is None and direction.space in ("z", "s"):
        raise UserError(f"the {direction.attribute} direction is of space {direction.space}: give the samples' latents")
    return direction.coordinates(table.w if latents is None else latents)


def _correlation(x: NDArray[np.float64], y: NDArray[np.float64], z: float) -> Interval:
    known = np.isfinite(y)
    n, missing = int(known.sum()), int((~known).sum())
    if n < _FEWEST or y[known].min() == y[known].max():
        return unknown_because("its logits do not differ")
    r = float(np.clip(np.corrcoef(x[known], y[known])[0, 1], -1, 1))
    middle, half = math.atanh(max(-1 + 1e-12, min(1 - 1e-12, r))), z / math.sqrt(n - 3)
    return Interval(r, math.tanh(middle - half), math.tanh(middle + half), n, missing)


def _auc(x: NDArray[np.float64], labels: NDArray[np.int8], z: float) -> Interval:
    rarer = min(int((labels == POSITIVE).sum()), int((labels == NEGATIVE).sum()))
    if rarer < LEAST_ROWS:
        return unknown_because(f"only {rarer} samples of the rarer class")
    rows = (labels == POSITIVE) | (labels == NEGATIVE)
    positive, decision = labels[rows] == POSITIVE, x[rows]
    auc, half = float(roc_auc_score(positive, decision)), z * auc_deviation(positive, decision)
    return Interval(auc, max(0.0, auc - half), min(1.0, auc + half), int(rows.sum()))
