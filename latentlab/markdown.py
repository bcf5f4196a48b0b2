"""Markdown of reports and cards: names of attributes, files and networks are shown in it as they are."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

from stylegan2.describing import printable

# What GitHub's Markdown and CommonMark read as markup, where they do: 5 * 3, [0.1, 0.2] and snake_case stay readable.
_SPECIAL = re.compile(
    r"""[\\`|~$]
    | \*(?=\S) | (?<=\S)\*
    | (?<![^\W_])_ | _(?![^\W_])
    | <(?=[A-Za-z/!?])
    | \](?=[(\[:])
    | &(?=\#?\w+;)
    | ^[#>] | ^[+*-](?=[\s*+-]*(?:\s|$)) | (?<=^\d)[.)](?=\s|$)""",
    re.VERBOSE,
)
_BARE_PIPE = re.compile(r"(?<!\\)\|")


class Markup(str):
    """Text that is Markdown already."""

    __slots__ = ()


def escape(value: object) -> Markup:
    """Return a value as text on one line that Markdown shows as it is, also in a table; `Markup` stays."""
    if isinstance(value, Markup):
        return value
    return Markup(_SPECIAL.sub(lambda found: f"\\{found[0]}", printable(str(value)).strip()))


def code(value: object) -> Markup:
    """Return a value as a code span."""
    shown = printable(str(value))
    fence = "`" * (max(map(len, re.findall("`+", shown)), default=0) + 1)
    space = " " if shown[:1] == "`" or shown[-1:] == "`" else ""
    return Markup(f"{fence}{space}{shown}{space}{fence}")


def code_block(text: str) -> Markup:
    """Return a command as a code block of one line."""
    return Markup(f"    {printable(text)}")


def table(
    header: Sequence[str],
    rows: Iterable[Sequence[object]],
    numbers: Collection[int] | None = None,
    bold: Collection[tuple[int, int]] = (),
) -> str:
    """Make a table; cells are escaped unless they are `Markup`.

    Parameters
    ----------
    header
        Headings of the columns.
    rows
        Cells of each row.
    numbers
        Columns that are aligned to the right; by default all but the first.
    bold
        (row, column) of the cells that are set in bold.

    Returns
    -------
    str
        Lines without a line break at the end.
    """
    right = range(1, len(header)) if numbers is None else numbers
    lines = [[_cell(cell) for cell in header], ["---:" if k in right else "---" for k in range(len(header))]]
    for i, row in enumerate(rows):
        lines.append([f"**{_cell(cell)}**" if (i, j) in bold else _cell(cell) for j, cell in enumerate(row)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: object) -> str:
    return _BARE_PIPE.sub(r"\\|", escape(value))
