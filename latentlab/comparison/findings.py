"""What the numbers say, written by rule and never by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from latentlab.comparison.protocol import Figure
from latentlab.comparison.run import Row
from latentlab.metrics import Interval


def shown(value: Interval) -> str:
    """A mean with its interval, and how many pictures gave none."""
    if math.isnan(value.mean):
        return "not measured"
    missing = f", {value.missing} not measured" if value.missing else ""
    return f"{value.mean:.3g} [{value.low:.3g}, {value.high:.3g}]{missing}"


def findings(rows: Sequence[Row], figures: Sequence[Figure], floors: Sequence[str] = ()) -> list[str]:
    """A sentence for each figure that has a better and a worse: who leads, and whom the intervals do not tell from it.

    Parameters
    ----------
    rows
        Of the methods that did not fail.
    figures
        What is measured.
    floors
        Names of rows that are no contestants.
    """
    told = []
    for figure in figures:
        if figure.better == "neither":
            continue
        known = [(row.name, row.figures[figure.name]) for row in rows if row.name not in floors]
        known = [(name, value) for name, value in known if not math.isnan(value.mean)]
        if len(known) < 2:
            continue
        known.sort(key=lambda pair: pair[1].mean, reverse=figure.better == "more")
        (best, value), rest = known[0], known[1:]
        level = [name for name, other in rest if value.overlaps(other)]
        if not level:
            told.append(f"{figure.title}: {best} leads beyond the interval, {shown(value)}.")
        elif len(level) == len(rest):
            told.append(
                f"{figure.title}: {best} has the best mean, {shown(value)}, and no method is told apart from it."
            )
        else:
            told.append(
                f"{figure.title}: {best} has the best mean, {shown(value)}, not told apart from {', '.join(level)}."
            )
    return told


@dataclass(frozen=True)
class Worst:
    """The picture of a method that a figure calls its worst."""

    figure: Figure
    method: str
    index: int
    value: float


def worst(rows: Sequence[Row], figures: Sequence[Figure], floors: Sequence[str] = ()) -> list[Worst]:
    """For each method and each figure of single pictures that is no share: where it did worst."""
    found = []
    for row in rows:
        for figure in figures:
            values = row.columns.get(figure.name)
            if row.name in floors or figure.share or figure.better == "neither" or values is None:
                continue
            if np.isnan(values).all():
                continue
            k = int(np.nanargmin(values) if figure.better == "more" else np.nanargmax(values))
            found.append(Worst(figure, row.name, k, float(values[k])))
    return found
