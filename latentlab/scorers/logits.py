"""Logits of any scorer's scores: what edits move evenly, where probabilities saturate."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab.scorers.base import Scorer, ScorerGroup
from latentlab.scorers.scores import MARGIN, check_score, checked_scores, score_images


def logits_of(scorer: Scorer, images: Tensor, name: str) -> Tensor:
    """Compute the logits of one score; differentiable in `images` where the scorer is.

    They are the scorer's own, from its method `logits(images)`, where it has one; the scores as they are, where they
    are not probabilities (`is_probability`); and otherwise the logits of the scores, clipped to [1e-6, 1 − 1e-6]. NaN
    stays NaN.

    Parameters
    ----------
    scorer
        Any scorer; of several scorers together (`ScorerSet`), only the one that scores `name` is run.
    images
        `(b, 3, h, w)` in [-1, 1], on the scorer's device.
    name
        One of the scorer's names.

    Returns
    -------
    Tensor
        `(b,)`.

    Raises
    ------
    UserError
        If the scorer has no such score; lists those that it has.
    """
    check_score(scorer.names, name)
    if isinstance(scorer, ScorerGroup):
        scorer, name = scorer.member(name)
    return all_logits(scorer, images)[:, scorer.names.index(name)]


def all_logits(scorer: Scorer, images: Tensor) -> Tensor:
    """Compute the logits of all scores of `images (b, 3, h, w)`: `(b, k)`; see `logits_of`."""
    own = getattr(scorer, "logits", None)
    if own is not None:
        logits: Tensor = own(images)
        return logits
    scores = scorer(images)
    said = getattr(scorer, "probabilities", None)
    return torch.stack([_as_logits(column, said) for column in scores.unbind(1)], dim=1)


def is_probability(scorer: Scorer, name: str) -> bool | None:
    """Whether a score is a probability, by its scorer's attribute `probabilities`; None if that does not say.

    Scores are then taken for probabilities where all of those that are looked at lie in [0, 1].
    """
    said: bool | None = getattr(
        scorer.member(name)[0] if isinstance(scorer, ScorerGroup) else scorer, "probabilities", None
    )
    return said


def scores_and_logits(scorer: Scorer, images: Tensor) -> tuple[NDArray[np.float32], dict[str, NDArray[np.float32]]]:
    """Score images, and compute those logits `(b,)` that the scorer knows better than its scores show, by name.

    The logits come from its method `logits`, or from those of its members; for scores that are not probabilities they
    are the scores. A scorer that says neither knows none. One with a method `scores_and_logits(images)`, which gives
    both `(b, k)`, looks at the images once instead of twice.

    Parameters
    ----------
    scorer
        Any scorer.
    images
        `(b, 3, h, w)` in [-1, 1].

    Returns
    -------
    tuple
        Scores `(b, k)`, and the logits.

    Raises
    ------
    UserError
        As `score_images` says.
    """
    if isinstance(scorer, ScorerGroup):
        columns: dict[str, NDArray[np.float32]] = {}
        known: dict[str, NDArray[np.float32]] = {}
        for qualifier, member in scorer.scorers.items():
            scores, logits = scores_and_logits(member, images)
            for name, column in zip(member.names, scores.T, strict=True):
                columns[scorer.qualify(qualifier, name)] = column
            known |= {scorer.qualify(qualifier, name): column for name, column in logits.items()}
        return np.stack([columns[name] for name in scorer.names], axis=1), known
    both = getattr(scorer, "scores_and_logits", None)
    if both is not None:
        found: tuple[Tensor, Tensor] = both(images)
        return checked_scores(scorer, images, found[0]), _columns(scorer, found[1])
    scores = score_images(scorer, images)
    if getattr(scorer, "logits", None) is not None:
        return scores, _columns(scorer, all_logits(scorer, images))
    stands = getattr(scorer, "probabilities", None) is False
    return scores, dict(zip(scorer.names, scores.T, strict=True)) if stands else {}


def _columns(scorer: Scorer, logits: Tensor) -> dict[str, NDArray[np.float32]]:
    return dict(zip(scorer.names, logits.detach().float().cpu().numpy().T, strict=True))


def _as_logits(scores: Tensor, said: bool | None) -> Tensor:
    """Logits of probabilities `(b,)`; scores of another scale as they are. `said`: see `is_probability`."""
    if said is False or (said is None and bool(((scores < 0) | (scores > 1)).any())):
        return scores
    return torch.logit(scores, MARGIN)
