"""A finder: linear discriminant analysis."""

import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis


class LDA:
    """Normal of the hyperplane of a shrunken LDA."""

    target = "labels"

    def fit(self, w: np.ndarray, y: np.ndarray) -> "LDA":
        """Fit on `w (n, w_dim)` and boolean labels `y (n,)`."""
        machine = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(w, y)
        length = np.linalg.norm(machine.coef_[0])
        self.direction_ = machine.coef_[0] / length
        self.intercept_ = float(machine.intercept_[0] / length)
        return self

    def decision_function(self, w: np.ndarray) -> np.ndarray:
        """Signed distances `(n,)` from the hyperplane."""
        return w @ self.direction_ + self.intercept_
