"""Directions in latent space, each with a card that says how it was found and what it applies to."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from latentlab.directions.teaching import turned
from latentlab.errors import UserError

if TYPE_CHECKING:
    from latentlab.directions.edits import Edits
    from latentlab.directions.explaining import Explanation
    from latentlab.directions.response import Response
    from latentlab.directions.styles import StyleChannels
    from stylegan2.protocol import Generator

Space = Literal["z", "w", "w+", "s"]
Statistic = float | int | str


@dataclass(frozen=True, eq=False, repr=False)
class Direction:
    """A direction in latent space and its card.

    In W a single vector moves all layers alike; in W+ a matrix has a row for each layer; in Z a vector moves what the
    mapping network takes, and in S one moves style channels. Strengths are in units of the vector's length, or of the
    longest row's, which is 1: equal rows move ws exactly as their single vector does. In S the coordinates are
    standardised: strength s moves channel j by s · vector[j] standard deviations of that channel.

    `-d` is the reversed direction; `2 * d`, `d + e` and `d - e` are `Edits`, to be applied at once.

    Attributes
    ----------
    vector
        `(w_dim,)` float32 of length 1, or `(z_dim,)` in space z; in space w+, `(num_ws, w_dim)` whose longest row has
        length 1, where a row of zeros leaves its layer as it is; in space s, `(k,)` of length 1, a number for each of
        `channels`.
    attribute
        Attribute that grows along it.
    method
        Name of the method that found it.
    space
        Latent space: 'z', 'w', 'w+' or 's'.
    layers
        Rows of ws that a single vector of W moves; None for all, and in other spaces.
    sigma
        Standard deviation of the population's `coordinates`, in units of strength; None if unknown.
    intercept
        The attribute's hyperplane is where the coordinate is −intercept; None if unknown.
    strength_range
        Calibrated strengths (away, towards), away < 0 < towards: how far edits go until faces lose or gain the
        attribute (see `latentlab.pipelines.calibrate_reach`); None if unknown.
    statistics
        Statistics by name: accuracy, AUC, sample sizes, …
    generator, scorer
        Fingerprints of the networks that it was learnt on; None if unknown.
    channels
        Style channels that a direction of space s moves; None in other spaces.
    response
        Share of faces that gained the attribute (at positive strengths) or lost it (at negative ones) in the
        calibration; None if unknown.

    Raises
    ------
    UserError
        If the vector has another shape or length, or a field is invalid.
    """

    vector: NDArray[np.float32]
    attribute: str
    method: str
    space: Space = "w"
    layers: tuple[int, ...] | None = None
    sigma: float | None = None
    intercept: float | None = None
    statistics: dict[str, Statistic] = field(default_factory=dict)
    generator: str | None = None
    scorer: str | None = None
    strength_range: tuple[float, float] | None = None
    channels: StyleChannels | None = None
    response: Response | None = None

    def __post_init__(self) -> None:
        vector = np.asarray(self.vector, dtype=np.float32)
        _check_vector(vector, self.space, self.channels)
        _check_layers(self.layers, vector, self.space)
        _check_numbers(self.sigma, self.intercept)
        object.__setattr__(self, "vector", vector)
        object.__setattr__(self, "strength_range", _check_range(self.strength_range))

    def __neg__(self) -> Direction:
        """Reverse the direction; published ones point either way."""
        intercept = None if self.intercept is None else -self.intercept
        ends = None if self.strength_range is None else (-self.strength_range[1], -self.strength_range[0])
        response = None if self.response is None else -self.response
        return replace(
            self,
            vector=-self.vector,
            intercept=intercept,
            strength_range=ends,
            response=response,
            statistics=turned(self.statistics),
        )

    def __mul__(self, strength: float) -> Edits:
        """Give it a strength, which makes an edit."""
        from latentlab.directions.edits import Edits  # which builds on directions

        return Edits(((self, float(strength)),))

    __rmul__ = __mul__

    def __add__(self, other: Direction | Edits) -> Edits:
        """Edit along both at once, each with strength 1."""
        return self * 1.0 + other

    def __sub__(self, other: Direction | Edits) -> Edits:
        """Edit along one and against the other at once, each with strength 1."""
        return self * 1.0 - other

    def __repr__(self) -> str:
        return f"Direction({self.attribute!r}, {self.method!r}, {self.space!r}, shape {self.vector.shape})"

    def _repr_markdown_(self) -> str:
        """Card that a notebook shows."""
        return self.card()

    @classmethod
    def of(
        cls,
        finder: object,
        x: NDArray[Any],
        attribute: str,
        statistics: dict[str, Statistic] | None = None,
        generator: str | None = None,
        scorer: str | None = None,
    ) -> Direction:
        """Make the direction of a fitted finder, or that of its first component; see `directions_of`."""
        from latentlab.directions.of_finders import directions_of  # which builds on directions

        return directions_of(finder, x, attribute, statistics, generator, scorer)[0]

    @property
    def width(self) -> int:
        """Size of the vector, or of each row: w_dim, z_dim, or the number of style channels."""
        return int(self.vector.shape[-1])

    @property
    def length(self) -> float | None:
        """Length of the published array that it was loaded from; None for other directions."""
        length = self.statistics.get("length")
        return float(length) if isinstance(length, int | float) else None

    def rows(self, num_ws: int) -> NDArray[np.float32]:
        """Expand it to what strength 1 adds to each row of ws: `(num_ws, w_dim)`, zero for layers that stay.

        Raises
        ------
        UserError
            If its rows or layers do not fit `num_ws`, or it is of space z or s.
        """
        if self.space not in ("w", "w+"):
            raise UserError(
                f"ws move along directions of space w or w+; the {self.attribute} direction is of {self.space}"
            )
        if self.vector.ndim == 2:
            self._check_rows(num_ws)
            return self.vector
        if self.layers is None:
            return np.tile(self.vector, (num_ws, 1))
        self._check_rows(num_ws)
        rows = np.zeros((num_ws, self.width), dtype=np.float32)
        rows[list(self.layers)] = self.vector
        return rows

    def coordinates(self, latents: NDArray[Any] | Mapping[str, Any]) -> NDArray[np.float64]:
        r"""Project latents onto the direction: coordinates `(n,)` in units of strength.

        For a single vector n they are :math:`n \cdot w`; for rows :math:`n_l` they are the least-squares strength,
        :math:`\sum_l n_l \cdot w \,/ \sum_l \lVert n_l\rVert^2`; in S, with :math:`\sigma_j` the channels' scales,
        :math:`\sum_j n_j s_j / \sigma_j`.

        Parameters
        ----------
        latents
            `(n, w_dim)` in w and w+, `(n, z_dim)` in z, styles `(n, channels)` by layer in s.
        """
        vector = np.asarray(self.vector, dtype=np.float64)
        if self.channels is None:
            return _coordinates(vector, np.asarray(latents, dtype=np.float64))
        if not isinstance(latents, Mapping):
            raise UserError(f"the {self.attribute} direction is of space s: its coordinates are those of styles")
        return _coordinates(vector, self.channels.take(latents))

    def decision_function(self, latents: NDArray[Any] | Mapping[str, Any]) -> NDArray[np.float64]:
        """Signed distance `(n,)` from the hyperplane, positive on the attribute's side; see `coordinates`.

        Raises
        ------
        UserError
            If the direction has no intercept.
        """
        return self.coordinates(latents) + self.known_intercept()

    def known_intercept(self) -> float:
        """The intercept; UserError if it is unknown."""
        if self.intercept is None:
            raise UserError(f"the {self.attribute} direction has no hyperplane: its intercept is unknown")
        return self.intercept

    def orthogonal_to(self, *conditions: Direction, w: NDArray[Any] | None = None) -> Direction:
        """Make it orthogonal to others, so that moving along it changes them less; see `directions.orthogonal`."""
        from latentlab.directions.orthogonal import orthogonalise  # which builds on directions

        return orthogonalise(self, conditions, w)

    def explain(self, generator: Generator) -> Explanation:
        """Find which layers and style channels carry it; see `directions.explaining.explain`."""
        from latentlab.directions.explaining import explain

        return explain(self, generator)

    def save(self, path: str | Path) -> None:
        """Save it as safetensors: the vector, and the card as JSON in the metadata.

        Raises
        ------
        UserError
            If `path` cannot be written.
        """
        from latentlab.directions.storing import save  # imports torch, which a direction by itself does not need

        save(self, path)

    @classmethod
    def load(cls, path: str | Path) -> Direction:
        """Load a file that `save` wrote; `latentlab.load_direction` reads other formats as well.

        Raises
        ------
        UserError
            If the file is missing, broken, something else, or of a newer version.
        """
        from latentlab.directions.storing import load

        return load(path)

    def check(self, generator: Generator, force: bool = False) -> None:
        """Check that it fits a generator and was learnt on it.

        Raises
        ------
        UserError
            If the fingerprints differ or the direction has none, unless forced; and, forced or not, if
            vector or layers do not fit.
        """
        name = f"the {self.attribute} direction"
        self._check_size(generator)
        if not force and self.generator != generator.fingerprint:
            if not self.generator:
                raise UserError(
                    f"{name} does not say which generator it was learnt on: if it was this one, apply it with --force; "
                    "in Python, give load_direction the generator's fingerprint"
                )
            raise UserError(
                f"{name} was learnt on generator {self.generator[:12]}…, not on {generator.fingerprint[:12]}…; "
                "learn one on this generator, or apply it all the same with --force"
            )

    def _check_size(self, generator: Generator) -> None:
        """Refuse a generator whose latents have other sizes."""
        name = f"the {self.attribute} direction"
        if self.channels is not None:
            from latentlab.directions.styles import style_widths  # needs torch

            self.channels.check(style_widths(generator))
            return
        from latentlab.mapping import check_has_w  # needs torch

        if self.space != "z":
            check_has_w(generator, name)
        letter, dim = ("z", generator.z_dim) if self.space == "z" else ("w", generator.w_dim)
        if self.width != dim:
            raise UserError(f"{name} has {self.width} numbers, the generator's {letter} {dim}")
        if self.space != "z":
            self._check_rows(generator.num_ws)

    def _check_rows(self, num_ws: int) -> None:
        has = None
        if self.vector.ndim == 2 and len(self.vector) != num_ws:
            has = f"has {len(self.vector)} rows"
        elif self.layers is not None and max(self.layers) >= num_ws:
            has = f"is for layer {max(self.layers)}"
        if has is not None:
            raise UserError(
                f"the {self.attribute} direction {has}, the generator's ws have {num_ws} rows: match them by "
                "resolution with --layers all, or choose layers, as in --layers 0-7; in Python, by "
                "latentlab.directions.match_layers"
            )

    def card(self) -> str:
        """Describe it in Markdown, with all that is known about it."""
        from latentlab.directions.describing import card_of  # which builds on directions

        return card_of(self)


def longest_row(vector: NDArray[Any]) -> float:
    """Length of a vector `(w_dim,)`, or of the longest row of `(num_ws, w_dim)`."""
    return float(np.max([np.linalg.norm(row) for row in np.atleast_2d(vector)], initial=0.0))


def cosine(a: Direction | NDArray[Any], b: Direction | NDArray[Any]) -> float:
    """Compute the cosine of the angle between two directions, in [-1, 1].

    Arrays `(w_dim,)` or `(num_ws, w_dim)` are accepted as well. A single vector is compared with rows as if it were
    repeated; layers are ignored. Directions of space s are compared channel by channel, in standardised units.

    Raises
    ------
    UserError
        If they are of spaces that cannot be compared, or of different widths.
    """
    if _kind_of(a) != _kind_of(b):
        raise UserError(
            f"a direction of space {_kind_of(a)} and one of {_kind_of(b)} have no cosine; compare what they do with "
            "styles by latentlab.directions.explain"
        )
    if isinstance(a, Direction) and isinstance(b, Direction) and a.channels and b.channels:
        mine, theirs = (dict(zip(d.channels.names, d.vector.tolist(), strict=True)) for d in (a, b) if d.channels)
        return float(np.clip(sum(value * theirs.get(name, 0.0) for name, value in mine.items()), -1, 1))
    x, y = (np.asarray(v.vector if isinstance(v, Direction) else v, dtype=np.float64) for v in (a, b))
    if x.shape[-1] != y.shape[-1]:
        raise UserError(f"vectors of {x.shape[-1]} and {y.shape[-1]} numbers have no cosine")
    if x.ndim != y.ndim:
        x, y = np.broadcast_arrays(x, y)
    x, y = x.ravel(), y.ravel()
    return float(np.clip(x @ y / (np.linalg.norm(x) * np.linalg.norm(y)), -1, 1))


def _kind_of(value: Direction | NDArray[Any]) -> str:
    """Space within which cosines have a meaning: 'w' for w and w+, and for bare arrays."""
    space = value.space if isinstance(value, Direction) else "w"
    return "w" if space == "w+" else space


def _coordinates(vector: NDArray[np.float64], latents: NDArray[np.float64]) -> NDArray[np.float64]:
    if vector.ndim == 1:
        return latents @ vector
    found: NDArray[np.float64] = latents @ vector.sum(axis=0) / (vector**2).sum()
    return found


def _check_vector(vector: NDArray[np.float32], space: str, channels: StyleChannels | None) -> None:
    """Refuse a vector that is not of length 1, or does not have the shape that directions of its space have."""
    length = longest_row(vector) if vector.ndim in (1, 2) else float("nan")
    if not abs(length - 1) < 1e-3:
        raise UserError(
            "a direction is a vector of length 1, or a matrix whose longest row has length 1, "
            f"not {vector.shape} of length {length:g}"
        )
    if space not in get_args(Space):
        raise UserError(f"a direction's space is one of {', '.join(get_args(Space))}, not {space!r}")
    if vector.ndim == 2 and space != "w+":
        raise UserError(f"a direction with a row for each layer is of space w+, not {space}")
    if (channels is not None) != (space == "s"):
        raise UserError("a direction of space s, and no other, has style channels")
    if channels is not None and len(channels) != len(vector):
        raise UserError(f"a direction has a number for each style channel, not {len(vector)} for {len(channels)}")


def _check_numbers(sigma: float | None, intercept: float | None) -> None:
    if sigma is not None and not 0 <= sigma < math.inf:
        raise UserError(f"a direction's sigma is a standard deviation, finite and not below 0, not {sigma:g}")
    if intercept is not None and not math.isfinite(intercept):
        raise UserError(f"a direction's intercept is finite, not {intercept:g}")


def _check_layers(layers: tuple[int, ...] | None, vector: NDArray[np.float32], space: str) -> None:
    if layers is None:
        return
    if space in ("z", "s"):
        raise UserError(f"a direction of space {space} moves no rows of ws, and takes no layers")
    if vector.ndim == 2:
        raise UserError("a direction with a row for each layer takes no layers: rows of zeros leave theirs as they are")
    if not layers or min(layers) < 0:
        raise UserError(f"a direction's layers are row numbers from 0, not {layers}")


def _check_range(found: tuple[float, float] | None) -> tuple[float, float] | None:
    if found is None:
        return None
    away, towards = (float(strength) for strength in found) if len(found) == 2 else (math.nan, math.nan)
    if not -math.inf < away < 0 < towards < math.inf:
        raise UserError(
            f"a direction's strength range is a negative and a positive strength (away, towards), not {found}"
        )
    return away, towards
