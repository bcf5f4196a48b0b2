"""Tables of figures, as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A table with a title, one heading a column and the rows."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[object]]

    def markdown(self) -> str:
        """Write it; numbers stand to the right."""
        right = [
            all(str(row[k]).replace(".", "", 1).replace("%", "").isdigit() for row in self.rows)
            for k in range(len(self.head))
        ]
        lines = ["| " + " | ".join(self.head) + " |", "|" + "|".join("--:" if one else "---" for one in right) + "|"]
        lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in self.rows]
        return f"**{self.title}**\n\n" + "\n".join(lines) + "\n"
