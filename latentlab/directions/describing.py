"""The card of a direction, for readers."""

from __future__ import annotations

import numpy as np

from latentlab.directions.direction import Direction, Space
from latentlab.directions.teaching import SCORE, teacher_of
from latentlab.markdown import escape, table

_UNITS: dict[Space, str] = {
    "z": "length 1 in z",
    "w": "length 1 in w",
    "w+": "length 1 in w, of the longest row",
    "s": "length 1 in standard deviations of the style channels",
}


def card_of(direction: Direction) -> str:
    """Describe a direction in Markdown, with all that is known about it."""
    return f"# Direction: {escape(direction.attribute)}\n\n{table(['', ''], card_entries(direction), numbers=())}\n"


def card_entries(direction: Direction) -> list[tuple[str, str]]:
    """Return all that is known about a direction, as text by name."""
    rows = "" if direction.vector.ndim == 1 else f"{len(direction.vector)} rows of "
    numbers = "numbers" if direction.channels is None else "style channels"
    entries: list[tuple[str, object]] = [
        ("method", direction.method),
        ("learnt from", _teacher_in_words(direction)),
        ("space", f"{direction.space}, {rows}{direction.width} {numbers}"),
        ("layers", _layers_in_words(direction)),
        ("unit of strengths", _UNITS[direction.space]),
        ("sigma", direction.sigma),
        ("intercept", direction.intercept),
        ("strength range", _range_in_words(direction)),
        ("faces changed", None if direction.response is None else direction.response.in_words()),
        ("generator", direction.generator),
        ("scorer", direction.scorer),
        *((name, value) for name, value in direction.statistics.items() if name != SCORE),
    ]
    return [(name, _show(value)) for name, value in entries]


def _teacher_in_words(direction: Direction) -> str | None:
    teacher = teacher_of(direction)
    if teacher is None:
        return None
    return f"{teacher}: it falls along the direction" if teacher.reversed else str(teacher)


def _layers_in_words(direction: Direction) -> str:
    layers = direction.layers
    if direction.channels is not None:
        return ", ".join(direction.channels.by_layer())
    if direction.vector.ndim == 2:
        moved = direction.vector.any(axis=1)
        layers = None if moved.all() else tuple(np.flatnonzero(moved).tolist())
    return "all" if layers is None else ", ".join(str(layer) for layer in layers)


def _range_in_words(direction: Direction) -> str | None:
    return None if direction.strength_range is None else "{:.4g} to {:.4g}".format(*direction.strength_range)


def _show(value: object) -> str:
    if value is None:
        return "unknown"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
