"""A direction in latent space, with all one needs to apply it and to know where it came from."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from latentlab import cards
from latentlab.errors import UserError
from stylegan2.protocol import Generator

if TYPE_CHECKING:
    from latentlab.directions.finders import Finder

Space = Literal["z", "w", "w+", "s"]
Figure = float | int | str

KIND = cards.Kind("latentlab.direction", 1, "a direction", "save the direction again")
_CARD = ("space", "layers", "method", "attribute", "sigma", "intercept", "statistics", "generator", "scorer")


@dataclass(frozen=True, eq=False)
class Direction:
    """A unit vector in latent space and its card.

    Attributes
    ----------
    vector
        `(w_dim,)` float32 of unit length.
    attribute
        What grows along it.
    method
        How it was found.
    space
        The space it lives in.
    layers
        The rows of ws it applies to; None for all.
    sigma
        Standard deviation of the population's projection on it, in units of w; None if unknown.
    intercept
        The attribute's hyperplane is w·vector + intercept = 0; None if unknown.
    statistics
        Figures by name: accuracy, AUC, sample sizes, …
    generator, scorer
        Fingerprints of the networks it was learnt on; None if unknown.
    """

    vector: NDArray[np.float32]
    attribute: str
    method: str
    space: Space = "w"
    layers: tuple[int, ...] | None = None
    sigma: float | None = None
    intercept: float | None = None
    statistics: dict[str, Figure] = field(default_factory=dict)
    generator: str | None = None
    scorer: str | None = None

    def __post_init__(self) -> None:
        vector = np.asarray(self.vector, dtype=np.float32)
        length = float(np.linalg.norm(vector))
        if vector.ndim != 1 or not abs(length - 1) < 1e-3:
            raise UserError(f"a direction is one vector of length 1, not {vector.shape} of length {length:g}")
        if self.space not in get_args(Space):
            raise UserError(f"a direction's space is one of {', '.join(get_args(Space))}, not {self.space!r}")
        if self.layers is not None and (not self.layers or min(self.layers) < 0):
            raise UserError(f"a direction's layers are row numbers from 0, not {self.layers}")
        object.__setattr__(self, "vector", vector)

    def __neg__(self) -> Direction:
        """The same direction the other way round: published ones point either way."""
        intercept = None if self.intercept is None else -self.intercept
        return replace(self, vector=-self.vector, intercept=intercept)

    @classmethod
    def of(
        cls,
        finder: Finder,
        w: NDArray[Any],
        attribute: str,
        statistics: dict[str, Figure] | None = None,
        generator: str | None = None,
        scorer: str | None = None,
    ) -> Direction:
        """The direction of a fitted finder; sigma is taken over the population `w (n, w_dim)`."""
        return cls(
            vector=finder.direction_.astype(np.float32),
            attribute=attribute,
            method=type(finder).__name__,
            sigma=float(np.std(np.asarray(w, dtype=np.float64) @ finder.direction_)),
            intercept=finder.intercept_,
            statistics=dict(statistics or {}),
            generator=generator,
            scorer=scorer,
        )

    @classmethod
    def from_npy(
        cls, path: str | Path, attribute: str, method: str = "published", generator: str | None = None
    ) -> Direction:
        """A published direction: an .npy of one row, or of a row a layer, all equal.

        Its length is lost to the unit vector and kept as the statistic `length`: strength s in the
        publication is s · length here.

        Raises
        ------
        UserError
            If the file is no such array, or its rows differ. Pickled objects are never loaded.
        """
        try:
            array = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError, MemoryError) as error:
            raise UserError(f"cannot read {path} as a NumPy array: {error}") from error
        numbers = isinstance(array, np.ndarray) and array.dtype.kind == "f"
        if not numbers or array.ndim not in (1, 2) or array.size == 0:
            raise UserError(f"{path} is no direction: it takes an array of one row, or of a row a layer")
        rows = np.atleast_2d(array).astype(np.float64)
        length = float(np.linalg.norm(rows[0]))
        if not (np.isfinite(length) and length > 0):
            raise UserError(f"{path} is no direction: its length is {length:g}")
        if not np.allclose(rows, rows[0], atol=1e-6 * length):
            raise UserError(f"the rows of {path} differ; only those that are equal load")
        vector = (rows[0] / length).astype(np.float32)
        return cls(vector, attribute, method, statistics={"length": length}, generator=generator)

    def save(self, path: str | Path) -> None:
        """Write it as safetensors: the tensor `vector`, and the card as JSON in the metadata.

        Raises
        ------
        UserError
            If `path` cannot be written.
        """
        card = {name: getattr(self, name) for name in _CARD}
        cards.write(path, KIND, {"vector": torch.from_numpy(self.vector)}, card)

    @classmethod
    def load(cls, path: str | Path) -> Direction:
        """Read what `save` wrote.

        Raises
        ------
        UserError
            If the file is missing, broken, something else, or of a newer version.
        """
        tensors, card = cards.read(path, KIND)
        with cards.guard(path, KIND):
            return cls(tensors["vector"].numpy(), **_parse_card(card))

    def check(self, generator: Generator, force: bool = False) -> None:
        """Refuse a generator it was not learnt on.

        Raises
        ------
        UserError
            If the fingerprints differ or the direction has none, unless forced; and, forced or not, if
            vector or layers do not fit.
        """
        name = f"the {self.attribute} direction"
        if len(self.vector) != generator.w_dim:
            raise UserError(f"{name} has {len(self.vector)} numbers, the generator's w {generator.w_dim}")
        if self.layers is not None and max(self.layers) >= generator.num_ws:
            raise UserError(f"{name} is for layer {max(self.layers)}; the generator has {generator.num_ws}")
        if not force and self.generator != generator.fingerprint:
            origin = f"generator {self.generator[:12]}…" if self.generator else "an unknown generator"
            raise UserError(
                f"{name} was learnt on {origin}, not on {generator.fingerprint[:12]}…; "
                "learn one on this generator, or force it"
            )

    def card(self) -> str:
        """All that is known about it, as Markdown."""
        rows: list[tuple[str, object]] = [
            ("method", self.method),
            ("space", f"{self.space}, {len(self.vector)} numbers"),
            ("layers", "all" if self.layers is None else ", ".join(str(layer) for layer in self.layers)),
            ("sigma", self.sigma),
            ("intercept", self.intercept),
            ("generator", self.generator),
            ("scorer", self.scorer),
            *self.statistics.items(),
        ]
        lines = [f"# Direction: {self.attribute}", "", "| | |", "|---|---|"]
        return "\n".join(lines + [f"| {name} | {_show(value)} |" for name, value in rows]) + "\n"


def _show(value: object) -> str:
    if value is None:
        return "unknown"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _parse_card(card: dict[str, Any]) -> dict[str, Any]:
    """The fields of a card, each of its type."""
    types: dict[str, Any] = {
        "space": str, "layers": (list, type(None)), "method": str, "attribute": str, "statistics": dict,
        "sigma": (int, float, type(None)), "intercept": (int, float, type(None)),
        "generator": (str, type(None)), "scorer": (str, type(None)),
    }  # fmt: skip
    for name in _CARD:
        if not isinstance(card[name], types[name]):
            raise TypeError(f"{name} is {card[name]!r}")
    if not all(isinstance(value, (int, float, str)) for value in card["statistics"].values()):
        raise TypeError("statistics are not figures")
    layers = None if card["layers"] is None else tuple(int(layer) for layer in card["layers"])
    return {**{name: card[name] for name in _CARD}, "layers": layers}


def cosine(a: Direction | NDArray[Any], b: Direction | NDArray[Any]) -> float:
    """Cosine of the angle between two directions, or vectors `(w_dim,)`, in [-1, 1]."""
    x, y = (np.asarray(v.vector if isinstance(v, Direction) else v, dtype=np.float64) for v in (a, b))
    return float(np.clip(x @ y / (np.linalg.norm(x) * np.linalg.norm(y)), -1, 1))
