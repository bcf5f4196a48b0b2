"""Arrays as publications give them: NumPy's files, torch's, and safetensors, told apart by their content."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentlab.errors import UserError
from stylegan2.errors import MALFORMED

Arrays = dict[str, NDArray[Any]]

BARE = ""  # name of an array that is a file's whole content

# What NumPy raises for files that are damaged or hold objects.
_DAMAGE: tuple[type[Exception], ...] = (*MALFORMED, EOFError, zipfile.BadZipFile, zlib.error)


def read_arrays(path: str | Path) -> Arrays:
    """Read the arrays of a file by their names; no code in the file is run.

    Parameters
    ----------
    path
        A file of `np.save` or `np.savez`, one that `torch.save` wrote (a tensor, or a dictionary of tensors), or
        safetensors. What it is shows in its first bytes; the suffix does not matter.

    Returns
    -------
    dict of str to ndarray
        Integers stay integers; torch's floating-point numbers come as float64. An array that is the file's whole
        content has the name `BARE`.

    Raises
    ------
    UserError
        If the file cannot be read, or holds something else. Names the file.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            head = file.read(9)
        if head[4:] == b"\0\0\0\0{":  # safetensors: the header's length in eight bytes, which may begin like a pickle
            return _read_safetensors(path)
        if head.startswith(b"\x93NUMPY") or (head.startswith(b"PK") and not _is_torch_archive(path)):
            return _read_numpy(path)
        return _read_torch(path) if head.startswith((b"PK", b"\x80")) else _read_safetensors(path)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error


def _is_torch_archive(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("data.pkl") for name in archive.namelist())
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise UserError(f"cannot read {path}: it is cut short or damaged; copy or download it again") from error


def _read_numpy(path: Path) -> Arrays:
    try:
        found = np.load(path, allow_pickle=False)
        if isinstance(found, np.ndarray):
            return {BARE: found}
        with found:
            return {name: found[name] for name in found.files}
    except _DAMAGE as error:
        raise UserError(f"cannot read {path} as NumPy arrays: {error}") from error


def _read_torch(path: Path) -> Arrays:
    from stylegan2.safe_pickle import CheckpointError, read_pickled  # needs torch

    try:
        content = read_pickled(memoryview(path.read_bytes()))
        if not isinstance(content, dict):
            return {BARE: _numbers(content)}
        return {str(name): _numbers(value) for name, value in content.items()}
    except CheckpointError as error:
        raise UserError(f"cannot read {path} as tensors: {error}") from error


def _numbers(value: Any) -> NDArray[Any]:
    """A tensor or array of a pickle."""
    from stylegan2.safe_pickle import Array, CheckpointError, TensorView

    if isinstance(value, Array) and value.state is not None:
        return np.array(value.state)
    if not isinstance(value, TensorView):
        raise CheckpointError(f"it holds a {type(value).__name__} where a tensor should be")
    tensor = value.read()
    return np.asarray((tensor.double() if tensor.is_floating_point() else tensor).numpy())


def _read_safetensors(path: Path) -> Arrays:
    from safetensors import SafetensorError
    from safetensors.torch import load_file  # NumPy's has no bfloat16

    try:
        tensors = load_file(path)
    except SafetensorError as error:
        raise UserError(
            f"cannot read {path}: it is no file of NumPy, torch or safetensors, or is cut short ({error})"
        ) from error
    return {name: (v.double() if v.is_floating_point() else v).numpy() for name, v in tensors.items()}
