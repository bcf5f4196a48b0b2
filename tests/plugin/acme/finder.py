"""A finder: the difference of medians."""

import numpy as np


class MedianDifference:
    """Median of the positive rows minus that of the negative ones."""

    target = "labels"

    def fit(self, x: np.ndarray, y: np.ndarray) -> "MedianDifference":
        """Fit on `x (n, w_dim)` and boolean labels `y (n,)`."""
        positive, negative = np.median(x[y], axis=0), np.median(x[~y], axis=0)
        self.direction_ = (positive - negative) / np.linalg.norm(positive - negative)
        self.intercept_ = -float(self.direction_ @ (positive + negative) / 2)
        return self

    def decision_function(self, x: np.ndarray) -> np.ndarray:
        """Signed distances `(n,)` from the hyperplane."""
        return x @ self.direction_ + self.intercept_
