"""The report of a measurement: `report.html`, which stands alone, and the same tables as `report.md`."""

from __future__ import annotations

import html
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from latentlab import markdown
from latentlab.comparison.html import STYLE, bullets, image, paragraph, table
from latentlab.files import write_text
from latentlab.metrics import Interval, format_interval, share_interval
from latentlab.metrics.intervals import LEAST_IMAGES, format_share
from latentlab.pipelines.measuring.drawing import figure_names
from latentlab.pipelines.measuring.quality import Measure
from latentlab.pipelines.measuring.results import WAYS, Facts, Measurement, Role, Row
from latentlab.versions import describe_versions

_PACKAGES = ("torch", "numpy", "scikit-learn", "lpips")
_DECIMALS = 3
_WIDE = "body{max-width:1500px}td,th{padding:.3em .5em}"  # a table of seven measures side by side
_ARROWS = {True: "\N{NO-BREAK SPACE}↑", False: "\N{NO-BREAK SPACE}↓"}
_NOT_REACHED = "\N{DAGGER}"
_RULE = (
    "Bold: no other row is better beyond the 95 % interval of their difference on the same faces (paired bootstrap); "
    f"rows with {_NOT_REACHED} never changed as many faces as asked for, and take no part."
)


@dataclass(frozen=True)
class _Table:
    """A table of the report, for HTML and Markdown."""

    header: list[str]
    rows: list[list[str]]
    bold: frozenset[tuple[int, int]] = frozenset()

    def html(self) -> str:
        return table(self.header, self.rows, self.bold)

    def markdown(self) -> str:
        return markdown.table(self.header, self.rows, bold=self.bold)


def write_report(measurement: Measurement, folder: Path, command: str = "") -> Path:
    """Write `report.html` and `report.md`, and return the page; the figures must exist already."""
    write_text(folder / "report.html", _page(measurement, folder, command))
    write_text(folder / "report.md", _markdown(measurement, command))
    return folder / "report.html"


def summary_lines(measurement: Measurement) -> list[str]:
    """The conclusions in a few lines, for the terminal."""
    role = measurement.roles[0]
    return [_main_table(measurement, role).markdown(), "", *_conclusions(measurement, role)]


# --- what is said -------------------------------------------------------------------------------------------


def _title(measurement: Measurement) -> str:
    return f"{len(measurement.facts)} directions for {measurement.attribute.replace('_', ' ')}, measured"


def _setting(measurement: Measurement) -> str:
    s, n = measurement.settings, len(measurement.seeds)
    lacking = f"{n} faces that lack the attribute to both scorers"
    return (
        f"{lacking} (the first of seeds {s['first_seed']} … {s['last_seed']}, psi {s['psi']:g}) are edited along each "
        f"direction until {s['success']:.0%} of them have it to the judge: by one strength for all, and by a strength "
        f"per face, with which the teacher's logit of every face reaches one margin (at most {s['cap']:g} times the "
        f"one strength). AUC is on all {s['samples']} samples. Intervals are of 95 %: DeLong's for the AUC, Wilson's "
        "for shares, the bootstrap over faces for means. They are over faces: another set of training samples would "
        "give other directions."
    )


def _conclusions(measurement: Measurement, role: Role) -> list[str]:
    """For each measure, the rows that nobody beats."""
    lines = []
    for measure in measurement.measures:
        beats = role.beats(measure)
        unbeaten = [i for i, row in enumerate(role.rows) if row.reached and not beats[:, i].any()]
        if not unbeaten or not beats.any():
            lines.append(f"{measure.title}: the directions cannot be told apart.")
            continue
        best = max(unbeaten, key=lambda i: beats[i].sum())
        others = [role.rows[i].title for i in unbeaten if i != best]
        equal = f"; not told from it: {', '.join(others)}" if others else ""
        lines.append(
            f"{measure.title}: {role.rows[best].title} ({_cell(measure, role.rows[best])}) is better than "
            f"{int(beats[best].sum())} of the {len(role.rows) - 1} others beyond the interval{equal}."
        )
    if len(measurement.seeds) < LEAST_IMAGES:
        lines.append(f"{len(measurement.seeds)} faces are a first look: intervals of so few are too narrow.")
    return lines


