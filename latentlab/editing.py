"""The algebra of edits: move latents along directions, and calibrate how far."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from latentlab.directions import Direction
from latentlab.errors import UserError

Mode = Literal["add", "place"]
Units = Literal["w", "sigma", "published"]


def _sigma(direction: Direction) -> float:
    if direction.sigma is None:
        raise UserError(f"the {direction.attribute} direction has no sigma; give strengths in units of w")
    return direction.sigma


def in_sigmas(direction: Direction, strength: float) -> float:
    """Convert a strength in units of w to standard deviations of the population along `direction`."""
    return strength / _sigma(direction)


def from_sigmas(direction: Direction, sigmas: float) -> float:
    """Convert standard deviations of the population along `direction` to a strength in units of w."""
    return sigmas * _sigma(direction)


def from_published(direction: Direction, strength: float) -> float:
    """Convert a strength as the publication of `direction` gives it, in lengths of its array, to units of w."""
    if direction.length is None:
        raise UserError(f"the {direction.attribute} direction is no published array; give strengths in units of w")
    return strength * direction.length


def in_w(direction: Direction, strength: float, units: Units) -> float:
    """Convert a strength to units of w: from these, from sigmas, or from the publication's."""
    if units == "w":
        return strength
    return from_sigmas(direction, strength) if units == "sigma" else from_published(direction, strength)


# How far edits go along a direction whose range nobody has calibrated.
_SIGMAS = 3.0
_UNITS = 2.0


def strength_range(direction: Direction) -> tuple[float, float]:
    """Strengths (away, towards) between which edits change an attribute and little else, in units of w.

    The direction's own calibrated range; where that is unknown, three sigmas to either side; where sigma is unknown as
    well, two units of w.
    """
    if direction.strength_range is not None:
        return direction.strength_range
    side = _UNITS if not direction.sigma else _SIGMAS * direction.sigma
    return -side, side


def default_strengths(direction: Direction, steps: int = 3) -> tuple[float, ...]:
    """Choose an odd number of strengths from one end of `strength_range` through 0 to the other.

    They are evenly spaced on either side of 0, and rounded to three digits, as they are shown and name files.
    """
    return tuple(float(f"{strength:.3g}") for strength in spread(*strength_range(direction), steps))


def spread(away: float, towards: float, steps: int) -> tuple[float, ...]:
    """Spread an odd number of strengths from `away` through 0 to `towards`, evenly on either side."""
    if steps < 3 or steps % 2 == 0:
        raise UserError(f"strengths on either side of 0 must be an odd number, at least 3, not {steps}")
    side = steps // 2
    return (*(away * k / side for k in range(side, 0, -1)), *(towards * k / side for k in range(side + 1)))


def edit(ws: Tensor, direction: Direction, strength: float | Tensor, mode: Mode = "add") -> Tensor:
    r"""Move ws along a direction; differentiable in ws and strength.

    With n the direction's vector, b its intercept and s the strength, a row w of its layers becomes

    .. math::

        \text{add:} \quad & w + s\,n \\
        \text{place:} \quad & w + \left(s - (w \cdot n + b)\right) n

    'place' leaves it at signed distance s from the attribute's hyperplane, whatever it was before (both in Shen et al.
    2020, InterFaceGAN). If the direction has a row :math:`n_l` for each layer, :math:`w_l` becomes
    :math:`w_l + s\,n_l`, and 'place' puts ws as a whole at that distance:

    .. math:: w_l + \left(s - \left(\frac{\sum_l n_l \cdot w_l}{\sum_l \lVert n_l\rVert^2} + b\right)\right) n_l

    Other layers stay as they are.

    Parameters
    ----------
    ws
        `(b, num_ws, w_dim)`.
    direction
        Direction of space w or w+. `Direction.check` says whether it fits the generator.
    strength
        One number, or `(b,)` with one for each of ws, in units of w along the unit vector (see `from_sigmas`).
    mode
        'add' or 'place'.

    Returns
    -------
    Tensor
        `(b, num_ws, w_dim)`.

    Raises
    ------
    UserError
        If the direction is of space z or s, does not fit ws, or has no hyperplane to place at.
    """
    if direction.space not in ("w", "w+"):
        raise UserError(f"ws move along directions of space w or w+, not {direction.space}")
    if ws.ndim != 3 or ws.shape[2] != direction.w_dim:
        raise UserError(f"ws {tuple(ws.shape)} do not fit a direction of {direction.w_dim} numbers")
    distance = torch.as_tensor(strength, dtype=ws.dtype, device=ws.device)
    if distance.shape not in ((), (len(ws),)):
        raise UserError(f"strength must be one number, or {len(ws)}, one each; not {tuple(distance.shape)}")
    distance = distance.reshape(-1, 1)  # (b or 1, 1)
    rows = torch.from_numpy(direction.rows(ws.shape[1])).to(ws)  # (num_ws, w_dim)
    if mode == "place":
        distance = distance - _signed_distance(ws, direction)  # (b, num_ws or 1)
    elif mode != "add":
        raise UserError(f"mode must be 'add' or 'place', not {mode!r}")
    return ws + distance.unsqueeze(-1) * rows


def _signed_distance(ws: Tensor, direction: Direction) -> Tensor:
    """Signed distance from the hyperplane: `(b, num_ws)` for a single vector, `(b, 1)` for a row for each layer."""
    if direction.intercept is None:
        raise UserError(f"the {direction.attribute} direction has no hyperplane; use mode 'add'")
    vector = torch.from_numpy(direction.vector).to(ws)
    if vector.ndim == 1:
        return ws @ vector + direction.intercept
    return ((ws * vector).sum((1, 2)) / vector.square().sum() + direction.intercept).unsqueeze(1)


def walk(ws: Tensor, direction: Direction, strengths: Sequence[float], mode: Mode = "add") -> Tensor:
    """Edit all ws at every strength: `(b, num_ws, w_dim)` to `(b, len(strengths), num_ws, w_dim)`; see `edit`."""
    return torch.stack([edit(ws, direction, strength, mode) for strength in strengths], dim=1)


def edit_many(ws: Tensor, edits: Iterable[tuple[Direction, float | Tensor]], mode: Mode = "add") -> Tensor:
    """Move ws along several directions, one after the other.

    With 'add' the order does not matter. With 'place' a later edit shifts what an earlier one has placed, unless their
    directions are orthogonal (see `latentlab.directions.conditional`).

    Parameters
    ----------
    ws
        `(b, num_ws, w_dim)`.
    edits
        Pairs of a direction and a strength, as `edit` takes them.
    mode
        'add' or 'place'; see `edit`.
    """
    for direction, strength in edits:
        ws = edit(ws, direction, strength, mode)
    return ws
