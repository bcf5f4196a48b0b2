"""Ridge regression on logits, for one attribute or for several at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.linear_model import RidgeCV

from latentlab.directions.finders.base import LinearFinder, Target
from latentlab.directions.finders.checks import check_rows, score_logits
from latentlab.errors import UserError


class RidgeOnLogit(LinearFinder):
    """Ridge regression of the score's logit on x: it learns from degrees rather than from labels.

    Parameters
    ----------
    alphas
        Strengths of the regulariser to choose from by leave-one-out error, in units of x's total variance times the
        number of rows.

    Attributes
    ----------
    alpha_
        Strength that was used.
    """

    target: Target = "scores"
    alpha_: float

    def __init__(self, alphas: tuple[float, ...] = tuple(np.logspace(-6, 0, 13))) -> None:
        self.alphas = alphas

    def fit(self, x: NDArray[Any], y: NDArray[Any]) -> RidgeOnLogit:
        """Fit on `x (n, w_dim)` and scores `y (n,)` in [0, 1]; the hyperplane is where the score is ½.

        Raises
        ------
        UserError
            If scores lie outside [0, 1], are not finite, or all are equal.
        """
        y = np.asarray(y)
        if y.ndim != 1:
            raise UserError(f"scores are one for each row, (n,), not {y.shape}; fit_many takes several attributes")
        (found,) = self.fit_many(x, y[:, None])
        self.alpha_, self.direction_, self.intercept_ = found.alpha_, found.direction_, found.intercept_
        return self

    def fit_many(self, x: NDArray[Any], y: NDArray[Any]) -> tuple[RidgeOnLogit, ...]:
        """Fit several attributes at once, with a single decomposition of x; each has a strength of its own.

        The results are those of fitting one by one, in the time of one.

        Parameters
        ----------
        x
            `(n, w_dim)`.
        y
            Scores `(n, k)` in [0, 1].

        Returns
        -------
        tuple of RidgeOnLogit
            A fitted finder for each of the k columns; this one stays as it is.

        Raises
        ------
        UserError
            As for `fit`.
        """
        logits = score_logits(y, "ridge on the logit")
        x = check_rows(x, logits)
        unit = float(x.var(axis=0).sum()) * len(x) or 1.0
        machine = RidgeCV(alphas=np.asarray(self.alphas) * unit, alpha_per_target=True).fit(x, logits)
        # For one column scikit-learn gives numbers where it otherwise gives arrays.
        alphas, intercepts = (np.broadcast_to(found, logits.shape[1]) for found in (machine.alpha_, machine.intercept_))
        columns = zip(np.atleast_2d(machine.coef_), intercepts.tolist(), alphas.tolist(), strict=True)
        return tuple(self._fitted(slope, intercept, alpha / unit) for slope, intercept, alpha in columns)

    def settled(self) -> RidgeOnLogit:
        """Unfitted copy with the strength that this fit has chosen."""
        copied: RidgeOnLogit = clone(self).set_params(alphas=(self.alpha_,))
        return copied

    def _fitted(self, slope: NDArray[np.float64], intercept: float, alpha: float) -> RidgeOnLogit:
        finder: RidgeOnLogit = clone(self)
        finder.alpha_ = alpha
        finder._set(slope, intercept)
        return finder
