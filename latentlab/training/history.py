"""History of a training, `history.csv`."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from latentlab.csv_files import read_records
from latentlab.errors import UserError
from latentlab.files import atomic_path

_STEP = re.compile("[0-9]{1,18}")
FIELDS = ("step", "epoch", "samples", "learning_rate")


class History:
    """Table with a row every so many steps: progress, and the mean of each loss since the row before.

    Nothing in it depends on the machine's speed: the history of a resumed training is the same to the byte.

    Parameters
    ----------
    path
        Path of the CSV file. Rows beyond `step`, of a run that was killed after its last state, are dropped.
    step
        Step from which the training continues.
    """

    def __init__(self, path: Path, step: int):
        self.path = path
        self.rows = [row for row in _read(path) if int(row["step"]) <= step]

    def add(self, row: Mapping[str, Any]) -> None:
        """Append a row and rewrite the file, so that readers find whole rows at any time."""
        self.rows.append({name: _short(value) for name, value in row.items()})
        names = list(dict.fromkeys([*FIELDS, *(name for row in self.rows for name in row)]))
        with atomic_path(self.path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows(self.rows)


def _read(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    try:
        rows = read_records(path, ("step",))
    except UserError as error:
        raise UserError(f"{error}; it is not the history of a training: remove it") from error
    if wrong := [line for line, row in rows if not _STEP.fullmatch(row["step"])]:
        raise UserError(f"{path}, line {wrong[0]}: no step; it is not the history of a training: remove it")
    return [row for _, row in rows]


def _short(value: Any) -> Any:
    return f"{value:.6g}" if isinstance(value, float) else value
