"""The report of a comparison: a page, tables, and images.

`report.html` stands alone; the same numbers lie beside it as `table.csv`, `results.parquet` (a row for each method and
image) and PNGs.
"""

from __future__ import annotations

import csv
import html
import platform
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import torch

from latentlab import plots
from latentlab.comparison.conclusions import RULE, best_methods, draw_conclusions, scaled_title, worst_images
from latentlab.comparison.html import STYLE, bullets, image, paragraph, table
from latentlab.comparison.protocol import Task
from latentlab.comparison.run import Comparison, MethodResult
from latentlab.files import atomic_path, readable, write_text
from latentlab.metrics.intervals import LEAST_IMAGES, format_interval, power_of_ten
from latentlab.versions import describe_versions

__all__ = ["ReportSection", "summary_lines", "write_report"]

DECIMALS = 3
"""Most decimals of a value in a table."""
COSTS = (
    ("fit_seconds", "learning, s"),
    ("prepare_seconds", "projection, s an image"),
    ("apply_seconds", "the edit alone, s an image"),
    ("memory_gigabytes", "memory of the process, GB"),
    ("device_gigabytes", "memory of the GPU, GB"),
    ("megabytes", "learnt parameters, MB"),
)
_PACKAGES = ("torch", "numpy", "scikit-learn", "lpips")
_SHOWN = 12  # rows of the grid
_ARROWS = {"more": "\N{NO-BREAK SPACE}↑", "less": "\N{NO-BREAK SPACE}↓", "neither": ""}


@dataclass(frozen=True)
class ReportSection:
    """A section of the page that only one kind of task has.

    Attributes
    ----------
    title, text
        Heading, and a paragraph below it.
    header, rows
        Table below the paragraph; empty for none.
    image
        File name of a PNG in the comparison's folder; None for none.
    note
        What has to be said on the terminal, too, in one line; empty for nothing.
    """

    title: str
    text: str
    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    image: str | None = None
    note: str = ""


def write_report(
    comparison: Comparison, command: str, sections: Sequence[ReportSection] = (), excluded: Sequence[str] = ()
) -> Path:
    """Write the page and everything beside it into the task's folder.

    Parameters
    ----------
    comparison
        What is reported.
    command
        Command that made it, for the page.
    sections
        Further sections of the page; their images must exist.
    excluded
        Names of baselines and oracles: they are in the tables, but left out of the conclusions.

    Returns
    -------
    Path
        The page.
    """
    folder = comparison.task.folder
    _write_results(comparison, folder / "results.parquet")
    _write_table(comparison, folder / "table.csv")
    if comparison.done:
        _grid(comparison, folder / "grid.png")
        _intervals(comparison, folder / "measures.png")
        _worst_grid(comparison, excluded, folder / "worst.png")
    write_text(folder / "report.html", _page(comparison, command, sections, excluded))
    return folder / "report.html"


def summary_lines(comparison: Comparison, excluded: Sequence[str] = ()) -> list[str]:
    """Return the conclusions, and a line for each method that failed, for the terminal."""
    folder = comparison.task.folder
    failed = [
        f"{one.name} failed: {one.failure} (traceback in {folder / one.traceback})"
        for one in comparison.results
        if one.failure
    ]
    return [*draw_conclusions(comparison.done, comparison.measures, excluded), *failed]


# --- tables -------------------------------------------------------------------------------------------------


def _write_results(comparison: Comparison, path: Path) -> None:
    names = list(comparison.task.names)
    measured = [m.name for m in comparison.measures if any(m.name in one.columns for one in comparison.done)]
    schema = pa.schema([("method", pa.string()), ("image", pa.string())] + [(name, pa.float64()) for name in measured])
    rows = [
        {"method": one.name, "image": readable(name), **{c: float(values[k]) for c, values in one.columns.items()}}
        for one in comparison.done
        for k, name in enumerate(names)
    ]
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), file, write_page_checksum=True)


