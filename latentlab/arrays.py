"""Arrays as publications give them: NumPy's files, torch's, and safetensors, told apart by their content."""

from __future__ import annotations

import io
import math
import tokenize
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from latentlab.archives import check_members
from latentlab.errors import UserError
from latentlab.files import check_regular
from stylegan2.describing import describe, printable
from stylegan2.errors import MALFORMED, CheckpointError

Arrays = dict[str, NDArray[Any]]

BARE = ""  # name of an array that is a file's whole content
_LATENT = "latent"  # of each image, in files of rosinality's projector

# How much larger than the file its arrays may be: weights and latents hardly compress.
_RATIO = 4
_LONGEST = 100  # characters of somebody else's error, or of a header, in a message
# What readers raise for files that are damaged; NumPy reads its header as Python's tokenizer does.
_DAMAGE: tuple[type[Exception], ...] = (
    *MALFORMED,
    EOFError,
    SyntaxError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


def read_arrays(path: str | Path) -> Arrays:
    """Read the arrays of a file by name; no code in the file is run.

    Parameters
    ----------
    path
        A file of `np.save` or `np.savez`, one that `torch.save` wrote (a tensor, a list or a dictionary of tensors, or
        what the projector of rosinality's stylegan2-pytorch saves: by image, a dictionary with its `latent`), or a
        safetensors file. Its first bytes show which it is; the suffix does not matter. Lists are `(n, rows, w_dim)`.

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
    check_regular(path)
    try:
        with path.open("rb") as file:
            head = file.read(9)
        return _reader_of(head, path)(path)
    except (UserError, CheckpointError) as error:
        raise UserError(f"cannot read {path}: {error}") from error
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    except _DAMAGE as error:
        reason = printable(str(error))[:_LONGEST] or type(error).__name__
        raise UserError(
            f"cannot read {path}: it is cut short or damaged ({reason}); copy or download it again"
        ) from error


def _reader_of(head: bytes, path: Path) -> Callable[[Path], Arrays]:
    """The function that reads a file which begins like this."""
    if head[4:] == b"\0\0\0\0{":  # safetensors: the header's length in eight bytes, which may begin like a pickle
        return _read_safetensors
    if head.startswith(b"\x93NUMPY"):
        return _read_npy
    if head.startswith(b"PK"):
        with zipfile.ZipFile(path) as archive:
            of_torch = any(name.endswith("data.pkl") for name in archive.namelist())
        return _read_torch if of_torch else _read_npz
    return _read_torch if head.startswith(b"\x80") else _read_safetensors


def _read_npy(path: Path) -> Arrays:
    return {BARE: _array_in(path.read_bytes())}


def _read_npz(path: Path) -> Arrays:
    """Read every member whole: np.load would trust what a member declares, and leaves checks to its first use."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        check_members(members, path.stat().st_size, _RATIO)
        if stray := [member.filename for member in members if not member.filename.endswith(".npy")]:
            raise UserError(f"it is no archive of NumPy arrays: it holds {describe(stray[0])}")
        return {member.filename.removesuffix(".npy"): _array_in(archive.read(member)) for member in members}


def _array_in(content: bytes) -> NDArray[Any]:
    """The array of a file of `np.save`, whose header may declare anything."""
    stream = io.BytesIO(content)
    version = npy.read_magic(stream)
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    if version not in readers:  # that of structures with names beyond ASCII
        raise UserError(f"it is a NumPy array of format {version}, which numbers do not need")
    shape, by_columns, dtype = readers[version](stream)
    if dtype.kind == "O":
        raise UserError(
            "it holds Python objects, such as a dictionary, in a pickle, which could run code and is not read; where "
            "you trust it, read it by np.load(FILE, allow_pickle=True) and write the array in it alone, by np.save, or "
            "several by np.savez"
        )
    if dtype.kind not in "biuf":
        raise UserError(f"it holds a NumPy array of {printable(str(dtype))[:_LONGEST]}, not of numbers")
    count, start = math.prod(shape), stream.tell()
    if min(shape, default=0) < 0 or count * dtype.itemsize > len(content) - start:
        raise UserError(f"it is cut short: it declares a NumPy array {printable(str(shape))[:_LONGEST]} of {dtype}")
    found: NDArray[Any] = np.frombuffer(content, dtype, count, start).copy()  # which may be written to
    return found.reshape(shape, order="F" if by_columns else "C")


def _read_torch(path: Path) -> Arrays:
    from stylegan2.safe_pickle import read_pickled  # needs torch

    content = read_pickled(memoryview(path.read_bytes()))
    if isinstance(content, (list, tuple)):
        return {BARE: _of_images([_numbers(value) for value in content])}
    if not isinstance(content, dict):
        return {BARE: _numbers(content)}
    images = [value for value in content.values() if isinstance(value, dict)]
    if images and len(images) == len(content) and all(_LATENT in image for image in images):
        return {_LATENT: _of_images([_numbers(image[_LATENT]) for image in images])}
    return {name if isinstance(name, str) else describe(name): _numbers(value) for name, value in content.items()}


def _of_images(codes: list[NDArray[Any]]) -> NDArray[Any]:
    """One array `(n, rows, w_dim)` of codes of one image each: `(w_dim,)`, `(rows, w_dim)` or `(1, rows, w_dim)`."""
    if not codes:
        raise UserError("it holds an empty list")
    shapes = {code.shape for code in codes}
    if len(shapes) > 1 or codes[0].ndim not in (1, 2, 3):
        told = ", ".join(sorted(map(str, shapes))[:3])
        raise UserError(f"it holds arrays of {told}: those of one list have one shape, (rows, w_dim) or the like")
    return np.concatenate([code if code.ndim == 3 else np.atleast_2d(code)[None] for code in codes])


def _numbers(value: Any) -> NDArray[Any]:
    """A tensor or array of a pickle."""
    from stylegan2.safe_pickle import Array, TensorView

    if isinstance(value, Array) and value.state is not None:
        return np.array(value.state)
    if not isinstance(value, TensorView):
        raise CheckpointError(f"it holds a {type(value).__name__} where a tensor should be")
    tensor = value.read()
    return np.asarray((tensor.double() if tensor.is_floating_point() else tensor).numpy())


def _read_safetensors(path: Path) -> Arrays:
    from safetensors import SafetensorError
    from safetensors.torch import load  # NumPy's has no bfloat16

    try:
        tensors = load(path.read_bytes())
    except SafetensorError as error:
        reason = printable(str(error))[:_LONGEST]
        raise UserError(f"it is no file of NumPy, torch or safetensors, or is cut short ({reason})") from error
    return {name: (v.double() if v.is_floating_point() else v).numpy() for name, v in tensors.items()}
