"""Which score taught a direction, as its card says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from latentlab.directions.direction import Direction, Statistic

SCORE = "score"
_REVERSED = ", reversed"
_POSITIVE, _ALL = "held_out_n_positive", "held_out_n"


@dataclass(frozen=True)
class Teacher:
    """The score that a direction was learnt from.

    Attributes
    ----------
    score
        Name of the score, such as 'attributes:young', or 'young' where a single scorer labelled the samples.
    reversed
        Whether the score falls along the direction, as `young` does along a direction of age.
    """

    score: str
    reversed: bool = False

    def __str__(self) -> str:
        """Write it as cards do: 'attributes:young, reversed'."""
        return self.score + (_REVERSED if self.reversed else "")


def teacher_of(direction: Direction) -> Teacher | None:
    """Return the score that taught a direction; None where its card does not say."""
    told = direction.statistics.get(SCORE)
    if not isinstance(told, str):
        return None
    return Teacher(told.removesuffix(_REVERSED), told.endswith(_REVERSED))


def with_teacher(direction: Direction, teacher: Teacher) -> Direction:
    """Say in a direction's card which score taught it."""
    return replace(direction, statistics={**direction.statistics, SCORE: str(teacher)})


def falls_along(direction: Direction, score: str) -> bool:
    """Whether a direction's card says that a score falls along it; its scorer's name may stand before it or not."""
    teacher = teacher_of(direction)
    return teacher is not None and teacher.reversed and _bare(teacher.score) == _bare(score)


def _bare(score: str) -> str:
    return score.rpartition(":")[2]


def turned(statistics: Mapping[str, Statistic]) -> dict[str, Statistic]:
    """Statistics of the reversed direction: where the score is known, it falls along it, or no longer does.

    Accuracy and AUC stay, since labels and decisions are turned round together; negative samples are positive then.
    """
    found = dict(statistics)
    told = found.get(SCORE)
    if isinstance(told, str):
        found[SCORE] = told.removesuffix(_REVERSED) if told.endswith(_REVERSED) else told + _REVERSED
        n, positive = found.get(_ALL), found.get(_POSITIVE)
        if isinstance(n, int) and isinstance(positive, int):
            found[_POSITIVE] = n - positive
    return found
