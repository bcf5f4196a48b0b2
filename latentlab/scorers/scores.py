"""Helpers on arrays of scores: scoring images, picking a column, deciding which rows are positive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from latentlab.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from latentlab.scorers.base import Scorer


def score_pictures(scorer: Scorer, pictures: Tensor) -> NDArray[np.float32]:
    """The scores `(b, k)` of pictures `(b, 3, h, w)`.

    Raises
    ------
    UserError
        If the scorer gives another shape than `(b, k)`, or values that are not finite.
    """
    scores = scorer(pictures)
    wanted = (len(pictures), len(scorer.names))
    if tuple(scores.shape) != wanted:
        raise UserError(f"the scorer gave the shape {tuple(scores.shape)}, not {wanted} (pictures, names)")
    if not bool(scores.isfinite().all()):
        raise UserError(f"the scorer gave values that are not finite for {', '.join(scorer.names)}")
    return scores.detach().float().cpu().numpy()


def score_column(scores: NDArray[np.float32], names: tuple[str, ...], name: str) -> NDArray[np.float32]:
    """The score `name` of `scores (…, k)`: `(…)`; UserError, with those there are, if there is none."""
    if name not in names:
        raise UserError(f"no score is called {name!r}; there are {', '.join(names)}")
    return scores[..., names.index(name)]


def is_positive(scores: NDArray[np.float32], names: tuple[str, ...], name: str) -> NDArray[np.bool_]:
    """Whether `name` wins in `scores (…, k)`: it is the largest, or, alone, above one half; `(…)`."""
    column = score_column(scores, names, name)
    wins: NDArray[np.bool_] = column > 0.5 if len(names) == 1 else scores.argmax(axis=-1) == names.index(name)
    return wins
