"""What a measurement found, in the card of a direction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from latentlab.directions import Direction
from latentlab.errors import UserError
from latentlab.markdown import escape, table
from latentlab.metrics import format_interval, share_interval
from latentlab.metrics.intervals import format_share
from latentlab.pipelines.measuring.results import WAYS, Measurement, Row

_PREFIX = "measured "
_HOW, _BESIDE = f"{_PREFIX}how", ", "


def with_measured(direction: Direction, measurement: Measurement, name: str, beside: Sequence[str] = ()) -> Direction:
    """Add the measured values of a direction, called `name` in the measurement, to the statistics of its card.

    They are its rows with the first teacher and judge, as text with intervals, under 'measured one strength: identity'
    and the like. What an earlier measurement left there is replaced.

    Parameters
    ----------
    direction
        The direction as it was measured, not its reverse: signs of strengths are those of the measurement.
    measurement
        What was measured.
    name
        What the direction is called there.
    beside
        Names of other directions of the measurement whose rows the card is to show too, under
        'measured NAME, one strength: identity' and the like.

    Raises
    ------
    UserError
        If one of the names is not in the measurement.
    """
    role = measurement.roles[0]
    facts = {one.name: one for one in measurement.facts}
    for wanted in (name, *beside):
        if wanted not in facts:
            raise UserError(f"no direction {wanted} was measured; there are {', '.join(facts)}")
    statistics = {key: value for key, value in direction.statistics.items() if not _is_measured(key)}
    statistics[_HOW] = _how(measurement, facts[name].reversed)
    for one in (name, *beside):
        for way, words in WAYS.items():
            column = words if one == name else f"{one}{_BESIDE}{words}"
            statistics |= _entries(role.row(one, way), measurement, f"{_PREFIX}{column}: ")
    return replace(direction, statistics=statistics)


def _how(measurement: Measurement, reversed_: bool) -> str:
    s, judge = measurement.settings, measurement.roles[0].judge
    against = "; it is reached against the direction, at negative strengths" if reversed_ else ""
    return (
        f"{len(measurement.seeds)} faces of seeds {s['first_seed']} to {s['last_seed']}, at equal effect: "
        f"{measurement.attribute.replace('_', ' ')}, judged by {judge}{against}"
    )


def _entries(row: Row, measurement: Measurement, before: str) -> dict[str, str]:
    found = {
        f"{before}strength": f"{np.median(row.strengths):.3g}",
        f"{before}success": format_share(share_interval(row.succeeded)),
    }
    for measure in measurement.measures:
        value = row.interval(measure.name).scaled(measure.scale)
        found[f"{before}{measure.title}"] = format_interval(value, most_decimals=3)
    return found


def measured_how(direction: Direction) -> str | None:
    """What the measured values in a direction's card were measured on, and who judged; None if there are none."""
    told = direction.statistics.get(_HOW)
    return None if told is None else str(told)


def measured_columns(direction: Direction) -> dict[str, dict[str, str]]:
    """The measured values in a direction's card, as text, by column and row; empty if there are none.

    The columns are those of `WAYS`, and ones such as 'svm, one strength' for directions that were measured beside it.
    """
    found: dict[str, dict[str, str]] = {}
    for key, value in direction.statistics.items():
        column, colon, title = key.removeprefix(_PREFIX).partition(": ")
        if _is_measured(key) and colon:
            found.setdefault(column, {})[title] = str(value)
    return found


def measured_beside(direction: Direction) -> list[str]:
    """Names of the directions whose rows stand beside its own in its card."""
    names = (column.rpartition(_BESIDE)[0] for column in measured_columns(direction))
    return list(dict.fromkeys(name for name in names if name))


def measured_table(direction: Direction) -> str | None:
    """The measured values in a direction's card as a table in Markdown; None if there are none."""
    columns, how = measured_columns(direction), measured_how(direction)
    if how is None:
        return None
    titles = list(dict.fromkeys(title for values in columns.values() for title in values))
    rows = [[title, *(values.get(title, "") for values in columns.values())] for title in titles]
    return f"{table(['measured', *columns], rows, numbers=())}\n\n{escape(how)}"


def without_measured(direction: Direction) -> Direction:
    """The direction without measured values in its card."""
    kept = {key: value for key, value in direction.statistics.items() if not _is_measured(key)}
    return replace(direction, statistics=kept)


def _is_measured(key: str) -> bool:
    return key.startswith(_PREFIX)
