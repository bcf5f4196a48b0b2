"""Labels of a training set, in the `dataset.json` that StyleGAN's code keeps beside the images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentlab.errors import UserError
from latentlab.files import read_json
from latentlab.schemas import checked
from stylegan2.describing import describe

LABELS = "dataset.json"
_MOST_CLASSES = 1 << 14


def labels_of(path: Path, names: Sequence[str]) -> NDArray[np.float32]:
    """Read the labels of images.

    Parameters
    ----------
    path
        A file `{"labels": [[name, label], …]}`, in which a label is a class, from 0, or a list of numbers.
    names
        Names of the images with the path to them from the file's folder, such as '00000/img00000000.png'.

    Returns
    -------
    numpy.ndarray
        `(n, c_dim)`: the numbers, or 1 at the class and 0 elsewhere.

    Raises
    ------
    UserError
        There is no such file, it has no labels or labels other than classes or numbers, or an image has none or two.
    """
    if not path.exists():
        raise UserError(f"there is no {path.name} beside the images, which has their labels: train without labels")
    content = read_json(path)
    entries = content.get("labels") if isinstance(content, dict) else None
    if not entries:
        raise UserError(f"{path} has no labels: train without labels")
    pairs = checked(entries, list[tuple[str, Any]], f"{path}: labels")
    known: dict[str, Any] = {}
    for name, label in pairs:
        if known.setdefault(name.replace("\\", "/"), label) != label:
            raise UserError(f"{path} has two labels of {describe(name)}: keep one of them")
    missing = [name for name in names if name not in known]
    if missing:
        raise UserError(f"{path} has no label of {len(missing)} images, such as {describe(missing[0])}")
    return _as_rows([known[name] for name in names], path)


def _as_rows(labels: Sequence[Any], path: Path) -> NDArray[np.float32]:
    if all(isinstance(one, int) and not isinstance(one, bool) for one in labels):
        if not 0 <= min(labels) <= max(labels) < _MOST_CLASSES:
            span = f"{min(labels)} to {max(labels)}"
            raise UserError(f"{path}: classes are numbers from 0 to {_MOST_CLASSES - 1}, not {span}")
        found = np.zeros((len(labels), max(labels) + 1), np.float32)
        found[np.arange(len(labels)), list(labels)] = 1
        return found
    rows = checked(labels, list[list[float]], f"{path}: labels")
    widths = {len(row) for row in rows}
    if len(widths) != 1 or widths == {0}:
        raise UserError(f"{path}: labels have {', '.join(map(str, sorted(widths)))} numbers; all must have as many")
    with np.errstate(over="ignore"):
        found = np.array(rows, np.float32)
    if not np.isfinite(found).all():
        raise UserError(f"{path}: labels have numbers beyond {np.finfo(np.float32).max:.2g}: scale them down")
    return found
