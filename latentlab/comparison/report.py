"""What is told of a comparison: a page, tables of all figures, pictures.

`report.html` stands alone; the same figures lie beside it as `table.csv`, `results.parquet` (a row a method and
picture) and PNGs.
"""

from __future__ import annotations

import base64
import csv
import html
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import torch

from latentlab import plots
from latentlab.comparison.findings import findings, shown, worst
from latentlab.comparison.run import Comparison, Row
from latentlab.files import atomic_path

COSTS = (
    ("fit_seconds", "learning, s"),
    ("prepare_seconds", "projection, s a picture"),
    ("apply_seconds", "the edit alone, s a picture"),
    ("memory_gigabytes", "memory of the process, GB"),
    ("device_gigabytes", "memory of the GPU, GB"),
    ("megabytes", "what is learnt, MB"),
)
_PACKAGES = ("latentlab", "torch", "numpy", "scikit-learn", "lpips")
_SHOWN = 12  # rows of the grid

_STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:1200px;margin:2em auto;padding:0 1em;color:#222}
table{border-collapse:collapse;margin:1em 0;font-size:13px}
td,th{padding:.25em .6em;border-bottom:1px solid #ddd;text-align:right;vertical-align:top}
td:first-child,th:first-child{text-align:left}th{font-weight:600}pre{background:#f6f6f6;padding:.6em;overflow-x:auto}
img{max-width:100%}.failed{color:#b00}.small{color:#6e6e6e;font-size:13px}"""


@dataclass(frozen=True)
class Section:
    """A part of the page that only one kind of task has.

    Attributes
    ----------
    title, words
        Of the part.
    header, rows
        Of its table.
    picture
        A PNG in the comparison's folder, or nothing.
    """

    title: str
    words: str
    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    picture: str | None = None


def write_report(
    comparison: Comparison, command: str, sections: Sequence[Section] = (), floors: Sequence[str] = ()
) -> Path:
    """Write the page and all that lies beside it into the task's folder.

    Parameters
    ----------
    comparison
        What is told.
    command
        That made it.
    sections
        Further parts of the page; their pictures must be there.
    floors
        Rows that are no contestants.

    Returns
    -------
    Path
        Of the page.
    """
    folder = comparison.task.folder
    _write_results(comparison, folder / "results.parquet")
    _write_table(comparison, folder / "table.csv")
    if comparison.done:
        _grid(comparison, folder / "grid.png")
        _intervals(comparison, folder / "measures.png")
        _worst_grid(comparison, floors, folder / "worst.png")
    with atomic_path(folder / "report.html") as temporary:
        temporary.write_text(_page(comparison, command, sections, floors), encoding="utf-8")
    return folder / "report.html"


def summary_lines(comparison: Comparison, floors: Sequence[str] = ()) -> list[str]:
    """The findings and the failures, for the terminal."""
    failed = [f"{row.name} failed: {row.failure}" for row in comparison.rows if row.failure]
    return [*findings(comparison.done, comparison.task.figures, floors), *failed]


# --- tables -------------------------------------------------------------------------------------------------


def _write_results(comparison: Comparison, path: Path) -> None:
    names = list(comparison.task.names)
    schema = pa.schema(
        [("method", pa.string()), ("picture", pa.string())]
        + [(f.name, pa.float64()) for f in comparison.task.figures if any(f.name in r.columns for r in comparison.done)]
    )
    rows = [
        {"method": row.name, "picture": name, **{c: float(values[k]) for c, values in row.columns.items()}}
        for row in comparison.done
        for k, name in enumerate(names)
    ]
    with atomic_path(path) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), temporary, write_page_checksum=True)


def _write_table(comparison: Comparison, path: Path) -> None:
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["method", "figure", "mean", "low", "high", "pictures", "missing"])
        for row in comparison.done:
            for name, v in row.figures.items():
                out.writerow([row.name, name, v.mean, v.low, v.high, v.n, v.missing])
            for name, cost in row.costs.items():
                out.writerow([row.name, name, cost, "", "", "", ""])


# --- pictures -----------------------------------------------------------------------------------------------


def _columns(comparison: Comparison) -> tuple[torch.Tensor, list[str]]:
    """All pictures, `(n, methods + 1 or + 2, 3, size, size)`, and the titles of the columns."""
    truth = comparison.task.truth()
    pictures = [comparison.task.shown(), *(row.pictures for row in comparison.done if row.pictures is not None)]
    titles = ["given", *(row.name for row in comparison.done)]
    if truth is not None:
        pictures, titles = [*pictures, truth], [*titles, "truth"]
    return torch.stack(pictures, dim=1), titles


def _grid(comparison: Comparison, path: Path) -> None:
    pictures, titles = _columns(comparison)
    plots.save_figure(plots.grid_figure(pictures[:_SHOWN], titles, list(comparison.task.names)[:_SHOWN]), path)


