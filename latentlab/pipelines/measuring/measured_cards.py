"""What a measurement found, in the card of a direction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from latentlab.directions import Direction
from latentlab.metrics import format_interval, share_interval
from latentlab.metrics.intervals import format_share
from latentlab.pipelines.measuring.results import WAYS, Measurement, Row

_PREFIX = "measured "


def with_measured(direction: Direction, measurement: Measurement, name: str, beside: Sequence[str] = ()) -> Direction:
    """Add the measured values of a direction, called `name` in the measurement, to the statistics of its card.

    They are its rows with the first teacher and judge, as text with intervals, under 'measured one strength: identity'
    and the like. What an earlier measurement left there is replaced.

    Parameters
    ----------
    direction, measurement, name
        What was measured.
    beside
        Other directions of the measurement whose rows are noted too, to compare with: those of one that is called svm
        under 'measured svm, one strength: identity' and the like.
    """
    role = measurement.roles[0]
    s, n = measurement.settings, len(measurement.seeds)
    statistics = {key: value for key, value in direction.statistics.items() if not key.startswith(_PREFIX)}
    statistics[f"{_PREFIX}how"] = (
        f"{n} faces of seeds {s['first_seed']} to {s['last_seed']}, judged by {role.judge}, at equal effect"
    )
    for row in role.rows:
        if row.direction == name:
            statistics |= _entries(row, measurement, WAYS[row.way])
        elif row.direction in beside:
            statistics |= _entries(row, measurement, f"{row.direction}, {WAYS[row.way]}")
    return replace(direction, statistics=statistics)


def _entries(row: Row, measurement: Measurement, column: str) -> dict[str, str]:
    before = f"{_PREFIX}{column}: "
    found = {
        f"{before}strength": f"{np.median(row.strengths):.3g}",
        f"{before}success": format_share(share_interval(row.succeeded)),
    }
    for measure in measurement.measures:
        value = row.interval(measure.name).scaled(measure.scale)
        found[f"{before}{measure.title}"] = format_interval(value, most_decimals=3)
    return found


def measured_table(direction: Direction) -> str | None:
    """The measured values in a direction's card as a table in Markdown; None if there are none."""
    kept = {key.removeprefix(_PREFIX): str(value) for key, value in direction.statistics.items() if _is_measured(key)}
    if "how" not in kept:
        return None
    keys = [key.partition(": ") for key in kept if ": " in key]
    columns, titles = (list(dict.fromkeys(part)) for part in ([key[0] for key in keys], [key[2] for key in keys]))
    lines = [["measured", *columns], ["---"] * (1 + len(columns))]
    lines += [[title, *(kept.get(f"{column}: {title}", "") for column in columns)] for title in titles]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + f"\n\n{kept['how']}"


def without_measured(direction: Direction) -> Direction:
    """The direction without measured values in its card."""
    kept = {key: value for key, value in direction.statistics.items() if not _is_measured(key)}
    return replace(direction, statistics=kept)


def _is_measured(key: str) -> bool:
    return key.startswith(_PREFIX)
