"""The algebra of edits: move latents along directions, and calibrate how far."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, get_args

import torch
from torch import Tensor

from latentlab.directions import Direction
from latentlab.errors import UserError
from latentlab.mapping import check_has_w
from latentlab.rendering import Latents, from_styles, noise_maps_in, styles_of, with_noise_maps, ws_of

if TYPE_CHECKING:
    from latentlab.directions import Edits
    from stylegan2.protocol import Generator

Mode = Literal["add", "place"]
Units = Literal["w", "sigma", "published"]


def _sigma(direction: Direction) -> float:
    if direction.sigma is None:
        raise UserError(f"the {direction.attribute} direction has no sigma; give strengths in its own units")
    return direction.sigma


def in_sigmas(direction: Direction, strength: float) -> float:
    """Convert a strength in the units of `direction` to standard deviations of the population along `direction`."""
    return strength / _sigma(direction)


def from_sigmas(direction: Direction, sigmas: float) -> float:
    """Convert standard deviations of the population along `direction` to a strength in its units."""
    return sigmas * _sigma(direction)


def from_published(direction: Direction, strength: float) -> float:
    """Convert a strength as the publication of `direction` gives it, in lengths of its array, to our units."""
    if direction.length is None:
        raise UserError(f"the {direction.attribute} direction is no published array; give strengths in its own units")
    return strength * direction.length


def in_w(direction: Direction, strength: float, units: Units) -> float:
    """Convert a strength to the units of `direction`: from these ('w'), from sigmas, or from the publication's."""
    if units == "w":
        return strength
    return from_sigmas(direction, strength) if units == "sigma" else from_published(direction, strength)


# How far edits go along a direction whose range nobody has calibrated.
_SIGMAS = 3.0
_UNITS = 2.0