def _cell(measure: Measure, row: Row) -> str:
    return format_interval(row.interval(measure.name).scaled(measure.scale), most_decimals=_DECIMALS)


def _main_table(measurement: Measurement, role: Role) -> _Table:
    measures, facts = measurement.measures, {one.name: one for one in measurement.facts}
    header = ["direction", "strength", "success", "AUC", *(m.title + _ARROWS[m.more] for m in measures)]
    rows, bold = [], set()
    beaten = {m.name: [bool(column.any()) for column in role.beats(m).T] for m in measures}
    order = sorted(range(len(role.rows)), key=lambda i: -np.nan_to_num(role.rows[i].mean("identity")))
    for i, k in enumerate(order):
        row, fact = role.rows[k], facts[role.rows[k].direction]
        name = fact.name + (" (sign reversed)" if fact.reversed else "") + ("" if row.reached else _NOT_REACHED)
        rows.append(
            [
                name,
                f"{'one' if row.way == 'one' else 'per face'}: {_strength(row)}",
                format_share(share_interval(row.succeeded)).split(" (")[0],
                format_interval(fact.auc[role.teacher], most_decimals=_DECIMALS),
                *(_cell(m, row) for m in measures),
            ]
        )
        if row.reached:
            bold |= {(i, 4 + j) for j, m in enumerate(measures) if not beaten[m.name][k]}
    return _Table(header, rows, frozenset(bold))


def _strength(row: Row) -> str:
    low, middle, high = np.quantile(row.strengths, [0, 0.5, 1])
    return f"{middle:.2f}" if low == high else f"{middle:.2f} ({low:.2f} to {high:.2f})"


def _difference_table(measurement: Measurement, role: Role) -> _Table:
    """Differences of all rows to the one that wins most often."""
    measures = measurement.measures
    wins = sum(role.beats(m).sum(axis=1) for m in measures)
    best = int(np.argmax(wins))
    header = [f"less {role.rows[best].title}", "better in", *(m.title + _ARROWS[m.more] for m in measures)]
    found = {m.name: role.differences(m) for m in measures}
    rows = []
    for i, row in enumerate(role.rows):
        if i == best:
            continue
        cells = []
        for m in measures:
            d = found[m.name]
            one = Interval(d.mean[i, best], d.low[i, best], d.high[i, best], len(row.strengths))
            cells.append(format_interval(one.scaled(m.scale), most_decimals=_DECIMALS))
        rows.append([row.title, f"{int(wins[i])} pairs", *cells])
    return _Table(header, rows)


def _facts_table(measurement: Measurement) -> _Table:
    scores = list(measurement.facts[0].auc)
    header = [
        "direction", "method", "space", "sigma", *(f"AUC, {score}" for score in scores),
        *(f"monotonicity, {score}" for score in scores), "learning, s", "edit and render, s an image",
    ]  # fmt: skip
    return _Table(header, [_facts_row(one, scores) for one in measurement.facts])


def _facts_row(one: Facts, scores: Sequence[str]) -> list[str]:
    return [
        one.name + (" (sign reversed)" if one.reversed else ""),
        one.method,
        one.space,
        f"{one.sigma:.3g}",
        *(format_interval(one.auc[score], most_decimals=_DECIMALS) for score in scores),
        *(f"{one.rank_correlation[score]:.2f}" for score in scores),
        "unknown" if one.learning_seconds is None else f"{one.learning_seconds:.3g}",
        f"{one.edit_seconds:.2g}",
    ]


def _gained_table(role: Role) -> _Table:
    """What faces gained and lost besides, at one strength: the attributes that leak most, and labels that changed."""
    rows = []
    for row in role.rows:
        changes = row.changes.mean(axis=0)
        worst = sorted(role.others, key=lambda k: -abs(changes[k]))[:3]
        told = ", ".join(f"{role.attributes[k].replace('_', ' ')} {changes[k]:+.2f}" for k in worst)
        labels = [
            f"{role.attributes[k].replace('_', ' ')} {'+' if counts is row.gained else '−'}{int(counts[k])}"
            for counts in (row.gained, row.lost)
            for k in sorted(role.others, key=lambda k: -int(counts[k]))
            if counts[k] > 0
        ]
        rows.append([row.title, told, ", ".join(labels[:5]) or "none"])
    return _Table(["edit", "moves most, mean change in sd", "faces that gained (+) or lost (−) an attribute"], rows)


