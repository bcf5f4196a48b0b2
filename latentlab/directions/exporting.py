"""Directions in the forms that other projects read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from latentlab.arrays import BARE, Arrays
from latentlab.directions.direction import Direction
from latentlab.errors import UserError
from latentlab.files import atomic_path

Form = Literal["vector", "row", "rows"]
SUFFIXES = (".npy", ".npz", ".pt", ".safetensors")
_NAME = "direction"  # of the only array of a file whose arrays have names


def export_direction(
    direction: Direction,
    path: str | Path,
    form: Form | None = None,
    num_ws: int | None = None,
    widths: Mapping[str, int] | None = None,
) -> None:
    """Write a direction without its card, as other projects read it; `latentlab.load_direction` reads it back.

    Arrays have the direction's `length` where it was published with one, and length 1 otherwise.

    Parameters
    ----------
    direction
        Direction of any space.
    path
        File; its suffix is one of `SUFFIXES`. A .npy or .pt holds the array itself.
    form
        'vector': `(w_dim,)`; 'row': `(1, w_dim)`; 'rows': `(num_ws, w_dim)`, with zeros for layers that stay. None
        means 'row', or 'rows' for a direction with rows or layers. A direction of space s is always an array
        `(channels,)` for each layer that it moves: what strength 1 adds to the styles.
    num_ws
        Rows of ws, for 'rows' of a single vector.
    widths
        Channels of each layer, for a direction of space s (`latentlab.directions.styles.style_widths`).

    Raises
    ------
    UserError
        If the suffix is unknown, the form does not fit the direction, or the file cannot be written.
    """
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise UserError(f"a direction is exported as {', '.join(SUFFIXES)}, not {path.name}")
    arrays = _styles(direction, form, widths) if direction.space == "s" else {BARE: _array(direction, form, num_ws)}
    if path.suffix == ".npy" and BARE not in arrays:
        raise UserError(
            f"a direction of styles has an array for each layer, which {path.name} cannot hold: take .npz or, for a "
            "single array, a direction of w, such as smile-w"
        )
    _write(path, arrays)


def _array(direction: Direction, form: Form | None, num_ws: int | None) -> NDArray[np.float32]:
    whole = direction.vector.ndim == 1 and direction.layers is None
    form = ("row" if whole else "rows") if form is None else form
    if form not in get_args(Form):
        raise UserError(f"the form of an exported direction is {', '.join(get_args(Form))}, not {form!r}")
    scale = np.float32(direction.length or 1.0)
    if form == "rows":
        if num_ws is None:
            if direction.vector.ndim == 1:
                raise UserError("rows for each layer take the number of rows of ws")
            num_ws = len(direction.vector)
        return np.asarray(direction.rows(num_ws) * scale, dtype=np.float32)
    if not whole:
        raise UserError(f"the {direction.attribute} direction moves layers differently: export it in the form rows")
    vector = np.asarray(direction.vector * scale, dtype=np.float32)
    return vector if form == "vector" else vector[None]


def _styles(direction: Direction, form: Form | None, widths: Mapping[str, int] | None) -> Arrays:
    channels = direction.channels
    assert channels is not None  # as every direction of space s has
    if form is not None:
        raise UserError(
            "a direction of styles has one form, an array for each layer: leave the form out, or take a direction of "
            "w, such as smile-w"
        )
    if widths is None:
        raise UserError("a direction of styles takes the number of channels of each layer")
    channels.check(widths)
    steps = direction.vector * channels.scales * np.float32(direction.length or 1.0)
    arrays: Arrays = {}
    for layer, at in channels.by_layer().items():
        arrays[layer] = np.zeros(widths[layer], dtype=np.float32)
        arrays[layer][channels.indices[at]] = steps[at]
    return arrays


def _write(path: Path, arrays: Arrays) -> None:
    with atomic_path(path) as temporary:
        if path.suffix == ".npy":
            np.save(temporary, arrays[BARE], allow_pickle=False)
        elif path.suffix == ".npz":
            with temporary.open("wb") as file:
                np.savez(file, allow_pickle=False, **{name or _NAME: array for name, array in arrays.items()})
        else:
            _write_tensors(temporary, arrays)


def _write_tensors(path: Path, arrays: Arrays) -> None:
    import torch
    from safetensors.torch import save_file

    tensors = {name or _NAME: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}
    if path.suffix == ".pt":
        with path.open("wb") as file:  # given a path, torch writes its name into the file, and this one is temporary
            torch.save(tensors.get(_NAME, tensors), file)
    else:
        save_file(tensors, path)
