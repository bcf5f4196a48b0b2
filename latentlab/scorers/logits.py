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

    They are the scorer's own, from its method `logits(images)`, where it has one. Otherwise they are the logits of its
    scores, clipped to [1e-6, 1 − 1e-6], if all of them lie in [0, 1], and else the scores as they are. NaN stays NaN.

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
    return torch.stack([_as_logits(column) for column in scorer(images).unbind(1)], dim=1)


def known_logits(scorer: Scorer, images: Tensor) -> dict[str, NDArray[np.float32]]:
    """Compute those logits `(b,)` of `images` that a scorer knows better than its scores tell, by name.

    They come from its method `logits`, or from those of its members; a scorer without one knows none.
    """
    if isinstance(scorer, ScorerGroup):
        return {
            scorer.qualify(qualifier, name): logits
            for qualifier, member in scorer.scorers.items()
            for name, logits in known_logits(member, images).items()
        }
    own = getattr(scorer, "logits", None)
    if own is None:
        return {}
    columns = own(images).detach().float().cpu().numpy().T
    return dict(zip(scorer.names, columns, strict=True))


def _as_logits(scores: Tensor) -> Tensor:
    """Logits of probabilities `(b,)`; scores of another scale as they are."""
    if bool(((scores < 0) | (scores > 1)).any()):
        return scores
    return torch.logit(scores, MARGIN)
