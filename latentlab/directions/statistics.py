"""Statistics of how well a direction separates: accuracy, and the area under the ROC curve with its interval."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata
from sklearn.metrics import accuracy_score, roc_auc_score

from latentlab.directions.finders import Classifier, check_labels

CHANCE = 0.5
"""AUC of a direction that knows nothing."""
LEAST_ROWS = 10
"""Fewest held-out rows of a class that an AUC is trusted on: with fewer, the interval is too narrow, and where the
classes happen not to overlap it has no width at all."""


@dataclass(frozen=True)
class DirectionStatistics:
    """Statistics of a direction's decisions on rows it was not fitted on.

    Attributes
    ----------
    accuracy
        Share of rows on the right side of the hyperplane.
    auc
        Area under the ROC curve: probability that a positive row lies further along the direction than a negative one.
    auc_low, auc_high
        Ends of the 95 % confidence interval of `auc` (DeLong et al. 1988), clipped to [0, 1].
    n, n_positive
        Numbers of rows and of positive rows.
    """

    accuracy: float
    auc: float
    auc_low: float
    auc_high: float
    n: int
    n_positive: int

    @property
    def caution(self) -> str:
        """Why the direction is not to be trusted, in a few words; empty if nothing speaks against it."""
        rarer = min(self.n_positive, self.n - self.n_positive)
        if self.auc_low <= CHANCE <= self.auc_high:
            return f"not above chance: the interval of the AUC includes {CHANCE}"
        if self.auc_high < CHANCE:
            return "below chance: it points the other way on held-out samples"
        if rarer < LEAST_ROWS:
            return f"uncertain: only {rarer} held-out samples of the rarer class"
        return ""

    def as_dict(self) -> dict[str, float | int]:
        """Statistics by name, for a `Direction`'s card."""
        return asdict(self)


def card_figures(n_train: int, held_out: DirectionStatistics | None) -> dict[str, float | int | str]:
    """Statistics for a direction's card: `n_train`, and those of held-out rows under `held_out_` and their names.

    Where they call for caution, `held_out_caution` says why.
    """
    held = {} if held_out is None else held_out.as_dict()
    figures: dict[str, float | int | str] = {"n_train": n_train}
    figures |= {f"held_out_{name}": value for name, value in held.items()}
    return figures | ({"held_out_caution": held_out.caution} if held_out and held_out.caution else {})


def auc_deviation(y: NDArray[np.bool_], decision: NDArray[Any]) -> float:
    """Estimate the standard deviation of the AUC of `decision (n,)` by DeLong's placement values.

    Source: DeLong, DeLong & Clarke-Pearson 1988; the placements from mid-ranks as in Sun & Xu 2014.
    Zero where the classes do not overlap, or where a class has a single row.
    """
    y = np.asarray(y, dtype=bool)
    positive, negative = decision[y], decision[~y]
    m, n = len(positive), len(negative)
    ranks = rankdata(np.concatenate([positive, negative]))
    placed_positive = (ranks[:m] - rankdata(positive)) / n  # share of negatives below each positive
    placed_negative = 1 - (ranks[m:] - rankdata(negative)) / m  # share of positives above each negative
    variance = sum(np.var(v, ddof=1) / len(v) for v in (placed_positive, placed_negative) if len(v) > 1)
    return float(np.sqrt(variance))


def evaluate(finder: Classifier, w: NDArray[Any], y: NDArray[np.bool_]) -> DirectionStatistics:
    """Judge a fitted finder on held-out rows.

    Parameters
    ----------
    finder
        Object with `decision_function(w) -> (n,)`, positive for the positive class.
    w
        Rows that the finder was not fitted on, `(n, w_dim)`.
    y
        Labels, `(n,)` bool.

    Raises
    ------
    UserError
        If only one class occurs.
    """
    y = check_labels(y, "the held-out rows")
    decision = finder.decision_function(w)
    auc = float(roc_auc_score(y, decision))
    reach = float(norm.ppf(0.975)) * auc_deviation(y, decision)
    return DirectionStatistics(
        accuracy=float(accuracy_score(y, decision > 0)),
        auc=auc,
        auc_low=max(0.0, auc - reach),
        auc_high=min(1.0, auc + reach),
        n=len(y),
        n_positive=int(y.sum()),
    )
