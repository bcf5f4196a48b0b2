"""What finders refuse to learn from: one place for all of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from latentlab.errors import UserError

MARGIN = 1e-3
"""Probabilities are clipped to [MARGIN, 1 − MARGIN] before their logits are taken: logits beyond come from
overconfidence."""
LEAST = 2
"""Fewest rows of a class, or of scores, that a direction is learnt from."""


def check_rows(x: NDArray[Any], y: NDArray[Any] | None = None) -> NDArray[np.float64]:
    """Check that `x` is finite, `(n, dim)`, and has a row for each of `y (n, …)`; return it as float64.

    Raises
    ------
    UserError
        If it is not.
    """
    x = np.asarray(x, dtype=np.float64)
    if x.ndim != 2:
        raise UserError(f"finders learn from rows (n, dim), not from {x.shape}; of ws (n, num_ws, w_dim) give ws[:, 0]")
    if y is not None and len(x) != len(y):
        raise UserError(f"{len(x)} rows do not fit {len(y)} labels or scores; give one for each row")
    unknown = int((~np.isfinite(x)).any(axis=1).sum())
    if unknown:
        raise UserError(f"{unknown} of {len(x)} rows have numbers that are not finite; leave them out")
    return x


def check_labels(y: NDArray[Any], where: str) -> NDArray[np.bool_]:
    """Check that labels are boolean and that both classes occur, and return them.

    Raises
    ------
    UserError
        If y is not boolean or has only one class. Says how many of each there are.
    """
    y = np.asarray(y)
    if y.dtype != bool:
        raise UserError(f"labels must be boolean, not {y.dtype}; compare the scores with a threshold first")
    if y.ndim != 1:
        raise UserError(f"labels are one for each row, (n,), not {y.shape}")
    positive = int(y.sum())
    if not 0 < positive < len(y):
        raise UserError(
            f"{where} have {positive} positive and {len(y) - positive} negative labels, and both are needed; "
            "draw more samples or choose another attribute"
        )
    return y


def check_training(x: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Check what a finder learns from, `x (n, dim)` and labels `y (n,)`, and return both.

    Raises
    ------
    UserError
        If rows are not finite or do not fit the labels, labels are not boolean, or a class has fewer than two.
    """
    y = check_labels(y, "the training rows")
    x = check_rows(x, y)
    rarer = int(min(y.sum(), (~y).sum()))
    if rarer < LEAST:
        raise UserError(
            f"a direction is learnt from two rows of each class at least; the rarer one has {rarer}: draw more samples"
        )
    return x, y


def check_scores(y: NDArray[Any]) -> NDArray[np.float64]:
    """Check that scores `(n,)`, or `(n, k)` of several attributes, are finite and differ; return them as float64.

    Raises
    ------
    UserError
        If they are not.
    """
    y = np.asarray(y, dtype=np.float64)
    if len(y) < LEAST:
        raise UserError(f"a direction is learnt from two rows at least, and here are {len(y)}: draw more samples")
    unknown = int((~np.isfinite(y)).reshape(len(y), -1).any(axis=1).sum())
    if unknown:
        raise UserError(
            f"{unknown} of {len(y)} scores are not finite: leave their rows out, as in table.subset(…), or mend the "
            "scorer"
        )
    for column in y.reshape(len(y), -1).T:
        if column.min() == column.max():
            raise UserError(f"all scores are {column[0]:g}: they give no direction; choose another attribute")
    return y


def score_logits(y: NDArray[Any], what: str) -> NDArray[np.float64]:
    """Check scores as `check_scores` does, and compute their logits, clipped as `MARGIN` says.

    Parameters
    ----------
    y
        Scores in [0, 1].
    what
        What needs them in this range, for the message.

    Raises
    ------
    UserError
        If scores are not finite, all equal, or outside [0, 1].
    """
    y = check_scores(y)
    if not (y.min() >= 0 and y.max() <= 1):
        raise UserError(
            f"{what} needs scores from 0 to 1, and these go from {y.min():.4g} to {y.max():.4g}; set a threshold for "
            'them, such as threshold="median" (--threshold median)'
        )
    return np.asarray(logit(np.clip(y, MARGIN, 1 - MARGIN)))
