"""Directions in latent space, each with a card that says how it was found and what it applies to."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from latentlab.errors import UserError

if TYPE_CHECKING:
    from latentlab.cards import Kind
    from stylegan2.protocol import Generator

Space = Literal["z", "w", "w+", "s"]
Statistic = float | int | str

_CARD = (
    "space", "layers", "method", "attribute", "sigma", "intercept", "strength_range", "statistics",
    "generator", "scorer",
)  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class Direction:
    """A direction in latent space and its card.

    A single vector moves all layers alike; a matrix has a row for each layer. Strengths are in units of the vector's
    length, or of the longest row's, which is 1: equal rows move ws exactly as their single vector does.

    Attributes
    ----------
    vector
        `(w_dim,)` float32 of length 1; or, in space w+, `(num_ws, w_dim)` whose longest row has length 1. A row of
        zeros leaves its layer as it is.
    attribute
        Attribute that grows along it.
    method
        Name of the method that found it.
    space
        Latent space: 'z', 'w', 'w+' or 's'.
    layers
        Rows of ws that a single vector moves; None for all, and for a matrix.
    sigma
        Standard deviation of the population's `coordinates`, in units of w; None if unknown.
    intercept
        The attribute's hyperplane is where the coordinate is −intercept; None if unknown.
    strength_range
        Calibrated strengths (away, towards) in units of w, away < 0 < towards: how far edits go until faces lose or
        get the attribute (see `latentlab.pipelines.calibrate_reach`); None if unknown.
    statistics
        Statistics by name: accuracy, AUC, sample sizes, …
    generator, scorer
        Fingerprints of the networks that it was learnt on; None if unknown.

    Raises
    ------
    UserError
        If the vector has another shape or length, or a field is not possible.
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

    def __post_init__(self) -> None:
        vector = np.asarray(self.vector, dtype=np.float32)
        length = longest_row(vector) if vector.ndim in (1, 2) else float("nan")
        if not abs(length - 1) < 1e-3:
            raise UserError(
                "a direction is a vector of length 1, or a matrix whose longest row has length 1, "
                f"not {vector.shape} of length {length:g}"
            )
        if self.space not in get_args(Space):
            raise UserError(f"a direction's space is one of {', '.join(get_args(Space))}, not {self.space!r}")
        if vector.ndim == 2 and self.space != "w+":
            raise UserError(f"a direction with a row for each layer is of space w+, not {self.space}")
        if self.layers is not None and (not self.layers or min(self.layers) < 0):
            raise UserError(f"a direction's layers are row numbers from 0, not {self.layers}")
        if vector.ndim == 2 and self.layers is not None:
            raise UserError(
                "a direction with a row for each layer takes no layers: rows of zeros leave theirs as they are"
            )
        object.__setattr__(self, "vector", vector)
        object.__setattr__(self, "strength_range", _check_range(self.strength_range))

    def __neg__(self) -> Direction:
        """Reverse the direction; published ones point either way."""
        intercept = None if self.intercept is None else -self.intercept
        turned = None if self.strength_range is None else (-self.strength_range[1], -self.strength_range[0])
        return replace(self, vector=-self.vector, intercept=intercept, strength_range=turned)

    def __repr__(self) -> str:
        return f"Direction({self.attribute!r}, {self.method!r}, {self.space!r}, shape {self.vector.shape})"

    def _repr_markdown_(self) -> str:
        """Card that a notebook shows."""
        return self.card()

    @classmethod
    def of(
        cls,
        finder: object,
        w: NDArray[Any],
        attribute: str,
        statistics: dict[str, Statistic] | None = None,
        generator: str | None = None,
        scorer: str | None = None,
    ) -> Direction:
        """Make the direction of a fitted finder, or that of its first component; see `directions_of`."""
        return directions_of(finder, w, attribute, statistics, generator, scorer)[0]

    @property
    def w_dim(self) -> int:
        """Width of the space: size of the vector, or of each row."""
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
            If its rows or layers do not fit `num_ws`.
        """
        if self.vector.ndim == 2:
            self._check_rows(num_ws)
            return self.vector
        if self.layers is None:
            return np.tile(self.vector, (num_ws, 1))
        self._check_rows(num_ws)
        rows = np.zeros((num_ws, self.w_dim), dtype=np.float32)
        rows[list(self.layers)] = self.vector
        return rows

    def coordinates(self, w: NDArray[Any]) -> NDArray[np.float64]:
        r"""Project `w (n, w_dim)` on the direction: coordinates `(n,)` in units of w.

        For a single vector n they are :math:`n \cdot w`; for rows :math:`n_l` they are the least-squares strength,
        :math:`\sum_l n_l \cdot w \,/ \sum_l \lVert n_l\rVert^2`.
        """
        return _coordinates(np.asarray(self.vector, dtype=np.float64), w)

    def save(self, path: str | Path) -> None:
        """Save it as safetensors: the tensor `vector`, and the card as JSON in the metadata.

        Raises
        ------
        UserError
            If `path` cannot be written.
        """
        import torch

        from latentlab import cards

        card = {name: getattr(self, name) for name in _CARD}
        cards.write(path, _kind(), {"vector": torch.from_numpy(self.vector)}, card)

    @classmethod
    def load(cls, path: str | Path) -> Direction:
        """Load a file that `save` wrote; `latentlab.load_direction` reads other formats as well.

        Raises
        ------
        UserError
            If the file is missing, broken, something else, or of a newer version.
        """
        from latentlab import cards

        tensors, card = cards.read(path, _kind())
        with cards.guard(path, _kind()):
            return cls(tensors["vector"].numpy(), **_parse_card(card))

    def check(self, generator: Generator, force: bool = False) -> None:
        """Check that it fits a generator and was learnt on it.

        Raises
        ------
        UserError
            If the fingerprints differ or the direction has none, unless forced; and, forced or not, if
            vector or layers do not fit.
        """
        name = f"the {self.attribute} direction"
        if self.w_dim != generator.w_dim:
            raise UserError(f"{name} has {self.w_dim} numbers, the generator's w {generator.w_dim}")
        self._check_rows(generator.num_ws)
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
        rows = "" if self.vector.ndim == 1 else f"{len(self.vector)} rows of "
        entries: list[tuple[str, object]] = [
            ("method", self.method),
            ("space", f"{self.space}, {rows}{self.w_dim} numbers"),
            ("layers", self._layers_in_words()),
            ("sigma", self.sigma),
            ("intercept", self.intercept),
            ("strength range", self._range_in_words()),
            ("generator", self.generator),
            ("scorer", self.scorer),
            *self.statistics.items(),
        ]
        lines = [f"# Direction: {self.attribute}", "", "| | |", "|---|---|"]
        return "\n".join(lines + [f"| {name} | {_show(value)} |" for name, value in entries]) + "\n"

    def _layers_in_words(self) -> str:
        layers = self.layers
        if self.vector.ndim == 2:
            moved = self.vector.any(axis=1)
            layers = None if moved.all() else tuple(np.flatnonzero(moved).tolist())
        return "all" if layers is None else ", ".join(str(layer) for layer in layers)

    def _range_in_words(self) -> str | None:
        return None if self.strength_range is None else "{:.4g} to {:.4g}".format(*self.strength_range)


def directions_of(
    finder: object,
    w: NDArray[Any],
    attribute: str,
    statistics: dict[str, Statistic] | None = None,
    generator: str | None = None,
    scorer: str | None = None,
) -> tuple[Direction, ...]:
    """Make the directions of a fitted finder: one, or one for each of its components.

    Parameters
    ----------
    finder
        Fitted finder, with `direction_` or `components_`; see `latentlab.directions.Finder`.
    w
        Population `(n, w_dim)` from which sigma is computed.
    attribute
        Attribute that grows along it; components are called ATTRIBUTE-0, ATTRIBUTE-1, …
    statistics, generator, scorer
        Entries of the cards.

    Raises
    ------
    UserError
        If the finder has neither, or vectors of other shapes or lengths than `Direction` takes.
    """
    components = getattr(finder, "components_", None)
    found = [getattr(finder, "direction_", None)] if components is None else list(components)
    vectors = [np.asarray(vector, dtype=np.float64) for vector in found if vector is not None]
    if not vectors:
        raise UserError(f"the finder {type(finder).__name__} has no direction_ and no components_; fit it first")
    intercept = getattr(finder, "intercept_", None)
    intercepts = [None] * len(vectors) if intercept is None else np.broadcast_to(intercept, len(vectors)).tolist()
    names = [attribute] if components is None else [f"{attribute}-{k}" for k in range(len(vectors))]
    return tuple(
        Direction(
            vector=vector.astype(np.float32),
            attribute=name,
            method=type(finder).__name__,
            space="w" if vector.ndim == 1 else "w+",
            sigma=float(np.std(_coordinates(vector, w))),
            intercept=own,
            statistics=dict(statistics or {}),
            generator=generator,
            scorer=scorer,
        )
        for vector, own, name in zip(vectors, intercepts, names, strict=True)
    )


def longest_row(vector: NDArray[Any]) -> float:
    """Length of a vector `(w_dim,)`, or of the longest row of `(num_ws, w_dim)`."""
    return float(np.max([np.linalg.norm(row) for row in np.atleast_2d(vector)], initial=0.0))


def cosine(a: Direction | NDArray[Any], b: Direction | NDArray[Any]) -> float:
    """Compute the cosine of the angle between two directions, in [-1, 1].

    Arrays `(w_dim,)` or `(num_ws, w_dim)` are taken as well. A single vector is compared with rows as if it were
    repeated; layers are ignored.
    """
    x, y = (np.asarray(v.vector if isinstance(v, Direction) else v, dtype=np.float64) for v in (a, b))
    if x.ndim != y.ndim:
        x, y = np.broadcast_arrays(x, y)
    x, y = x.ravel(), y.ravel()
    return float(np.clip(x @ y / (np.linalg.norm(x) * np.linalg.norm(y)), -1, 1))


def _coordinates(vector: NDArray[np.float64], w: NDArray[Any]) -> NDArray[np.float64]:
    w = np.asarray(w, dtype=np.float64)
    found: NDArray[np.float64] = w @ vector if vector.ndim == 1 else w @ vector.sum(axis=0) / (vector**2).sum()
    return found


def _check_range(found: tuple[float, float] | None) -> tuple[float, float] | None:
    if found is None:
        return None
    away, towards = (float(strength) for strength in found) if len(found) == 2 else (math.nan, math.nan)
    if not -math.inf < away < 0 < towards < math.inf:
        raise UserError(
            f"a direction's strength range is a negative and a positive strength (away, towards), not {found}"
        )
    return away, towards


def _kind() -> Kind:
    from latentlab.cards import Kind  # imports torch, which a direction by itself does not need

    return Kind("latentlab.direction", 1, "a direction", "save the direction again")


def _show(value: object) -> str:
    if value is None:
        return "unknown"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _parse_card(card: dict[str, Any]) -> dict[str, Any]:
    """Check the fields of a card and their types."""
    card = {"strength_range": None, **card}  # which cards of earlier versions lack
    types: dict[str, Any] = {
        "space": str, "layers": (list, type(None)), "method": str, "attribute": str, "statistics": dict,
        "sigma": (int, float, type(None)), "intercept": (int, float, type(None)),
        "strength_range": (list, type(None)),
        "generator": (str, type(None)), "scorer": (str, type(None)),
    }  # fmt: skip
    for name in _CARD:
        if not isinstance(card[name], types[name]):
            raise TypeError(f"{name} is {card[name]!r}")
    if not all(isinstance(value, (int, float, str)) for value in card["statistics"].values()):
        raise TypeError("statistics are not numbers or words")
    layers = None if card["layers"] is None else tuple(int(layer) for layer in card["layers"])
    return {**{name: card[name] for name in _CARD}, "layers": layers}
