"""Helpers on arrays of scores: scoring images, picking a column, deciding which rows are positive."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from latentlab.errors import UserError
from latentlab.scorers.naming import hint, qualifier_of
from latentlab.scorers.threshold import (
    HALF,
    NEGATIVE,
    NEITHER,
    POSITIVE,
    AnyThreshold,
    count_labels,
    parse_threshold,
    threshold_for,
)

if TYPE_CHECKING:
    from torch import Tensor

    from latentlab.scorers.base import Scorer

MARGIN = 1e-6
"""For the logits of scorers that know none, scores are clipped to [MARGIN, 1 − MARGIN]: logits to ±13.8."""


def score_images(scorer: Scorer, images: Tensor) -> NDArray[np.float32]:
    """Score images `(b, 3, h, w)`, or one `(3, h, w)`, and check the scores, `(b, k)`.

    NaN is the score of an image that cannot be scored, such as one in which no face is found.

    Raises
    ------
    UserError
        If the scorer takes images of other channels, or returns another shape than `(b, k)` or infinite values.
    """
    from latentlab.images import CHANNELS, as_batch  # which imports torch, that tables of scores do without

    images = as_batch(images, channels=CHANNELS)
    channels = scored_channels(scorer)
    if channels not in (None, images.shape[1]):
        raise UserError(f"{scorer!r} scores images of {channels} channels, not of {images.shape[1]}")
    return checked_scores(scorer, images, scorer(images))


def checked_scores(scorer: Scorer, images: Tensor, scores: Tensor) -> NDArray[np.float32]:
    """Return what a scorer gave for `images (b, 3, h, w)` as an array `(b, k)`; UserError as `score_images` says."""
    wanted = (len(images), len(scorer.names))
    if tuple(scores.shape) != wanted:
        raise UserError(f"the scorer returned the shape {tuple(scores.shape)}, not {wanted} (images, names)")
    if bool(scores.isinf().any()):
        raise UserError(f"the scorer returned values that are not finite for {', '.join(scorer.names)}")
    return scores.detach().float().cpu().numpy()


def scored_channels(scorer: Scorer) -> int | None:
    """Channels of the images that the scorer takes: its `img_channels`, which it need not have; None if unknown."""
    channels: int | None = getattr(scorer, "img_channels", None)
    return channels


def takes_square(scorer: Scorer) -> bool:
    """Whether the scorer takes only square images: its `square`, which it need not have."""
    return bool(getattr(scorer, "square", False))


def check_score(names: tuple[str, ...], name: str) -> None:
    """Refuse a score that is not among `names`; the UserError lists them, or the nearest of very many."""
    if name not in names:
        raise UserError(f"no score is called {name!r}; {hint(names, name)}")


def score_column(scores: NDArray[np.float32], names: tuple[str, ...], name: str) -> NDArray[np.float32]:
    """Pick the score `name` from `scores (…, k)`: `(…)`. An unknown name raises a UserError that lists the names."""
    check_score(names, name)
    return scores[..., names.index(name)]


def threshold_of(scorer: Scorer) -> AnyThreshold | None:
    """Look up the threshold that a scorer brings along, or one for each score; None if it has none, as most have."""
    value = getattr(scorer, "threshold", None)
    return None if value is None else parse_threshold(value)


def scores_to_logits(scores: NDArray[Any]) -> NDArray[np.float32]:
    """Compute the logits of scores `(n,)`, by the rule of `logits_of` for scorers that know none.

    They are clipped to [1e-6, 1 − 1e-6] if all lie in [0, 1], and returned as they are otherwise. NaN stays NaN.
    """
    from scipy.special import logit  # whoever only labels does without it

    scores = np.asarray(scores, dtype=np.float64)
    if bool(((scores < 0) | (scores > 1)).any()):
        return scores.astype(np.float32)
    logits: NDArray[np.float32] = logit(scores.clip(MARGIN, 1 - MARGIN)).astype(np.float32)
    return logits


def label_scores(
    scores: NDArray[np.float32], names: tuple[str, ...], name: str, threshold: AnyThreshold | None = None
) -> NDArray[np.int8]:
    """Label images by their scores.

    Parameters
    ----------
    scores
        `(…, k)`.
    names
        Names of the k scores.
    name
        Score that decides.
    threshold
        Threshold in numbers, not quantiles, of all scores or of each. Without one an image is positive where the score
        is the largest of several of its scorer (names with one qualifier, as in 'fer:happy', are of one scorer) or, if
        it is the only one, exceeds one half.

    Returns
    -------
    NDArray
        `(…)`: 1 for positive, −1 for negative, 0 for neither and where the score is NaN.

    Raises
    ------
    UserError
        If there is no such score, or the threshold has quantiles.
    """
    column, own = score_column(scores, names, name), threshold_for(threshold, name)
    peers = [k for k, other in enumerate(names) if qualifier_of(other) == qualifier_of(name)]
    if own is None and len(peers) > 1:
        known = np.where(np.isnan(scores), -np.inf, scores)[..., peers]
        largest = known.argmax(axis=-1) == peers.index(names.index(name))
        labels = np.where(largest, POSITIVE, NEGATIVE).astype(np.int8)
        return np.where(np.isnan(column), NEITHER, labels)
    return (own or HALF).cut(column)


def is_positive(
    scores: NDArray[np.float32], names: tuple[str, ...], name: str, threshold: AnyThreshold | None = None
) -> NDArray[np.bool_]:
    """Whether `scores (…, k)` are positive for `name`: `(…)`; see `label_scores`."""
    positive: NDArray[np.bool_] = label_scores(scores, names, name, threshold) == POSITIVE
    return positive


def check_classes(labels: NDArray[np.int8], scores: NDArray[Any], where: str, name: str) -> None:
    """Refuse labels in which a class does not occur.

    Parameters
    ----------
    labels, scores
        Labels `(n,)`, 1, −1 or 0, and the scores `(n,)` that they are of.
    where, name
        What the rows and the score are called in the message.

    Raises
    ------
    UserError
        If no label is positive, or none negative. Says how many there are, where the scores lie, and what to do.
    """
    counts = count_labels(labels)
    if counts.positive and counts.negative:
        return
    known = scores[~np.isnan(scores)]
    low, middle, high = np.quantile(known, [0, 0.5, 1]) if len(known) else [math.nan] * 3
    if middle < high:  # otherwise no score is above the median
        advice = 'set another threshold, such as threshold="median" (--threshold median)'
    else:
        advice = "set another threshold"
    raise UserError(
        f"{where} have {counts.positive} positive and {counts.negative} negative labels of {name}, and both are "
        f"needed; its scores go from {low:.4g} to {high:.4g}, with their median at {middle:.4g}: {advice}, "
        "draw more samples, or choose another attribute"
    )