def _related_text(role: Role) -> str:
    names = ", ".join(name.replace("_", " ") for name in role.related)
    others = ", ".join(role.attributes[k].replace("_", " ") for k in role.others)
    return f"By nature with it, and no leakage: {names}. Leakage is the mean over the others: {others}."


def _definitions(measurement: Measurement) -> list[str]:
    where = "no region: edits may change all of the image" if measurement.region is None else measurement.region
    return [
        f"region that edits may change: {where}, by the face's landmarks",
        *(f"{m.title}: {m.meaning}" for m in measurement.measures),
        "monotonicity: Spearman's correlation of strength and logit of a face, over all that was rendered, on average",
        "sign reversed: the attribute grows where strengths of the direction as given are negative",
    ]


# --- pages --------------------------------------------------------------------------------------------------


def _role_title(role: Role, first: bool) -> str:
    exchanged = "" if first else "Exchanged: "
    return f"{exchanged}{role.teacher} teaches, {role.judge} judges"


def _page(measurement: Measurement, folder: Path, command: str) -> str:
    title, names = html.escape(_title(measurement)), figure_names(measurement)
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title><style>{STYLE}{_WIDE}</style>",
        f"<h1>{title}</h1>",
        f"<pre>{html.escape(command)}</pre>" if command else "",
        paragraph(_setting(measurement)),
    ]
    for k, role in enumerate(measurement.roles):
        parts += _role_parts(measurement, role, k, folder, names)
    parts += [
        "<h2>The directions by themselves</h2>",
        _facts_table(measurement).html(),
        image(folder / names["cosines"][0], "cosines between the directions"),
        "<h2>What the measures are</h2>",
        bullets(_definitions(measurement)),
        f"<p class=small>{html.escape(describe_versions(*_PACKAGES))}, {html.escape(platform.platform())}. "
        "results.json has all numbers, for each face.</p></html>",
    ]
    return "\n".join(part for part in parts if part)


def _role_parts(
    measurement: Measurement, role: Role, k: int, folder: Path, names: dict[str, list[str]]
) -> Iterator[str]:
    yield f"<h2>{html.escape(_role_title(role, k == 0))}</h2>"
    yield bullets(_conclusions(measurement, role))
    yield _main_table(measurement, role).html()
    yield paragraph(_RULE, small=True)
    yield image(folder / names["success"][k], "share of faces that get the attribute, against strength")
    yield image(folder / names["identity"][k], "identity kept against the share of faces that get the attribute")
    yield "<h3>Differences on the same faces</h3>" + _difference_table(measurement, role).html()
    yield "<h3>What else changes</h3>" + paragraph(_related_text(role))
    yield image(folder / names["leakage"][k], "leakage matrix") + _gained_table(role).html()
    for j, words in enumerate(WAYS.values()):
        name = names["images"][k * len(WAYS) + j]
        yield f"<h3>Images at equal effect, {words}</h3>"
        yield f"<p class=small>Each image at its own size: <a href='{name}'>{name}</a></p>" + image(folder / name, name)


def _markdown(measurement: Measurement, command: str) -> str:
    escape = markdown.escape
    parts = [
        f"# {escape(_title(measurement))}",
        markdown.code_block(command) if command else "",
        escape(_setting(measurement)),
    ]
    for k, role in enumerate(measurement.roles):
        parts += [
            f"## {escape(_role_title(role, k == 0))}",
            "\n".join(f"- {escape(line)}" for line in _conclusions(measurement, role)),
            _main_table(measurement, role).markdown(),
            _RULE,
            "### Differences on the same faces",
            _difference_table(measurement, role).markdown(),
            "### What else changes",
            escape(_related_text(role)),
            _gained_table(role).markdown(),
        ]
    parts += ["## The directions by themselves", _facts_table(measurement).markdown(), "## What the measures are"]
    parts.append("\n".join(f"- {escape(line)}" for line in _definitions(measurement)))
    return "\n\n".join(part for part in parts if part) + "\n"
