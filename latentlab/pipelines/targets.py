"""The score that faces are to reach, and the scale on which scores approach it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from latentlab.errors import UserError
from latentlab.scorers import Scorer, is_probability, threshold_of
from latentlab.scorers.threshold import HALF, threshold_for

Scale = Literal["probability", "logit", "score"]

# Probabilities are clipped so far from 0 and 1 before their logits are taken.
_CLIP = 1e-6
# By how much a face may exceed its target, in logits, or in shares of what is missing before the edit.
_LOGITS, _SHARE = 0.2, 0.05


@dataclass(frozen=True)
class ScoreTarget:
    """The score that faces are to reach.

    Attributes
    ----------
    value
        A probability above 0 and below 1, its logit, or a score of any other kind, as `scale` says.
    away
        Whether faces reach it from above, as faces that are to lose an attribute do.
    scale
        'probability' or 'logit': scores are probabilities, whose logits approach the target evenly. 'score': they are
        taken as they are.

    Raises
    ------
    UserError
        If the value is not finite, or not a probability where it should be one.
    """

    value: float
    away: bool = False
    scale: Scale = "probability"

    def __post_init__(self) -> None:
        if self.scale not in get_args(Scale):
            raise UserError(f"the scale of a target is {', '.join(get_args(Scale))}, not {self.scale!r}")
        if not math.isfinite(self.value):
            raise UserError(f"a target is a finite number, not {self.value}")
        if self.scale == "probability" and not 0 < self.value < 1:
            raise UserError(
                f"the target of a score between 0 and 1 lies above 0 and below 1, such as 0.9, not at {self.value:g}"
            )

    @classmethod
    def of(cls, value: float, scorer: Scorer, name: str, scores: NDArray[np.floating]) -> ScoreTarget:
        """Take a number as the target of the score `name`, for faces that have some scores `(n,)`.

        Below the scorer's threshold, or one half, it is one to fall to. Scores are probabilities where the scorer says
        so, by an attribute `probabilities`, or, if it does not say, where all lie between 0 and 1.

        Raises
        ------
        UserError
            If scores between 0 and 1 are to reach a number that is not.
        """
        threshold = threshold_for(threshold_of(scorer), name) or HALF
        middle = HALF.low if threshold.quantiles else (threshold.low + threshold.high) / 2
        within = bool(((scores >= 0) & (scores <= 1) | np.isnan(scores)).all())
        said = is_probability(scorer, name)
        scale: Scale = "probability" if (within if said is None else said) else "score"
        return cls(float(value), value < middle, scale)

    def __str__(self) -> str:
        """Write the value as files and lines name it."""
        return f"{self.value:g}"

    @property
    def sign(self) -> int:
        """1 where scores are to rise, −1 where they are to fall; also the sign of the strengths that do it."""
        return -1 if self.away else 1

    @property
    def on_scale(self) -> float:
        """The target as `to_scale` gives it: its logit, or the score."""
        return float(logit(self.value)) if self.scale == "probability" else self.value

    def to_scale(self, scores: NDArray[np.floating]) -> NDArray[np.float64]:
        """Turn scores into the values that approach the target: their logits, or the scores as they are."""
        found: NDArray[np.float64] = np.asarray(scores, dtype=np.float64)
        if self.scale != "score":
            found = logit(np.clip(found, _CLIP, 1 - _CLIP))
        return found

    def from_scale(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn what `to_scale` gave into scores."""
        scores: NDArray[np.float64] = values if self.scale == "score" else expit(values)
        return scores

    def tolerances(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """By how much faces with these values, on the scale, may go beyond the target."""
        if self.scale != "score":
            return np.full(len(values), _LOGITS)
        tolerances: NDArray[np.float64] = np.maximum(_SHARE * np.abs(values - self.value), np.finfo(np.float32).tiny)
        return tolerances
