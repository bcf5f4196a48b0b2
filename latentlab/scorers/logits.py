"""Logits of any scorer's scores: what edits move evenly, where probabilities saturate."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab.scorers.base import Scorer, ScorerGroup
from latentlab.scorers.scores import MARGIN, check_score


def logits_of(scorer: Scorer, images: Tensor, name: str) -> Tensor:
    """Compute the logits of one score; differentiable in `images` where the scorer is.

    They are the scorer's own, from its method `logits(images)`, where it has one; the scores as they are, where they
    are no probabilities (`is_probability`); and otherwise the logits of the scores, clipped to [1e-6, 1 − 1e-6]. NaN
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

    Then they are taken for such where all of those that are looked at lie in [0, 1].
    """
    said: bool | None = getattr(
        scorer.member(name)[0] if isinstance(scorer, ScorerGroup) else scorer, "probabilities", None
    )
    return said


def known_logits(scorer: Scorer, images: Tensor, scores: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """Compute those logits `(b,)` of `images` that a scorer knows better than its scores tell, by name.

    They come from its method `logits`, or from those of its members; of scores that are no probabilities they are the
    scores. A scorer that says neither knows none.

    Parameters
    ----------
    scorer
        Any scorer.
    images
        `(b, 3, h, w)` in [-1, 1].
    scores
        What the scorer gave for these images, `(b, k)`.
    """
    columns = dict(zip(scorer.names, scores.T, strict=True))
    if isinstance(scorer, ScorerGroup):
        found: dict[str, NDArray[np.float32]] = {}
        for qualifier, member in scorer.scorers.items():
            names = {scorer.qualify(qualifier, name): name for name in member.names}
            own = known_logits(member, images, np.stack([columns[name] for name in names], axis=1))
            found |= {name: own[theirs] for name, theirs in names.items() if theirs in own}
        return found
    if getattr(scorer, "logits", None) is None:
        return columns if getattr(scorer, "probabilities", None) is False else {}
    return dict(zip(scorer.names, all_logits(scorer, images).detach().float().cpu().numpy().T, strict=True))


def _as_logits(scores: Tensor, said: bool | None) -> Tensor:
    """Logits of probabilities `(b,)`; scores of another scale as they are. `said`: see `is_probability`."""
    if said is False or (said is None and bool(((scores < 0) | (scores > 1)).any())):
        return scores
    return torch.logit(scores, MARGIN)
