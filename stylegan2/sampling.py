"""Latents: drawing z from seeds, truncation, style mixing, interpolation."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from numbers import Integral

import numpy as np
import torch
from torch import Tensor


def z_from_seeds(seeds: int | Iterable[int], z_dim: int) -> Tensor:
    """Draw one z per seed, by the convention of published StyleGAN images.

    Parameters
    ----------
    seeds
        One seed or several, integers in 0 … 2**32 - 1.
    z_dim
        Width of z, from 1.

    Returns
    -------
    Tensor
        `(len(seeds), z_dim)`, float32: row i is `numpy.random.RandomState(seeds[i]).randn(1, z_dim)`.

    Raises
    ------
    ValueError
        A seed that is not an integer or out of range, or a z_dim below 1.
    """
    if z_dim < 1:
        raise ValueError(f"z_dim must be at least 1, not {z_dim}")
    seeds = list(seeds) if isinstance(seeds, Iterable) else [seeds]
    for seed in seeds:
        if isinstance(seed, (bool, np.bool_)) or not isinstance(seed, Integral):
            raise ValueError(f"a seed must be an integer, not {seed!r} ({type(seed).__name__})")
        if not 0 <= seed < 2**32:
            raise ValueError(f"a seed must be in 0 … 4294967295 (2**32 - 1), not {seed}")
    rows = [np.random.RandomState(int(seed)).randn(1, z_dim) for seed in seeds]
    return torch.from_numpy(np.concatenate(rows or [np.empty((0, z_dim))]).astype(np.float32))


def one_psi(psi: float | None, truncation_psi: float | None) -> float:
    """Return the truncation that was given under either of its two names, or 1; ValueError if under both."""
    if psi is not None and truncation_psi is not None:
        raise ValueError(
            f"psi and truncation_psi are two names of one number: give one, not {psi} and {truncation_psi}"
        )
    given = truncation_psi if psi is None else psi
    return 1.0 if given is None else given


def truncate(
    ws: Tensor,
    w_avg: Tensor,
    psi: float | None = None,
    cutoff: int | None = None,
    truncation_psi: float | None = None,
) -> Tensor:
    r"""Pull ws towards the mean: the truncation trick (Karras et al. 2019, B).

    .. math:: w' = \bar w + \psi\,(w - \bar w)

    Parameters
    ----------
    ws
        `(batch, num_ws, w_dim)`.
    w_avg
        `(w_dim,)`.
    psi
        1, the default, changes nothing, 0 gives w_avg; any finite number.
    cutoff
        Truncate the first `cutoff` rows only, 0 … num_ws; None for all.
    truncation_psi
        Another name for psi.

    Returns
    -------
    Tensor
        `(batch, num_ws, w_dim)`; `ws` itself where nothing changes.

    Raises
    ------
    ValueError
        psi is not finite or given under both names, or cutoff is not an integer in its range.
    """
    psi = one_psi(psi, truncation_psi)
    if not math.isfinite(psi):
        raise ValueError(f"psi must be a finite number, not {psi}")
    num_ws = ws.shape[1]
    if cutoff is not None and (not isinstance(cutoff, Integral) or not 0 <= cutoff <= num_ws):
        raise ValueError(f"cutoff must be None or an integer in 0 … {num_ws} (num_ws), not {cutoff!r}")
    if psi == 1:
        return ws
    head = torch.lerp(w_avg.to(ws), ws[:, :cutoff], psi)
    return head if cutoff is None else torch.cat([head, ws[:, cutoff:]], dim=1)


def style_mix(ws_a: Tensor, ws_b: Tensor, layers: range | slice | Sequence[int]) -> Tensor:
    """Take the rows `layers` from `ws_b` and all others from `ws_a` (Karras et al. 2019, section 3.1).

    Parameters
    ----------
    ws_a, ws_b
        `(batch, num_ws, w_dim)`; batches that broadcast.
    layers
        Rows of ws: a range, a slice or a sequence of indices; negative ones count from the end.

    Returns
    -------
    Tensor
        `(batch, num_ws, w_dim)`, a new tensor.

    Raises
    ------
    ValueError
        Shapes that do not match, or a row that is out of range.
    """
    if ws_a.dim() != 3 or ws_b.dim() != 3 or ws_a.shape[1:] != ws_b.shape[1:]:
        raise ValueError(
            "ws_a and ws_b must be (batch, num_ws, w_dim) with the same num_ws and w_dim, "
            f"not {tuple(ws_a.shape)} and {tuple(ws_b.shape)}"
        )
    num_ws = ws_a.shape[1]
    rows = list(range(num_ws))[layers] if isinstance(layers, slice) else list(layers)
    for row in rows:
        if not isinstance(row, Integral) or not -num_ws <= row < num_ws:
            raise ValueError(f"layers must be row numbers in {-num_ws} … {num_ws - 1}, not {row!r}")
    from_b = torch.zeros(num_ws, dtype=torch.bool, device=ws_a.device)
    from_b[rows] = True
    return torch.where(from_b[:, None], ws_b, ws_a)


def lerp(a: Tensor, b: Tensor, t: float | Tensor) -> Tensor:
    r"""Interpolate along the straight line, :math:`a + t\,(b - a)`; use it in W.

    Parameters
    ----------
    a, b
        Latents whose shapes broadcast.
    t
        Position, 0 at `a` and 1 at `b`; beyond them it extrapolates. A tensor must broadcast.
    """
    return torch.lerp(a, b, t)


def slerp(a: Tensor, b: Tensor, t: float | Tensor) -> Tensor:
    r"""Interpolate along the great circle between the directions of a and b; use it in Z.

    As perceptual path length defines it (Karras et al. 2019, section 4.1): both ends are put on the unit
    sphere first, and so is every point between. The networks normalise z, so its length does not matter. With
    :math:`\theta` the angle between the two,

    .. math:: \frac{\sin((1 - t)\,\theta)\,a + \sin(t\,\theta)\,b}{\sin\theta}

    Parameters
    ----------
    a, b
        `(…, dim)`, latents whose shapes broadcast. Not zero, and not opposite: no one circle joins those.
    t
        Position, 0 at `a` and 1 at `b`. A tensor must broadcast with the latents, as `(…, 1)`.

    Returns
    -------
    Tensor
        `(…, dim)`, of length 1.
    """
    a = torch.nn.functional.normalize(a, dim=-1)
    b = torch.nn.functional.normalize(b, dim=-1)
    cosine = (a * b).sum(dim=-1, keepdim=True)
    aside = torch.nn.functional.normalize(b - cosine * a, dim=-1)  # at a right angle to a; 0 where a = b
    # atan2 keeps its precision at small angles, where arccos of the cosine loses half the digits.
    angle = t * torch.atan2((aside * b).sum(dim=-1, keepdim=True), cosine)
    return torch.nn.functional.normalize(a * torch.cos(angle) + aside * torch.sin(angle), dim=-1)
