"""The sign of a direction: whether an attribute grows with positive strengths or with negative ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from latentlab.scorers.base import Scorer
from latentlab.scorers.logits import logits_of
from latentlab.scorers.scores import check_score

_LEAST_SHARE = 0.75  # of the faces, whose logits must differ the same way
_LEAST_MOVE = 0.1  # of the faces' spread, by which the mean logits of the two sides must differ


@dataclass(frozen=True)
class SignNotice:
    """What a direction turned out to do to a score.

    Attributes
    ----------
    score
        Name of the score.
    strength
        Strength to either side at which faces were rendered.
    forth, back
        Mean changes of the score's logit at that strength, and at its negative.
    faces
        Number of faces.
    agreeing
        How many of them have the larger logit on the side where most have it.
    spread
        Standard deviation of their logits, unedited.
    """

    score: str
    strength: float
    forth: float
    back: float
    faces: int
    agreeing: int
    spread: float

    @property
    def sign(self) -> int:
        """1 where the score grows with positive strengths, −1 with negative ones.

        0 where over a quarter of the faces disagree, or the sides differ by less than a tenth of the faces' spread.
        """
        if self.agreeing < _LEAST_SHARE * self.faces or abs(self.forth - self.back) < _LEAST_MOVE * self.spread:
            return 0
        return 1 if self.forth > self.back else -1

    def __str__(self) -> str:
        """Say it in one line."""
        how = (
            f"the logit moves by {self.forth:+.2g} at {self.strength:+.2g} and by {self.back:+.2g} at "
            f"{-self.strength:+.2g}, over {self.faces} faces"
        )
        if self.sign == 0:
            return f"{self.score} grows with neither sign of strengths: {how}"
        return f"{self.score} grows when strengths are {'positive' if self.sign > 0 else 'negative'}: {how}"


@torch.no_grad()
def find_sign(render: Callable[[float], Tensor], scorer: Scorer, score: str, strength: float) -> SignNotice:
    """Find with which sign a score grows along a direction.

    Parameters
    ----------
    render
        Renders the same few faces at a strength, `(b, 3, h, w)`.
    scorer, score
        The scorer, and the name of one of its scores.
    strength
        Strength to try on either side.

    Raises
    ------
    UserError
        If there is no such score.
    """
    middle, forth, back = (logits_of(scorer, render(s), score).double() for s in (0.0, strength, -strength))
    ahead = int((forth > back).sum())
    return SignNotice(
        score=score,
        strength=strength,
        forth=float((forth - middle).mean()),
        back=float((back - middle).mean()),
        faces=len(middle),
        agreeing=max(ahead, len(middle) - ahead),
        spread=float(middle.std(correction=0)),
    )


def score_for(scorer: Scorer, attribute: str) -> str:
    """The score of a scorer that stands for an attribute: the one of that name, or its only one.

    Raises
    ------
    UserError
        If the scorer has several scores, none of which has that name.
    """
    if attribute in scorer.names or len(scorer.names) > 1:
        check_score(scorer.names, attribute)
        return attribute
    return scorer.names[0]
