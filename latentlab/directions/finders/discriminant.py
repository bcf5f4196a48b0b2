"""Linear discriminant analysis."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from latentlab.directions.finders.base import LinearFinder, Target
from latentlab.directions.finders.checks import check_training


class LDA(LinearFinder):
    r"""Linear discriminant analysis: :math:`\Sigma^{-1} (\bar w_+ - \bar w_-)`, Σ being the covariance within classes.

    Parameters
    ----------
    shrinkage
        How far Σ is shrunk towards a diagonal one, from 0 to 1; 'auto' as Ledoit and Wolf 2004 estimate it.

    Notes
    -----
    Uses scikit-learn's `LinearDiscriminantAnalysis`, whose hyperplane takes the shares of the classes into account.
    """

    target: Target = "labels"

    def __init__(self, shrinkage: float | Literal["auto"] = "auto") -> None:
        self.shrinkage = shrinkage

    def fit(self, x: NDArray[Any], y: NDArray[np.bool_]) -> LDA:
        """Fit on `x (n, w_dim)` and boolean labels `y (n,)`.

        Raises
        ------
        UserError
            If a class has fewer than two rows, or a row is not finite.
        """
        x, y = check_training(x, y)
        machine = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=self.shrinkage).fit(x, y)
        self._set(machine.coef_[0], float(machine.intercept_[0]))
        return self
