"""Moving latents along a direction, how far to go, and what the scorer makes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor

from latentlab.directions import Direction
from latentlab.errors import UserError

Mode = Literal["add", "place"]


class TargetNotReached(UserError):
    """No strength that was tried has the effect that was wanted."""


def _sigma(direction: Direction) -> float:
    if direction.sigma is None:
        raise UserError(f"the {direction.attribute} direction has no sigma; give strengths in units of w")
    return direction.sigma


def in_sigmas(direction: Direction, strength: float) -> float:
    """A strength in units of w as standard deviations of the population along `direction`."""
    return strength / _sigma(direction)


def from_sigmas(direction: Direction, sigmas: float) -> float:
    """Standard deviations of the population along `direction` as a strength in units of w."""
    return sigmas * _sigma(direction)


def edit(ws: Tensor, direction: Direction, strength: float | Tensor, mode: Mode = "add") -> Tensor:
    """Move ws along a direction; differentiable in ws and strength.

    With n the direction's vector, a row w of its layers becomes

    - add: w + strength · n;
    - place: w + (strength − (w·n + intercept)) · n, which lies at signed distance `strength` from the
      attribute's hyperplane, whatever it was before (both in Shen et al. 2020, InterFaceGAN).

    Rows of other layers stay as they are.

    Parameters
    ----------
    ws
        `(b, num_ws, w_dim)`.
    direction
        In space w or w+. `Direction.check` says whether it fits the generator.
    strength
        A number, or `(b,)`: one each. In units of w along the unit vector (see `from_sigmas`).
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
    if ws.ndim != 3 or ws.shape[2] != len(direction.vector):
        raise UserError(f"ws {tuple(ws.shape)} do not fit a direction of {len(direction.vector)} numbers")
    normal = torch.from_numpy(direction.vector).to(ws)  # (w_dim,)
    distance = torch.as_tensor(strength, dtype=ws.dtype, device=ws.device)
    if distance.shape not in ((), (len(ws),)):
        raise UserError(f"strength must be one number, or {len(ws)}, one each; not {tuple(distance.shape)}")
    distance = distance.reshape(-1, 1)  # (b or 1, 1)
    if mode == "place":
        if direction.intercept is None:
            raise UserError(f"the {direction.attribute} direction has no hyperplane; use mode 'add'")
        distance = distance - (ws @ normal + direction.intercept)  # (b, num_ws)
    elif mode != "add":
        raise UserError(f"mode must be 'add' or 'place', not {mode!r}")
    chosen = _chosen(direction.layers, ws)  # (num_ws, 1)
    return ws + distance.unsqueeze(-1) * (chosen * normal)


def _chosen(layers: tuple[int, ...] | None, ws: Tensor) -> Tensor:
    """One where a layer moves, zero where it stays: `(num_ws, 1)`."""
    rows = ws.shape[1]
    if layers is None:
        return ws.new_ones(rows, 1)
    if max(layers) >= rows:
        raise UserError(f"the direction is for layer {max(layers)}; ws have {rows} rows")
    chosen = ws.new_zeros(rows, 1)
    chosen[list(layers)] = 1
    return chosen


def walk(ws: Tensor, direction: Direction, strengths: Sequence[float], mode: Mode = "add") -> Tensor:
    """Every code at every strength: `(b, num_ws, w_dim)` to `(b, len(strengths), num_ws, w_dim)`."""
    return torch.stack([edit(ws, direction, strength, mode) for strength in strengths], dim=1)


def calibrate(
    respond: Callable[[float], float], target: float, strengths: Sequence[float], bisections: int = 4
) -> float:
    """The first strength at which a response reaches a target.

    Tries `strengths` in their order and, at the first that reaches the target, halves the step before it.
    Use training rows in `respond`: a strength chosen on the rows it is judged by flatters itself.

    Parameters
    ----------
    respond
        Strength to response, say the share of faces that changed label, or their mean score.
    target
        The response wanted, at least.
    strengths
        A series outwards, say 0.5, 1, … or −0.5, −1, …
    bisections
        How often the step is halved; the answer is that fine.

    Returns
    -------
    float
        A strength whose response was found to reach the target.

    Raises
    ------
    TargetNotReached
        If no strength reaches it. Says how far the response went.
    """
    best = float("-inf")
    before: float | None = None
    for strength in strengths:
        response = respond(strength)
        if response >= target:
            return strength if before is None else _bisect(respond, target, before, strength, bisections)
        best = max(best, response)
        before = strength
    raise TargetNotReached(
        f"no strength reaches {target:g}; the best of {len(strengths)} gives {best:g}; widen the series"
    )


def _bisect(respond: Callable[[float], float], target: float, below: float, reached: float, bisections: int) -> float:
    for _ in range(bisections):
        middle = (below + reached) / 2
        if respond(middle) >= target:
            reached = middle
        else:
            below = middle
    return reached
