"""The report of a comparison: a page, tables, and images.

`report.html` stands alone; the same numbers lie beside it as `table.csv`, `results.parquet` (a row for each method and
image) and PNGs.
"""

from __future__ import annotations

import base64
import csv
import html
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import torch

from latentlab import plots
from latentlab.comparison.conclusions import draw_conclusions, format_interval, worst_images
from latentlab.comparison.run import Comparison, MethodResult
from latentlab.files import atomic_path
from latentlab.versions import describe_versions

__all__ = ["ReportSection", "summary_lines", "write_report"]

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

_STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:1200px;margin:2em auto;padding:0 1em;color:#222}
table{border-collapse:collapse;margin:1em 0;font-size:13px}
td,th{padding:.25em .6em;border-bottom:1px solid #ddd;text-align:right;vertical-align:top}
td:first-child,th:first-child{text-align:left}th{font-weight:600}pre{background:#f6f6f6;padding:.6em;overflow-x:auto}
img{max-width:100%}.failed{color:#b00}.small{color:#6e6e6e;font-size:13px}"""


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
    """

    title: str
    text: str
    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    image: str | None = None


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
        Names of baselines and oracles: they are in the tables, and left out of the conclusions.

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
    with atomic_path(folder / "report.html") as temporary:
        temporary.write_text(_page(comparison, command, sections, excluded), encoding="utf-8")
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
        {"method": one.name, "image": name, **{c: float(values[k]) for c, values in one.columns.items()}}
        for one in comparison.done
        for k, name in enumerate(names)
    ]
    with atomic_path(path) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), temporary, write_page_checksum=True)


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


def _grid(comparison: Comparison, path: Path) -> None:
    images, titles = _columns(comparison)
    plots.save_figure(plots.grid_figure(images[:_SHOWN], titles, list(comparison.task.names)[:_SHOWN]), path)


def _intervals(comparison: Comparison, path: Path) -> None:
    panels = {
        measure.title: {
            one.name: (value.mean, value.low, value.high)
            for one in comparison.done
            for value in [one.intervals[measure.name]]
        }
        for measure in comparison.measures
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
    blank = torch.ones(3, before.shape[2], 2 * before.shape[3])
    cells = {(one.measure.name, one.method): one for one in found}
    rows = []
    for measure in measures:
        row = []
        for method in methods:
            one, images = cells.get((measure.name, method)), made[method]
            assert images is not None
            row.append(blank if one is None else torch.cat([before[one.index], images[one.index]], dim=2))
        rows.append(torch.stack(row))
    titles = [measure.name.replace("_", "\n") for measure in measures]
    plots.save_figure(plots.grid_figure(torch.stack(rows), methods, titles), path)


# --- the page -----------------------------------------------------------------------------------------------


def _page(comparison: Comparison, command: str, sections: Sequence[ReportSection], excluded: Sequence[str]) -> str:
    task = comparison.task
    sentences = draw_conclusions(comparison.done, comparison.measures, excluded)
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{html.escape(task.title)}</title>",
        f"<style>{_STYLE}</style><h1>{html.escape(task.title)}</h1><pre>{html.escape(command)}</pre>",
        *(_failure(one) for one in comparison.results if one.failure),
        "<h2>Conclusions</h2>" + _list(sentences or ["Fewer than two methods can be compared."]),
        "<p class=small>By rule: a method is best where its 95 % interval overlaps no other's.</p>",
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
        "<h2>Measures</h2>" + _table(header, _measure_rows(comparison)),
        "<h2>Costs</h2>" + _table(header, _cost_rows(comparison.done)),
        "<h2>Images</h2>" + _image(folder / "grid.png", "a row for each image, a column for each method"),
        *(_section(folder, section) for section in sections),
        "<h2>All measures</h2>" + _image(folder / "measures.png", "means and 95 % intervals"),
        _worst(comparison, excluded),
    ]


def _measure_rows(comparison: Comparison) -> list[list[str]]:
    arrows = {"more": " ↑", "less": " ↓", "neither": ""}
    return [
        [
            measure.title + arrows[measure.better],
            *(format_interval(one.intervals[measure.name]) for one in comparison.done),
        ]
        for measure in comparison.measures
    ]


def _cost_rows(done: Sequence[MethodResult]) -> list[list[str]]:
    def cell(one: MethodResult, name: str) -> str:
        return f"{one.costs[name]:.3g}" if name in one.costs else ""

    rows = [[title, *(cell(one, name) for one in done)] for name, title in COSTS]
    return [row for row in rows if any(row[1:])]


def _worst(comparison: Comparison, excluded: Sequence[str]) -> str:
    found = worst_images(comparison.done, comparison.measures, excluded)
    if not found:
        return ""
    names = comparison.task.names
    rows = [[one.measure.title, one.method, names[one.index], f"{one.value:.3g}"] for one in found]
    return (
        "<h2>Worst images</h2><p>Chosen by rule: where each method does worst by each measure, before and after.</p>"
        + _image(comparison.task.folder / "worst.png", "a row for each measure, a column for each method")
        + _table(["measure", "method", "image", "value"], rows)
    )


def _section(folder: Path, section: ReportSection) -> str:
    image = _image(folder / section.image, section.title) if section.image else ""
    table = _table(section.header, section.rows) if section.rows else ""
    return f"<h2>{html.escape(section.title)}</h2><p>{html.escape(section.text)}</p>{image}{table}"


def _list(lines: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{html.escape(line)}</li>' for line in lines)}</ul>"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _image(path: Path, description: str) -> str:
    if not path.exists():
        return ""
    data = base64.b64encode(path.read_bytes()).decode()
    return f'<p><img alt="{html.escape(description)}" src="data:image/png;base64,{data}"></p>'
