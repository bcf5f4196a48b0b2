"""Helpers on arrays of scores: scoring images, picking a column, deciding which rows are positive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from latentlab.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from latentlab.scorers.base import Scorer


def score_images(scorer: Scorer, images: Tensor) -> NDArray[np.float32]:
    """Score images `(b, 3, h, w)` and check the scores, `(b, k)`.

    Raises
    ------
    UserError
        If the scorer returns another shape than `(b, k)`, or values that are not finite.
    """
    scores = scorer(images)
    wanted = (len(images), len(scorer.names))
    if tuple(scores.shape) != wanted:
        raise UserError(f"the scorer returned the shape {tuple(scores.shape)}, not {wanted} (images, names)")
    if not bool(scores.isfinite().all()):
        raise UserError(f"the scorer returned values that are not finite for {', '.join(scorer.names)}")
    return scores.detach().float().cpu().numpy()


def check_score(names: tuple[str, ...], name: str) -> None:
    """Refuse a score that is not among `names`; the UserError lists them."""
    if name not in names:
        raise UserError(f"no score is called {name!r}; there are {', '.join(names)}")


def score_column(scores: NDArray[np.float32], names: tuple[str, ...], name: str) -> NDArray[np.float32]:
    """Pick the score `name` from `scores (…, k)`: `(…)`. An unknown name raises a UserError that lists the names."""
    check_score(names, name)
    return scores[..., names.index(name)]


def is_positive(scores: NDArray[np.float32], names: tuple[str, ...], name: str) -> NDArray[np.bool_]:
    """Whether `name` has the largest of the `scores (…, k)`, or, if it is the only one, exceeds one half: `(…)`."""
    column = score_column(scores, names, name)
    wins: NDArray[np.bool_] = column > 0.5 if len(names) == 1 else scores.argmax(axis=-1) == names.index(name)
    return wins