def _intervals(comparison: Comparison, path: Path) -> None:
    panels = {
        figure.title: {
            row.name: (value.mean, value.low, value.high)
            for row in comparison.done
            for value in [row.figures[figure.name]]
        }
        for figure in comparison.task.figures
    }
    plots.save_figure(plots.interval_figure(panels), path)


def _worst_grid(comparison: Comparison, floors: Sequence[str], path: Path) -> None:
    """A row a figure, a column a method: the picture before and after where that method did worst."""
    found = worst(comparison.done, comparison.task.figures, floors)
    if not found:
        return
    before = comparison.task.shown()
    made = {row.name: row.pictures for row in comparison.done}
    methods = list(dict.fromkeys(one.method for one in found))
    figures = list(dict.fromkeys(one.figure for one in found))
    blank = torch.ones(3, before.shape[2], 2 * before.shape[3])
    cells = {(one.figure.name, one.method): one for one in found}
    rows = []
    for figure in figures:
        row = []
        for method in methods:
            one, pictures = cells.get((figure.name, method)), made[method]
            assert pictures is not None
            row.append(blank if one is None else torch.cat([before[one.index], pictures[one.index]], dim=2))
        rows.append(torch.stack(row))
    titles = [figure.name.replace("_", "\n") for figure in figures]
    plots.save_figure(plots.grid_figure(torch.stack(rows), methods, titles), path)


# --- the page -----------------------------------------------------------------------------------------------


def _page(comparison: Comparison, command: str, sections: Sequence[Section], floors: Sequence[str]) -> str:
    task, done = comparison.task, comparison.done
    names = [row.name for row in done]
    told = findings(done, task.figures, floors) or ["Fewer than two methods can be compared."]
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{html.escape(task.title)}</title>",
        f"<style>{_STYLE}</style><h1>{html.escape(task.title)}</h1><pre>{html.escape(command)}</pre>",
        *(f"<p class=failed>{html.escape(f'{r.name} failed: {r.failure}')}</p>" for r in comparison.rows if r.failure),
        "<h2>Findings</h2>" + _list(told),
        "<p class=small>By rule: a method leads beyond the interval where its 95 % interval overlaps no other's.</p>",
    ]
    if done:
        parts += [
            "<h2>Figures</h2>" + _table(["", *names], _figure_rows(comparison)),
            "<h2>Costs</h2>" + _table(["", *names], _cost_rows(done)),
            "<h2>Pictures</h2>" + _picture(task.folder / "grid.png", "a row a picture, a column a method"),
            *(_section(task.folder, section) for section in sections),
            "<h2>All measures</h2>" + _picture(task.folder / "measures.png", "means and 95 % intervals"),
            _failures(comparison, floors),
        ]
    versions = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    parts.append(
        f"<h2>Limits</h2><p>{html.escape(task.limits)}</p><p class=small>Python {platform.python_version()}, "
        f"{html.escape(versions)}, {html.escape(platform.platform())}. manifest.json has the rest.</p></html>"
    )
    return "\n".join(parts)


def _figure_rows(comparison: Comparison) -> list[list[str]]:
    arrows = {"more": " ↑", "less": " ↓", "neither": ""}
    return [
        [figure.title + arrows[figure.better], *(shown(row.figures[figure.name]) for row in comparison.done)]
        for figure in comparison.task.figures
    ]


def _cost_rows(done: Sequence[Row]) -> list[list[str]]:
    def cell(row: Row, name: str) -> str:
        return f"{row.costs[name]:.3g}" if name in row.costs else ""

    rows = [[title, *(cell(row, name) for row in done)] for name, title in COSTS]
    return [row for row in rows if any(row[1:])]


def _failures(comparison: Comparison, floors: Sequence[str]) -> str:
    found = worst(comparison.done, comparison.task.figures, floors)
    if not found:
        return ""
    names = comparison.task.names
    rows = [[one.figure.title, one.method, names[one.index], f"{one.value:.3g}"] for one in found]
    return (
        "<h2>The worst pictures</h2><p>Chosen by rule: where each method does worst by each figure, before and after."
        "</p>"
        + _picture(comparison.task.folder / "worst.png", "a row a figure, a column a method")
        + _table(["figure", "method", "picture", "value"], rows)
    )


def _section(folder: Path, section: Section) -> str:
    picture = _picture(folder / section.picture, section.title) if section.picture else ""
    table = _table(section.header, section.rows) if section.rows else ""
    return f"<h2>{html.escape(section.title)}</h2><p>{html.escape(section.words)}</p>{picture}{table}"


def _list(lines: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{html.escape(line)}</li>' for line in lines)}</ul>"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _picture(path: Path, words: str) -> str:
    if not path.exists():
        return ""
    data = base64.b64encode(path.read_bytes()).decode()
    return f'<p><img alt="{html.escape(words)}" src="data:image/png;base64,{data}"></p>'
