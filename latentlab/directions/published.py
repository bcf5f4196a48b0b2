"""Directions as publications give them: bare arrays in .npy, .npz or .pt files."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentlab.directions.direction import Direction, longest_row
from latentlab.errors import UserError

SUFFIXES = (".npy", ".npz", ".pt", ".pth")


def load_published(path: str | Path, attribute: str, generator: str | None = None) -> Direction:
    """Load a direction from a file with a single array: one row, or a row for each layer.

    Equal rows become a single vector; rows that differ become a direction with a row for each layer. The direction has
    unit length, and the original length (of the longest row) is kept as the statistic `length`: strength s in the
    publication is s · length here.

    Parameters
    ----------
    path
        An .npy or .npz file, or one that `torch.save` wrote, with floating-point numbers in the shape `(w_dim,)`,
        `(1, w_dim)`, `(num_ws, w_dim)` or `(1, num_ws, w_dim)`. No code in the file is run.
    attribute
        Attribute that grows along it.
    generator
        Fingerprint of the generator it was learnt on, if known.

    Raises
    ------
    UserError
        If the file cannot be read, or holds something else.
    """
    path = Path(path)
    array = _read_torch(path) if path.suffix in (".pt", ".pth") else _read_numpy(path)
    if array.dtype.kind != "f" or array.ndim not in (1, 2, 3) or array.size == 0:
        raise _is_none(path)
    if array.ndim == 3:
        if len(array) != 1:
            raise _is_none(path)
        array = array[0]
    rows = np.atleast_2d(array).astype(np.float64)
    length = longest_row(rows)
    if not (np.isfinite(length) and length > 0):
        raise UserError(f"{path} is not a direction: its length is {length:g}")
    equal = np.allclose(rows, rows[0], atol=1e-6 * length)
    return Direction(
        vector=((rows[0] if equal else rows) / length).astype(np.float32),
        attribute=attribute,
        method="published",
        space="w" if equal else "w+",
        statistics={"length": length},
        generator=generator,
    )


def _is_none(path: Path) -> UserError:
    return UserError(
        f"{path} is not a direction: that takes one array of floating-point numbers, a row or a row for each layer"
    )


def _read_numpy(path: Path) -> NDArray[Any]:
    try:
        found = np.load(path, allow_pickle=False)
        if isinstance(found, np.ndarray):
            return found
        with found:
            arrays = [found[name] for name in found.files]
    except (OSError, ValueError, EOFError, MemoryError, zipfile.BadZipFile) as error:
        raise UserError(f"cannot read {path} as a NumPy array: {error}") from error
    if len(arrays) != 1:
        raise UserError(f"{path} holds {len(arrays)} arrays; save the direction by itself")
    return np.asarray(arrays[0])


def _read_torch(path: Path) -> NDArray[Any]:
    from stylegan2.safe_pickle import CheckpointError, floats, read_pickled  # needs torch

    try:
        numbers: NDArray[Any] = floats(read_pickled(memoryview(path.read_bytes())), "what it holds").numpy()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error}") from error
    except CheckpointError as error:
        raise UserError(f"cannot read {path} as a direction: {error}") from error
    return numbers
