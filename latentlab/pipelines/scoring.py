"""Which score an edit is judged by, where nobody names one: that which taught its direction."""

from __future__ import annotations

from latentlab import registry
from latentlab.directions import Direction
from latentlab.directions.edits import Edits, as_edits
from latentlab.directions.teaching import Teacher, teacher_of
from latentlab.errors import UserError
from latentlab.pipelines.components import Components
from latentlab.pipelines.measuring.settings import name_of, same_attribute
from latentlab.scorers import default_scorer

DEFAULT_SCORE = "happy"
"""Score of the default scorer that is reported where nothing is known of a direction."""


def scored_by(components: Components, along: Direction | Edits, attribute: str | None = None) -> tuple[Components, str]:
    """Choose the scorer and the score of an edit: those that are given, and otherwise those that taught its direction.

    Parameters
    ----------
    components
        Networks; a scorer that was chosen when they were loaded stays.
    along
        Direction whose card says what taught it, or edits along several, the first of which decides.
    attribute
        The score; None for the one that taught the direction.

    Returns
    -------
    tuple of Components and str
        Networks with that scorer, and the name of the score. Where the card says nothing, or names what cannot be
        loaded here, they are those of the direction's attribute or, if no scorer knows it, of the default scorer.
    """
    (direction, _), *_ = as_edits(along)
    teachers = [found for found in map(_scorer_of, _teachers(direction)) if found is not None]
    if components.scorer_is_chosen:
        return components, attribute or _among(components.scorer.names, [score for _, score in teachers])
    for scorer, score in teachers:
        if attribute not in (None, score):
            continue
        chosen = components.with_scorer(scorer)
        try:
            chosen.check_attribute(score)
        except UserError:  # such as one whose library is not installed
            continue
        return chosen, score
    return components, attribute or DEFAULT_SCORE


def _teachers(direction: Direction) -> list[Teacher]:
    """The score that taught a direction, as its card says, and else that of its attribute."""
    told = teacher_of(direction)
    attribute = same_attribute(direction.attribute)
    named = Teacher(DEFAULT_SCORE if attribute == same_attribute(DEFAULT_SCORE) else attribute)
    return [named] if told is None else [told, named]


def _scorer_of(teacher: Teacher) -> tuple[str, str] | None:
    """Names of a score's scorer, as `latentlab.load_scorer` reads it, and of the score; None if none is known."""
    source, _, score = teacher.score.rpartition(":")
    try:
        scorer = source or default_scorer(score)
    except UserError:
        return None
    return (scorer, score) if scorer.partition(":")[0] in registry.scorers.names() else None


def _among(names: tuple[str, ...], scores: list[str]) -> str:
    """The name that a chosen scorer has for one of these scores; its only one; or the default."""
    for score in scores:
        for name in names:
            if name_of(name) == score:
                return name
    return names[0] if len(names) == 1 else DEFAULT_SCORE