def strength_range(direction: Direction) -> tuple[float, float]:
    """Strengths (away, towards) between which edits change an attribute and little else, in its units.

    The direction's own calibrated range; where that is unknown, three sigmas to either side; where sigma is unknown as
    well, two units.
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
    r"""Move ws along a direction of w or w+, or z along one of z; differentiable in ws and strength.

    With n the direction's vector, b its intercept and s the strength, a row w of its layers becomes

    .. math::

        \text{add:} \quad & w + s\,n \\
        \text{place:} \quad & w + \left(s - (w \cdot n + b)\right) n

    'place' leaves it at signed distance s from the attribute's hyperplane, whatever it was before (both in Shen et al.
    2020, InterFaceGAN). If the direction has a row :math:`n_l` for each layer, :math:`w_l` becomes
    :math:`w_l + s\,n_l`, and 'place' puts ws as a whole at that distance:

    .. math:: w_l + \left(s - \left(\frac{\sum_l n_l \cdot w_l}{\sum_l \lVert n_l\rVert^2} + b\right)\right) n_l

    Other layers stay as they are. `move` takes directions of all spaces.

    Parameters
    ----------
    ws
        `(b, num_ws, w_dim)`; z `(b, z_dim)` for a direction of space z.
    direction
        Direction of space w, w+ or z. `Direction.check` says whether it fits the generator.
    strength
        One number, or `(b,)` with one for each of ws, in units of the unit vector (see `from_sigmas`).
    mode
        'add' or 'place'.

    Returns
    -------
    Tensor
        `(b, num_ws, w_dim)`, or `(b, z_dim)`.

    Raises
    ------
    UserError
        If the direction is of space s, does not fit ws, or has no hyperplane to place at.
    """
    if direction.space == "s":
        raise UserError(
            "ws move along directions of space w or w+, not s: latentlab.move(ws, strength * direction, generator) "
            "takes all spaces; of the directions that come with the package, smile-w is the smile of w"
        )
    shape = ("b", direction.width) if direction.space == "z" else ("b", "num_ws", direction.width)
    if ws.ndim != len(shape) or ws.shape[-1] != direction.width:
        raise UserError(f"latents {tuple(ws.shape)} do not fit a direction of {direction.width} numbers")
    distance = _distances(strength, len(ws), ws)  # (b or 1,)
    if direction.space == "z":
        vector = torch.from_numpy(direction.vector).to(ws)
        if _is_placed(mode):
            distance = distance - (ws @ vector + direction.known_intercept())
        return ws + distance[:, None] * vector
    distance = distance[:, None]
    rows = torch.from_numpy(direction.rows(ws.shape[1])).to(ws)  # (num_ws, w_dim)
    if _is_placed(mode):
        distance = distance - _signed_distance(ws, direction)  # (b, num_ws or 1)
    return ws + distance.unsqueeze(-1) * rows


def edit_styles(
    styles: Mapping[str, Tensor], direction: Direction, strength: float | Tensor, mode: Mode = "add"
) -> dict[str, Tensor]:
    r"""Move styles along a direction of space s; differentiable in styles and strength.

    Channel j, of standard deviation :math:`\sigma_j`, becomes :math:`s_j + s\,n_j \sigma_j` (Wu et al. 2021,
    StyleSpace).

    Parameters
    ----------
    styles
        `(b, channels)` by layer.
    direction, strength, mode
        See `edit`; the direction is of space s.

    Raises
    ------
    UserError
        If the direction is of another space, its channels are not among the styles, or it has no hyperplane to place
        at.
    """
    channels = direction.channels
    if channels is None:
        raise UserError(f"styles move along directions of space s, not {direction.space}")
    channels.check({name: style.shape[1] for name, style in styles.items()})
    some = next(iter(styles.values()))
    distance = _distances(strength, len(some), some)
    vector, scales = (torch.from_numpy(numbers).to(some) for numbers in (direction.vector, channels.scales))
    by_layer = {layer: torch.from_numpy(at).to(some.device) for layer, at in channels.by_layer().items()}
    indices = torch.from_numpy(channels.indices).to(some.device)
    if _is_placed(mode):
        for layer, at in by_layer.items():
            distance = distance - styles[layer][:, indices[at]] @ (vector[at] / scales[at])
        distance = distance - direction.known_intercept()
    moved = dict(styles)
    for layer, at in by_layer.items():
        step = distance[:, None] * (vector[at] * scales[at])  # (b or 1, channels of the layer)
        moved[layer] = styles[layer].index_add(1, indices[at], step.expand(len(styles[layer]), -1))
    return moved


def _distances(strength: float | Tensor, count: int, like: Tensor) -> Tensor:
    """Strengths `(1,)` or `(count,)`; UserError if they are of another shape."""
    distance = torch.as_tensor(strength, dtype=like.dtype, device=like.device)
    if distance.shape not in ((), (count,)):
        raise UserError(f"strength must be one number, or {count}, one each; not {tuple(distance.shape)}")
    return distance.reshape(-1)


def _is_placed(mode: Mode) -> bool:
    if mode not in get_args(Mode):
        raise UserError(f"mode must be 'add' or 'place', not {mode!r}")
    return mode == "place"


def _signed_distance(ws: Tensor, direction: Direction) -> Tensor:
    """Signed distance from the hyperplane: `(b, num_ws)` for a single vector, `(b, 1)` for a row for each layer."""
    intercept = direction.known_intercept()
    vector = torch.from_numpy(direction.vector).to(ws)
    if vector.ndim == 1:
        return ws @ vector + intercept
    return ((ws * vector).sum((1, 2)) / vector.square().sum() + intercept).unsqueeze(1)


def walk(ws: Tensor, direction: Direction, strengths: Sequence[float], mode: Mode = "add") -> Tensor:
    """Edit all ws at every strength: `(b, num_ws, w_dim)` to `(b, len(strengths), num_ws, w_dim)`; see `edit`."""
    return torch.stack([edit(ws, direction, strength, mode) for strength in strengths], dim=1)


def move(
    latents: Tensor | Latents,
    edits: Edits | Iterable[tuple[Direction, float | Tensor]],
    generator: Generator,
    mode: Mode = "add",
) -> Latents:
    """Move latents along directions of any spaces, all at once; differentiable.

    Latents go down from z to w, ws and styles as far as the directions require: they move along those of z first, then
    along those of w and w+, and finally, in the styles that these give, along those of s.

    With 'add' the order of directions does not matter. With 'place' a later edit shifts what an earlier one has placed,
    unless their directions are orthogonal (see `Direction.orthogonal_to`).

    Parameters
    ----------
    latents
        ws `(b, num_ws, w_dim)`, or latents by name (`latentlab.rendering.Latents`). Noise maps stay.
    edits
        `Edits`, such as `2 * smile - age`, or pairs of a direction and a strength, as `edit` takes it.
    generator
        Generator of the latents.
    mode
        'add' or 'place'; see `edit`.

    Returns
    -------
    Latents
        For `latentlab.rendering.Renderer`, at every resolution.

    Raises
    ------
    UserError
        If a direction is of a space above that of the latents (ws no longer have a z, styles no ws), does not fit
        them, or the generator has no space S or no W.
    """
    by_name: Latents = {"ws": latents} if isinstance(latents, Tensor) else dict(latents)
    steps = list(edits)
    for direction, strength in (step for step in steps if step[0].space == "z"):
        if "z" not in by_name:
            raise UserError(f"the {direction.attribute} direction moves z, which these latents do not have")
        by_name["z"] = edit(by_name["z"], direction, strength, mode)
    maps = with_noise_maps({}, noise_maps_in(by_name))
    in_w = [step for step in steps if step[0].space in ("w", "w+")]
    if in_w:
        check_has_w(generator, f"the {in_w[0][0].attribute} direction")
        ws = ws_of(by_name, generator)
        if ws is None:
            raise UserError(f"the {in_w[0][0].attribute} direction moves ws, and styles come from none")
        for direction, strength in in_w:
            ws = edit(ws, direction, strength, mode)
        by_name = {"ws": ws, **maps}
    in_s = [step for step in steps if step[0].space == "s"]
    if in_s:
        styles = styles_of(by_name, generator)
        for direction, strength in in_s:
            styles = edit_styles(styles, direction, strength, mode)
        by_name = {**from_styles(styles), **maps}
    return by_name
