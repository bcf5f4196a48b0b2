"""Directions as publications give them: bare arrays in the files of NumPy, torch or safetensors."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from latentlab.arrays import read_arrays
from latentlab.directions.direction import Direction, longest_row
from latentlab.errors import UserError
from latentlab.latents import are_codes


def load_published(path: str | Path, attribute: str, generator: str | None = None) -> Direction:
    """Load a direction from a file with a single array: one row, or a row for each layer.

    Equal rows become a single vector; rows that differ become a direction with a row for each layer, and rows of zeros
    leave theirs as they are. The direction has unit length and the array's sign, and the array's length (of its longest
    row) is kept as `Direction.length`: `latentlab.editing.from_published` gives the strength here of one there.

    Parameters
    ----------
    path
        A file as `latentlab.arrays.read_arrays` takes it, with numbers of any type in the shape `(w_dim,)`,
        `(1, w_dim)`, `(num_ws, w_dim)` or `(1, num_ws, w_dim)`. No code in the file is run.
    attribute
        Attribute that grows along it.
    generator
        Fingerprint of the generator it was learnt on, if known.

    Raises
    ------
    UserError
        If the file cannot be read, or holds something else, such as latent codes.
    """
    arrays = read_arrays(path)
    if are_codes(arrays):
        raise UserError(f"{path} holds latent codes, not a direction: edit them with --latents, see load_latents")
    if len(arrays) != 1:
        raise UserError(f"{path} holds {len(arrays)} arrays; save the direction by itself")
    array = next(iter(arrays.values()))
    if array.dtype.kind not in "fiu" or array.ndim not in (1, 2, 3) or array.size == 0:
        raise UserError(
            f"{path} is not a direction: that takes one array of numbers, a row or a row for each layer, "
            f"not {array.dtype} {array.shape}"
        )
    rows = np.atleast_2d(array[0] if array.ndim == 3 else array).astype(np.float64)
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
