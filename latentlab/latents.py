"""Latent codes of images: read them as encoders and projectors save them, and match their rows to a generator's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from latentlab.arrays import BARE, Arrays, read_arrays
from latentlab.errors import UserError
from latentlab.files import atomic_path

if TYPE_CHECKING:
    from torch import Tensor

Rows = TypeVar("Rows", "Tensor", "NDArray[Any]")

# Names under which files keep codes: the public projector's, those of encoders, our own projections'.
_CODES = ("ws", "w", "latents", "latent", "code.ws", "code.w")
_DIRECTIONS = ("vector", "direction", "boundary")


def load_latents(path: str | Path) -> Tensor:
    """Load latent codes of images.

    Parameters
    ----------
    path
        The `latents.pt` of e4e and pSp, the `projected_w.npz` of the public projector, what rosinality's projector
        saves, a `Projection.save` of this package, a list of tensors in a .pt file, or another .npy, .npz, .pt or
        .safetensors file with one array: `(w_dim,)` or `(1, w_dim)`, a code of W; `(rows, w_dim)`, a code of W+; or
        `(n, rows, w_dim)`, n codes. No code in the file is run.

    Returns
    -------
    Tensor
        `(n, rows, w_dim)` float32 on the CPU; codes of W have a single row. `latentlab.latents.match_rows` gives them
        the rows that a generator takes.

    Raises
    ------
    UserError
        If the file cannot be read, or holds something else.
    """
    import torch

    codes = np.asarray(_codes_among(read_arrays(path), path))
    if codes.dtype.kind not in "fiu" or codes.ndim not in (1, 2, 3) or codes.size == 0 or not np.isfinite(codes).all():
        raise UserError(
            f"{path} holds no latent codes: these are finite numbers (w_dim), (rows, w_dim) or (n, rows, w_dim), "
            f"not {codes.dtype} {codes.shape}"
        )
    if codes.ndim < 3:
        codes = np.atleast_2d(codes)[None]
    found = torch.from_numpy(codes.astype(np.float32))
    if not found.isfinite().all():
        raise UserError(f"{path} holds numbers beyond those that latent codes have")
    return found


def save_latents(ws: Tensor, path: str | Path) -> None:
    """Save latent codes in a form that other tools read, by the file's suffix; `load_latents` reads all of them.

    Parameters
    ----------
    ws
        `(n, rows, w_dim)`.
    path
        .pt for the `latents.pt` of e4e and pSp, a tensor; .npz for the `projected_w.npz` of the public projector, an
        array called w; .npy for a bare array; .safetensors for a tensor called ws. All are (n, rows, w_dim).

    Raises
    ------
    UserError
        The suffix is none of these, or the file cannot be written.
    """
    path, codes = Path(path), ws.detach().float().cpu().contiguous()
    check_latents_path(path)
    with atomic_path(path) as temporary:
        _WRITERS[path.suffix](codes, temporary)


def check_latents_path(path: Path) -> None:
    """Refuse a suffix that `save_latents` does not know, before any long work; UserError."""
    if path.suffix not in _WRITERS:
        raise UserError(f"latent codes are written as {', '.join(_WRITERS)}, not as {path.name}")


def _write_pt(codes: Tensor, path: Path) -> None:
    import torch

    with path.open("wb") as file:  # given a path, torch writes its name into the file, and this one is temporary
        torch.save(codes, file)


def _write_npz(codes: Tensor, path: Path) -> None:
    np.savez(path, w=codes.numpy())


def _write_npy(codes: Tensor, path: Path) -> None:
    np.save(path, codes.numpy())


def _write_safetensors(codes: Tensor, path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"ws": codes}, path)


_WRITERS = {".pt": _write_pt, ".npz": _write_npz, ".npy": _write_npy, ".safetensors": _write_safetensors}


def are_codes(arrays: Arrays) -> bool:
    """Whether the arrays of a file show by a name or their number that they are codes and not a direction."""
    return any(name in _CODES or (array.ndim == 3 and len(array) > 1) for name, array in arrays.items())


def match_rows(ws: Rows, num_ws: int) -> Rows:
    """Match rows to those of another generator, by resolution: `(…, rows, w_dim)` to `(…, num_ws, w_dim)`.

    Rows 2k − 1 and 2k belong to the resolution 4 · 2^k in every StyleGAN2, and in the mobile generator. So finer rows
    than the generator has are left out, and where it has finer ones the last row is repeated, as the one row of W is.
    """
    last = ws.shape[-2] - 1
    matched: Rows = ws[..., [min(row, last) for row in range(num_ws)], :]
    return matched


def _codes_among(arrays: Arrays, path: str | Path) -> NDArray[Any]:
    if set(arrays) & set(_DIRECTIONS):
        raise UserError(f"{path} holds a direction, not latent codes; give it as the direction")
    named = [arrays[name] for name in _CODES if name in arrays]
    if len(named) == 1:
        return named[0]
    if len(arrays) == 1:
        return next(iter(arrays.values()))
    names = ", ".join(name for name in sorted(arrays) if name != BARE)
    raise UserError(f"{path} holds {len(arrays)} arrays ({names or 'no names'}) and no single one called w or ws")
