"""What was measured, and the report of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import isnan
from pathlib import Path
from typing import Any

from latentlab.files import write_json, write_text
from latentlab.markdown import code_block, escape, table
from latentlab.metrics import Interval, format_interval
from latentlab.versions import describe_versions

_FORMAT = 1
_PACKAGES = ("torch", "numpy", "scikit-learn", "lpips")
_ARROWS = {True: "more", False: "less", None: ""}


@dataclass(frozen=True)
class MeasuredMetric:
    """One metric that was measured.

    Attributes
    ----------
    name
        Its name, such as 'ppl-w-end'.
    title
        Its name for readers.
    value
        The value with its 95 % interval; unknown, with the reason, where it cannot be measured.
    higher_is_better
        Whether larger values are better; None where neither is.
    note
        What has to be known beside the value; empty for nothing.
    """

    name: str
    title: str
    value: Interval
    higher_is_better: bool | None = None
    note: str = ""


@dataclass(frozen=True)
class MetricReport:
    """Metrics of a generator or of two folders, as `metrics.json` and `report.md` have them.

    Attributes
    ----------
    title
        What was measured, for readers.
    conditions
        What the values depend on, by name, as JSON holds it.
    metrics
        The metrics.
    notes
        Sentences that apply to all of them.
    details
        Further values by name, as JSON holds them.
    """

    title: str
    conditions: Mapping[str, Any]
    metrics: tuple[MeasuredMetric, ...]
    notes: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def values(self) -> dict[str, Interval]:
        """Values by the names of the metrics."""
        return {one.name: one.value for one in self.metrics}

    def write(self, folder: Path, command: str = "") -> None:
        """Write `metrics.json` and `report.md`, each whole or not at all.

        Parameters
        ----------
        folder
            Where they are written.
        command
            Command that made them, for the report; empty for none.

        Raises
        ------
        UserError
            If they cannot be written.
        """
        content = {
            "format_version": _FORMAT,
            "title": self.title,
            "conditions": dict(self.conditions),
            "metrics": {one.name: _as_json(one) for one in self.metrics},
            "notes": list(self.notes),
            "details": dict(self.details),
        }
        write_json(folder / "metrics.json", content)
        write_text(folder / "report.md", self._page(command))

    def lines(self) -> list[str]:
        """Return a line for each metric, for the terminal."""
        width = max((len(one.name) for one in self.metrics), default=0)
        return [f"{one.name:<{width}}  {_value(one)}" for one in self.metrics]

    def _page(self, command: str) -> str:
        rows = [[one.title, _value(one), _ARROWS[one.higher_is_better]] for one in self.metrics]
        titles: dict[str, list[str]] = {}
        for one in self.metrics:
            if one.note:
                titles.setdefault(one.note, []).append(one.title)
        noted = (f"{', '.join(of)}: {note}." for note, of in titles.items())
        parts = [
            f"# {escape(self.title)}",
            table(["metric", "value, 95 % interval", "better"], rows, numbers=()),
            "\n".join(f"- {escape(note)}" for note in (*self.notes, *noted)),
            "\n".join(f"- {escape(name)}: {escape(value)}" for name, value in self.conditions.items()),
            code_block(command) if command else "",
            f"{describe_versions(*_PACKAGES)}.",
        ]
        return "\n\n".join(part for part in parts if part) + "\n"


def _value(one: MeasuredMetric) -> str:
    if one.value.known:
        return format_interval(one.value)
    return f"unknown: {one.value.why}" if one.value.why else "unknown"


def _as_json(one: MeasuredMetric) -> dict[str, Any]:
    value = {name: None if isinstance(v, float) and isnan(v) else v for name, v in asdict(one.value).items()}
    return {"title": one.title, **value, "higher_is_better": one.higher_is_better, "note": one.note}