def _write_table(comparison: Comparison, path: Path) -> None:
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["method", "measure", "mean", "low", "high", "images", "missing"])
        for one in comparison.done:
            for name, v in one.intervals.items():
                out.writerow([one.name, name, v.mean, v.low, v.high, v.n, v.missing])
            for name, cost in one.costs.items():
                out.writerow([one.name, name, cost, "", "", "", ""])


# --- images -------------------------------------------------------------------------------------------------


def _columns(comparison: Comparison) -> tuple[torch.Tensor, list[str]]:
    """All images, `(n, methods + 1 or + 2, 3, size, size)`, and the titles of the columns."""
    truth = comparison.task.truth()
    columns = [comparison.task.shown(), *(one.images for one in comparison.done if one.images is not None)]
    titles = ["given", *(one.name for one in comparison.done)]
    if truth is not None:
        columns, titles = [*columns, truth], [*titles, "truth"]
    return torch.stack(columns, dim=1), titles


def _labels(task: Task) -> Sequence[str]:
    """Names of the held-out images for readers."""
    found: Sequence[str] = getattr(task, "labels", task.names)
    return found


def _grid(comparison: Comparison, path: Path) -> None:
    images, titles = _columns(comparison)
    plots.save_figure(plots.grid_figure(images[:_SHOWN], titles, list(_labels(comparison.task))[:_SHOWN]), path)


def _intervals(comparison: Comparison, path: Path) -> None:
    panels = {}
    for measure in comparison.measures:
        values = {one.name: one.intervals[measure.name] for one in comparison.done}
        power = power_of_ten(values.values())
        panels[scaled_title(measure, power) + _ARROWS[measure.better]] = {
            name: (value.mean / 10**power, value.low / 10**power, value.high / 10**power)
            for name, value in values.items()
        }
    plots.save_figure(plots.interval_figure(panels), path)


def _worst_grid(comparison: Comparison, excluded: Sequence[str], path: Path) -> None:
    """A row for each measure, a column for each method: the image before and after where that method did worst."""
    found = worst_images(comparison.done, comparison.measures, excluded)
    if not found:
        return
    before = comparison.task.shown()
    made = {one.name: one.images for one in comparison.done}
    methods = list(dict.fromkeys(one.method for one in found))
    measures = list(dict.fromkeys(one.measure for one in found))
    blank = before.new_ones(3, before.shape[2], 2 * before.shape[3])
    cells = {(one.measure.name, one.method): one for one in found}
    rows = []
    for measure in measures:
        row = []
        for method in methods:
            one, images = cells.get((measure.name, method)), made[method]
            assert images is not None
            row.append(blank if one is None else torch.cat([before[one.index], images[one.index]], dim=2))
        rows.append(torch.stack(row))
    titles = [textwrap.fill(scaled_title(measure), 20) for measure in measures]
    plots.save_figure(plots.grid_figure(torch.stack(rows), methods, titles), path)


# --- the page -----------------------------------------------------------------------------------------------


def _page(comparison: Comparison, command: str, sections: Sequence[ReportSection], excluded: Sequence[str]) -> str:
    task = comparison.task
    sentences = draw_conclusions(comparison.done, comparison.measures, excluded)
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{html.escape(task.title)}</title>",
        f"<style>{STYLE}</style><h1>{html.escape(task.title)}</h1><pre>{html.escape(command)}</pre>",
        *(_failure(one) for one in comparison.results if one.failure),
        "<h2>Conclusions</h2>" + bullets(sentences or ["Fewer than two methods can be compared."]),
        paragraph(RULE, small=True),
        *(_body(comparison, sections, excluded) if comparison.done else ()),
    ]
    versions = html.escape(describe_versions(*_PACKAGES))
    parts.append(
        f"<h2>Limits</h2><p>{html.escape(task.limits)}</p><p class=small>"
        f"{versions}, {html.escape(platform.platform())}. manifest.json has the rest.</p></html>"
    )
    return "\n".join(parts)


def _failure(result: MethodResult) -> str:
    traceback = html.escape(result.traceback)
    return (
        f"<p class=failed>{html.escape(f'{result.name} failed: {result.failure}')} "
        f"(traceback: <a href='{traceback}'>{traceback}</a>)</p>"
    )


