"""The pieces of HTML that a report is made of."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Collection, Sequence
from pathlib import Path

STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:1200px;margin:2em auto;padding:0 1em;color:#222}
.wide{overflow-x:auto}table{border-collapse:collapse;margin:1em 0;font-size:13px;line-height:1.35}
td,th{padding:.3em .7em;border-bottom:1px solid #ddd;text-align:right;vertical-align:top;white-space:nowrap}
.text{text-align:left}th{font-weight:600;vertical-align:bottom;border-bottom-color:#888}
th.long{white-space:normal}td .interval,.small{color:#6e6e6e}td .interval{font-size:11px}.small{font-size:13px}
pre{background:#f6f6f6;padding:.6em;white-space:pre-wrap;overflow-wrap:anywhere}img{max-width:100%}.failed{color:#b00}
@media(max-width:600px){.wide td:first-child{white-space:normal;min-width:9em}}"""

# A value, as `format_interval` writes it: with its interval, unless that is a point.
_VALUE = re.compile(r"(-?[\d.]+)(?: (\[[^<&]*))?")
_NUMBER = re.compile(r"-?[\d.]+( |$)")
_LONG = 20  # characters; longer headings of a column may be broken


def table(header: Sequence[str], rows: Sequence[Sequence[str]], bold: Collection[tuple[int, int]] = ()) -> str:
    """Make a table; intervals go below their values, cells are never broken, columns without numbers are left-aligned.

    Parameters
    ----------
    header
        Headings of the columns.
    rows
        Cells, as plain text; a row may end before the last column.
    bold
        (row, column) of the cells whose values are set in bold.
    """
    rows = [[*row, *[""] * (len(header) - len(row))] for row in rows]
    numbers = [any(_NUMBER.match(row[j]) for row in rows) for j in range(len(header))]
    kinds = ["" if number else "text" for number in numbers]
    head = (
        _element("th", html.escape(cell), f"{kind} long" if len(cell) > _LONG else kind)
        for cell, kind in zip(header, kinds, strict=True)
    )
    lines = ["".join(head)]
    for i, row in enumerate(rows):
        lines.append("".join(_element("td", _cell(cell, (i, j) in bold), kinds[j]) for j, cell in enumerate(row)))
    return f"<div class=wide><table>{''.join(_element('tr', line) for line in lines)}</table></div>"


def _element(tag: str, content: str, classes: str = "") -> str:
    attribute = f' class="{classes.strip()}"' if classes else ""
    return f"<{tag}{attribute}>{content}</{tag}>"


def _cell(text: str, bold: bool) -> str:
    found = _VALUE.fullmatch(text)
    if found is None:
        return html.escape(text)
    mean, interval = (part.replace("-", "\N{MINUS SIGN}") for part in found.groups(default=""))
    below = f"<br><span class=interval>{interval}</span>" if interval else ""
    return f"{f'<b>{mean}</b>' if bold else mean}{below}"


def bullets(lines: Sequence[str]) -> str:
    """Make a list."""
    return f"<ul>{''.join(f'<li>{html.escape(line)}</li>' for line in lines)}</ul>"


def paragraph(text: str, small: bool = False) -> str:
    """Make a paragraph."""
    return f"<p{' class=small' if small else ''}>{html.escape(text)}</p>"


def image(path: Path, description: str) -> str:
    """Make an image embedded in the page, or nothing if the file does not exist."""
    if not path.exists():
        return ""
    data = base64.b64encode(path.read_bytes()).decode()
    return f'<p><img alt="{html.escape(description)}" src="data:image/png;base64,{data}"></p>'
