"""Options that say what `edit` and `walk` move latents along, and how far: one direction, or several at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from latentlab.cli import options
from latentlab.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from latentlab.directions import Direction, Edits
    from latentlab.pipelines import Components

_HELP = (
    "Direction: a name that `latentlab directions list` shows, or a file: from `latentlab fit`, or a published array "
    "(.npy, .npz, .pt, .safetensors)"
)

DirectionName = Annotated[str, typer.Option("--direction", help=f"{_HELP}.")]
DirectionNames = Annotated[
    list[str],
    typer.Option(
        "--direction", help=f"{_HELP}; may be given several times, with a --strength each, to move along all at once."
    ),
]
OneStrength = Annotated[
    list[float] | None,
    typer.Option(
        help="With --video: strength of the edit, the same in all frames. With several directions: strength of each, "
        "in their order."
    ),
]


@dataclass(frozen=True)
class Given:
    """Directions, and how far to move along them, as the command line says.

    Attributes
    ----------
    directions
        Names or files.
    series
        Strengths of a single direction, as text; None for none.
    strengths
        A strength for each direction; None for none.
    units, layers
        Units of the strengths, and the layers to move.
    """

    directions: Sequence[str]
    series: str | None
    strengths: Sequence[float] | None
    units: options.Units
    layers: str | None

    def numbers(self) -> list[float] | None:
        """Strengths in their units: a series, or one for each direction; UserError if they are not such numbers."""
        if self.strengths is None:
            return None if self.series is None else options.parse_strengths(self.series)
        for strength in self.strengths:
            if not math.isfinite(strength):
                raise UserError(f"strengths must be finite, not {strength}")
        return list(self.strengths)


@dataclass(frozen=True, eq=False)
class Moves:
    """What latents are moved along, and latent codes that are moved.

    Attributes
    ----------
    direction
        One direction, or several with their strengths.
    strengths
        Strengths of the one; None where they are not given, and for several.
    codes
        `(n, num_ws, w_dim)`; None for none.
    """

    direction: Direction | Edits
    strengths: list[float] | None
    codes: Tensor | None = field(repr=False)

    @property
    def one(self) -> Direction:
        """The only direction."""
        from latentlab.directions import Direction

        assert isinstance(self.direction, Direction)
        return self.direction


def check_directions(
    ctx: typer.Context,
    directions: Sequence[str],
    strengths: Sequence[float] | None,
    target: float | None,
    video: Path | None,
) -> bool:
    """Check that the options beside directions suit their number, and return whether there are several.

    Raises
    ------
    UserError
        If one is given twice, there are not as many strengths as directions, or an option has no effect on that many.
    """
    again = [name for k, name in enumerate(directions) if Path(name) in map(Path, directions[:k])]
    if again:
        raise UserError(f"the direction {again[0]} is given twice; give it once, with the sum of its strengths")
    if video is not None and (len(directions) > 1 or len(strengths or ()) > 1):
        raise UserError(
            "a video is edited along one direction by one strength: give --direction and --strength once each"
        )
    if len(directions) == 1:
        if video is None:
            reason = "without --video, on one direction, which takes --strengths"
            options.refuse_without_effect(ctx, {"strength": reason})
        return False
    reason = "with several directions, which have a --strength each"
    options.refuse_without_effect(ctx, dict.fromkeys(("strengths", "target"), reason))
    if len(strengths or ()) != len(directions):
        raise UserError(
            f"give each of the {len(directions)} directions a strength, in their order, such as --direction "
            f"{directions[0]} --strength 2 --direction {directions[1]} --strength -1; there are {len(strengths or ())}"
        )
    return True


def check_sources(ctx: typer.Context, latents: Path | None, given: bool) -> None:
    """Refuse options about seeds or strengths where there are none; `given` says whether strengths are given."""
    if latents is not None:
        options.refuse_without_effect(ctx, dict.fromkeys(("seeds", "psi", "cutoff", "class_label"), "with --latents"))
    if not given:
        options.refuse_without_effect(ctx, {"units": "without --strengths"})


def read_edit(given: Given, latents: Path | None, saved: bool = False) -> Callable[[Components], Moves]:
    """Read what the options name, before any network is loaded; the function returned matches it to the networks.

    If the latents of the edits are to be `saved`, a direction that leaves none is refused.
    """
    from latentlab.directions import Edits, load_direction
    from latentlab.editing import in_w
    from latentlab.latents import load_latents, match_rows
    from latentlab.pipelines.edits import check_leaves_codes

    found = [load_direction(name) for name in given.directions]
    if saved:
        for one in found:
            check_leaves_codes(one)
    series = given.numbers()
    codes = None if latents is None else load_latents(latents)
    chosen = None if given.layers is None else options.parse_layers(given.layers)

    def matched(components: Components) -> Moves:
        own, ws = _matched(found, given, chosen, components), codes
        if given.layers is not None and codes is not None:
            ws = match_rows(codes, components.generator.num_ws)
        # Where rows are left out, the length that strengths are counted in is a different one.
        if len(own) > 1:
            assert series is not None
            far = (in_w(one, strength, given.units.value) for one, strength in zip(own, series, strict=True))
            return Moves(Edits(tuple(zip(own, far, strict=True))), None, ws)
        in_units = None if series is None else [in_w(own[0], strength, given.units.value) for strength in series]
        return Moves(own[0], in_units, ws)

    return matched


def _matched(
    found: Sequence[Direction], given: Given, layers: Sequence[int] | None, components: Components
) -> list[Direction]:
    """Directions for the networks; of several, layers are those of the ones that move ws, as long as one does."""
    from latentlab.cards import has_card
    from latentlab.directions import load_direction, match_layers

    num_ws, own = components.generator.num_ws, []
    have_rows = [one.space in ("w", "w+") for one in found]
    for name, one, has_rows in zip(given.directions, found, have_rows, strict=True):
        if given.layers is not None and (has_rows or not any(have_rows)):
            own.append(match_layers(one, num_ws, layers))
        elif not num_ws and one.generator is None and not has_card(name):
            own.append(load_direction(name, space="z"))  # a bare array, which moves all codes that there are
        else:
            own.append(one)
    return own