def _body(comparison: Comparison, sections: Sequence[ReportSection], excluded: Sequence[str]) -> list[str]:
    folder, header = comparison.task.folder, ["", *(one.name for one in comparison.done)]
    return [
        "<h2>Measures</h2>" + _measures(comparison, excluded),
        "<h2>Costs</h2>" + table(header, _cost_rows(comparison.done)),
        "<h2>Images</h2>" + image(folder / "grid.png", "a row for each image, a column for each method"),
        *(_section(folder, section) for section in sections),
        "<h2>All measures</h2>" + image(folder / "measures.png", "means and 95 % intervals"),
        _worst(comparison, excluded),
    ]


def _measures(comparison: Comparison, excluded: Sequence[str]) -> str:
    """The main table, what its cells mean, and why some of them are unknown."""
    done, measures = comparison.done, comparison.measures
    best = best_methods(done, measures, excluded)
    rows, bold = [], []
    for i, measure in enumerate(measures):
        values = [one.intervals[measure.name] for one in done]
        power = power_of_ten(values)
        title = scaled_title(measure, power) + _ARROWS[measure.better]
        rows.append([title, *(format_interval(value, power, DECIMALS) for value in values)])
        bold += [(i, j + 1) for j, one in enumerate(done) if best.get(measure.name) == one.name]
    images = len(comparison.task.names)
    caption = f"Means over {images} held-out images with 95 % intervals. ↑ more is better, ↓ less is."
    if bold:
        caption += " Bold: best, by the rule above."
    if images < LEAST_IMAGES:
        caption += f" Intervals of fewer than {LEAST_IMAGES} images are too narrow: take the values as a first look."
    notes = _unknown(comparison)
    return paragraph(caption) + table(["", *(one.name for one in done)], rows, bold) + (bullets(notes) if notes else "")


def _unknown(comparison: Comparison) -> list[str]:
    """Sentences that say which values are unknown, and why."""
    images = len(comparison.task.names)
    notes = []
    for measure in comparison.measures:
        title = scaled_title(measure)
        whole: dict[str, list[str]] = {}
        part = []
        for one in comparison.done:
            value = one.intervals[measure.name]
            if not value.known:
                whole.setdefault(value.why, []).append(one.name)
            elif value.missing:
                part.append(f"{value.missing} of {images} images of {one.name}")
        for why, names in whole.items():
            notes.append(f"{title} is unknown for {', '.join(names)}" + (f": {why}." if why else "."))
        if part:
            notes.append(
                f"{title} is unknown for {', '.join(part)}, which are left out of the mean"
                + (f": {measure.unknown}." if measure.unknown else ".")
            )
    return notes


def _cost_rows(done: Sequence[MethodResult]) -> list[list[str]]:
    def cell(one: MethodResult, name: str) -> str:
        return _two_digits(one.costs[name]) if name in one.costs else ""

    rows = [[title, *(cell(one, name) for one in done)] for name, title in COSTS]
    return [row for row in rows if any(row[1:])]


def _two_digits(value: float) -> str:
    """A number with two significant digits and no exponent."""
    return "0" if value < 0.0005 else f"{float(f'{value:.2g}'):g}" if value < 100 else f"{value:.0f}"


def _worst(comparison: Comparison, excluded: Sequence[str]) -> str:
    found = worst_images(comparison.done, comparison.measures, excluded)
    if not found:
        return ""
    labels = _labels(comparison.task)
    rows = [[scaled_title(one.measure), one.method, labels[one.index], f"{one.value:.2g}"] for one in found]
    return (
        "<h2>Worst images</h2><p>Chosen by rule: where each method does worst by each measure, before and after.</p>"
        + image(comparison.task.folder / "worst.png", "a row for each measure, a column for each method")
        + table(["measure", "method", "image", "value"], rows)
    )


def _section(folder: Path, section: ReportSection) -> str:
    picture = image(folder / section.image, section.title) if section.image else ""
    rows = table(section.header, section.rows) if section.rows else ""
    return f"<h2>{html.escape(section.title)}</h2><p>{html.escape(section.text)}</p>{picture}{rows}"
