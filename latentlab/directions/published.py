"""Directions as publications give them: bare arrays in the files of NumPy, torch or safetensors."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import numpy as np

from latentlab.arrays import Arrays, read_arrays
from latentlab.directions.direction import Direction, longest_row
from latentlab.directions.styles import StyleChannels
from latentlab.errors import UserError
from latentlab.latents import are_codes

_LAYER = re.compile(r"[A-Za-z_]*\d+\.[A-Za-z_0-9.]+")  # such as b8.conv1


def load_published(
    path: str | Path, attribute: str, generator: str | None = None, space: Literal["w", "z"] = "w"
) -> Direction:
    """Load a direction from a file with one array (a row, or a row for each layer) or one array for each style layer.

    Equal rows become a single vector; rows that differ become a direction with a row for each layer, and rows of zeros
    leave theirs as they are. The direction has unit length and the array's sign, and the array's length (of its longest
    row) is kept as `Direction.length`: `latentlab.editing.from_published` converts strengths there to strengths here.

    Arrays that are named like style layers, such as 'b8.conv1', are a direction of space s: what strength 1 adds to
    the channels of each. Their spread is not in the file, so strengths count the array's length and not deviations.

    Parameters
    ----------
    path
        A file as `latentlab.arrays.read_arrays` takes it, with numbers of any type in the shape `(w_dim,)`,
        `(1, w_dim)`, `(num_ws, w_dim)` or `(1, num_ws, w_dim)`; or arrays `(channels,)` or `(1, channels)` by layer.
        No code in the file is run.
    attribute
        Attribute that grows along it.
    generator
        Fingerprint of the generator it was learnt on, if known.
    space
        What a single row moves, w or z: the file does not say. A row for each layer moves w.

    Raises
    ------
    UserError
        If the file cannot be read, or holds something else, such as latent codes or, for z, several rows.
    """
    arrays = read_arrays(path)
    if are_codes(arrays):
        raise UserError(f"{path} holds latent codes, not a direction: edit them with --latents, see load_latents")
    if space == "w" and all(_LAYER.fullmatch(name) for name in arrays):
        return _of_styles(arrays, path, attribute, generator)
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
    if space == "z" and len(rows) > 1:
        raise UserError(f"{path} has {len(rows)} rows, which move w; a direction of z is a single one")
    equal = np.allclose(rows, rows[0], atol=1e-6 * length)
    return Direction(
        vector=((rows[0] if equal else rows) / length).astype(np.float32),
        attribute=attribute,
        method="published",
        space=space if equal else "w+",
        statistics={"length": length},
        generator=generator,
    )


def _of_styles(arrays: Arrays, path: str | Path, attribute: str, generator: str | None) -> Direction:
    """A direction of space s from what strength 1 adds to the channels of each layer."""
    rows = {layer: np.atleast_1d(array.squeeze()) for layer, array in arrays.items()}
    if any(row.dtype.kind not in "fiu" or row.ndim != 1 for row in rows.values()):
        raise UserError(f"{path} is not a direction: each layer takes one row of numbers")
    moved = {layer: np.flatnonzero(row) for layer, row in rows.items()}
    if not any(map(len, moved.values())):
        raise UserError(f"{path} is not a direction: it moves no channel of any layer")
    steps = np.concatenate([rows[layer][at] for layer, at in moved.items()]).astype(np.float64)
    length = float(np.linalg.norm(steps))
    if not (np.isfinite(length) and length > 0):
        raise UserError(f"{path} is not a direction: its length is {length:g}")
    channels = StyleChannels(
        tuple(layer for layer, at in moved.items() for _ in at),
        np.concatenate(list(moved.values())),
        np.ones(len(steps), dtype=np.float32),
    )
    return Direction(
        (steps / length).astype(np.float32),
        attribute,
        "published",
        "s",
        statistics={"length": length},
        generator=generator,
        channels=channels,
    )
