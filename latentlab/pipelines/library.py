"""The directions that come with the package: a table of what they are and what they cost, and a picture of each."""

from __future__ import annotations

from collections.abc import Mapping

from latentlab.directions import Direction
from latentlab.directions.teaching import teacher_of
from latentlab.editing import default_strengths
from latentlab.errors import UserError
from latentlab.pipelines.components import Components
from latentlab.pipelines.measuring.measured_cards import measured_columns
from latentlab.pipelines.measuring.results import WAYS
from latentlab.pipelines.seeds import SeedSettings, walk_seeds
from latentlab.pipelines.walks import Walk
from latentlab.progress import Stage
from latentlab.scorers.loading import default_scorer

PICTURE_SEEDS = (70_010, 70_011, 70_013)
"""Seeds of the faces in a direction's picture, from which nothing was learnt: one with a beard, one with glasses, one
that does not smile."""
_COLUMNS = 5

_HEADER = ("name", "attribute", "space", "method", "held out", "identity", "LPIPS", "leakage", "learnt from")
_COSTS = ("identity", "LPIPS", "leakage")
_NOTES = (
    "",
    "held out: AUC, or correlation r. identity (1: the same person), LPIPS, leakage: at equal effect, with a strength",
    "per face; `latentlab directions show NAME` says how. reversed: the score falls along the direction.",
)


def library_lines(directions: Mapping[str, Direction]) -> list[str]:
    """Tabulate directions by name for the terminal: what they are, how well they separate, what edits cost.

    What is unknown about a direction is left empty.
    """
    rows = [_HEADER, *(_row(name, direction) for name, direction in directions.items())]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [*table, *_NOTES]


def _row(name: str, direction: Direction) -> tuple[str, ...]:
    values = measured_columns(direction).get(WAYS["each"], {})
    costs = (values.get(title, "").partition(" [")[0] for title in _COSTS)
    teacher = teacher_of(direction)
    return (
        name, direction.attribute, direction.space, direction.method, separation(direction), *costs,
        "" if teacher is None else str(teacher),
    )  # fmt: skip


def separation(direction: Direction) -> str:
    """How well held-out samples are told apart: 'r 0.86' of a measured quantity, else 'AUC 0.925'; empty if unknown."""
    correlation, auc = (direction.statistics.get(f"held_out_{name}") for name in ("correlation", "auc"))
    if isinstance(correlation, float):
        return f"r {correlation:.2f}"
    return f"AUC {auc:.3f}" if isinstance(auc, float) else ""


def direction_walk(
    direction: Direction,
    network: str = "mobile-ffhq",
    device: str = "auto",
    progress: bool | Stage = True,
) -> tuple[Walk, str]:
    """Render a few faces from one end of a direction's range to the other, and score them with what taught it.

    Parameters
    ----------
    direction
        Direction whose card says which score taught it.
    network, device
        Generator, and the device of the networks; see `Components.load`.
    progress
        True for a progress bar, False for none, or a `Stage` of your own.

    Returns
    -------
    tuple of Walk and str
        The walk of `PICTURE_SEEDS`, and the name of the score in it, for `Walk.figure` and `Walk.save`.

    Raises
    ------
    UserError
        If the card does not say which score taught it, there is no such scorer, or the direction does not fit the
        generator.
    """
    scorer, score = scorer_of(direction)
    components = Components.load(network, scorer, device=device)
    components.check_attribute(score)
    strengths = default_strengths(direction, _COLUMNS)
    return walk_seeds(PICTURE_SEEDS, direction, strengths, components, SeedSettings(), progress=progress), score


def scorer_of(direction: Direction) -> tuple[str, str]:
    """Return the names of the scorer that taught a direction and of its score, as its card says.

    Raises
    ------
    UserError
        The card does not say.
    """
    teacher = teacher_of(direction)
    if teacher is None:
        raise UserError(
            f"the card of the {direction.attribute} direction does not say which score taught it; learn one by "
            "`latentlab fit`, or see it by `latentlab walk --direction` with a score of your choice"
        )
    scorer, _, score = teacher.score.rpartition(":")
    return scorer or default_scorer(score), score
