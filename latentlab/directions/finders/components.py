"""GANSpace: principal components of w, without any labels.

Härkönen et al. 2020, "GANSpace: Discovering Interpretable GAN Controls".
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.decomposition import IncrementalPCA

from latentlab.directions.finders.base import Target
from latentlab.directions.finders.checks import check_rows
from latentlab.errors import UserError


class GANSpace(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Principal components of w, from scikit-learn's `IncrementalPCA`, largest variance first.

    What a component changes is for the eye to say, or for `latentlab.directions.name_components`. Its sign is
    arbitrary; here its largest entry is positive. Edits move by s · σ along a component (`editing.from_sigmas`), often
    in some layers only.

    Parameters
    ----------
    count
        Number of components; as many as w has dimensions, if these are fewer.

    Attributes
    ----------
    components_
        `(count, w_dim)` float64, orthonormal.
    sigmas_
        `(count,)`: standard deviation of w along each of them, descending.
    intercept_
        `(count,)`: minus the mean's coordinate on each, since coordinates are counted from the mean.
    """

    target: Target = None

    def __init__(self, count: int = 80) -> None:
        self.count = count

    def fit(self, x: NDArray[Any], y: Any = None) -> GANSpace:
        """Fit on `x (n, w_dim)`, w of random z; `y` is not used.

        Raises
        ------
        UserError
            If there are fewer rows than components, or a row is not finite.
        """
        self._pca: IncrementalPCA | None = None
        return self.partial_fit(x)

    def partial_fit(self, x: NDArray[Any], y: Any = None) -> GANSpace:
        """Continue with further rows, `(n, w_dim)`, such as a million w that do not fit into memory at once.

        Raises
        ------
        UserError
            As for `fit`.
        """
        x = check_rows(x)
        count = min(self.count, x.shape[1])
        if not 1 <= count <= len(x):
            raise UserError(f"{count} components take as many rows at least, at a time, and here are {len(x)}")
        batches = np.array_split(x, max(1, len(x) // (5 * x.shape[1])))
        if getattr(self, "_pca", None) is None:
            # All components are carried from batch to batch, so that the first ones come out exact.
            self._pca = IncrementalPCA(n_components=min(len(batches[0]), x.shape[1]))
        assert self._pca is not None
        for rows in batches:
            self._pca.partial_fit(rows)  # which copies them
        found = self._pca.components_[:count]
        largest = np.take_along_axis(found, np.abs(found).argmax(axis=1)[:, None], axis=1)
        self.components_ = found * np.sign(largest)
        self.sigmas_ = np.sqrt(self._pca.explained_variance_[:count])
        self.intercept_ = -self.components_ @ self._pca.mean_
        return self
