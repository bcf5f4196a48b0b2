"""How typical latents are of a population: their Mahalanobis distance, in W or in S."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentlab.errors import UserError
from latentlab.reprs import ShortRepr

# Every so many rows of the population one is left out of the covariance, to measure distances with.
_LEFT_OUT = 5
_FEWEST = 50


@dataclass(frozen=True, eq=False, repr=False)
class Typicality(ShortRepr):
    r"""A population of latents, and how far others lie from it.

    The distance of x from the mean :math:`\mu` is :math:`\sqrt{(x-\mu)^\top \Sigma^{-1} (x-\mu) / d}` (Mahalanobis
    1936), d being the number of dimensions: about 1 for latents of the population. :math:`\Sigma` is the covariance
    shrunk towards a multiple of the identity as far as Ledoit and Wolf (2004) say; so there may be more dimensions than
    latents, as in S.

    Attributes
    ----------
    mean
        `(d,)`.
    axes
        `(k, d)`: orthonormal principal axes in which the population varies.
    precisions
        `(k,)`: inverse variances along them, after shrinkage.
    rest
        Inverse variance along all other axes.
    distances
        Distances of the latents that were left out of the covariance, ascending.
    """

    mean: NDArray[np.float64]
    axes: NDArray[np.float64]
    precisions: NDArray[np.float64]
    rest: float
    distances: NDArray[np.float64]

    @classmethod
    def fit(cls, x: NDArray[Any]) -> Typicality:
        """Learn a population.

        Parameters
        ----------
        x
            `(n, d)`, 50 rows or more: w, or the standardised styles of `StyleSpace.standardise`. Four rows in five
            give the mean and the covariance; the distances of the others are what quantiles are of.

        Raises
        ------
        UserError
            If there are fewer rows, or numbers that are not finite.
        """
        x = np.asarray(x, dtype=np.float64)
        if x.ndim != 2 or len(x) < _FEWEST:
            raise UserError(f"a population takes {_FEWEST} latents (n, d) or more, not {x.shape}")
        if not np.isfinite(x).all():
            raise UserError("a population's latents must be finite numbers")
        from sklearn.covariance import ledoit_wolf_shrinkage  # scikit-learn takes a second to import

        left_out = np.arange(len(x)) % _LEFT_OUT == 0
        own, others = x[~left_out], x[left_out]
        centred = own - (mean := own.mean(axis=0))
        shrinkage = float(ledoit_wolf_shrinkage(centred, assume_centered=True))
        _, singular, axes = np.linalg.svd(centred, full_matrices=False)
        variances = singular**2 / len(own)
        isotropic = shrinkage * variances.sum() / x.shape[1]
        if not isotropic > 0:
            raise UserError("a population's latents must differ")
        precisions = 1 / ((1 - shrinkage) * variances + isotropic)
        found = cls(mean, axes, precisions, 1 / isotropic, np.zeros(0))
        return cls(mean, axes, precisions, 1 / isotropic, np.sort(found.distance(others)))

    def distance(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """Compute the distances `(…)` of latents `(…, d)`.

        Raises
        ------
        UserError
            If they have another number of dimensions.
        """
        x = np.asarray(x, dtype=np.float64)
        if x.shape[-1] != len(self.mean):
            raise UserError(f"the population has {len(self.mean)} dimensions, these latents {x.shape[-1]}")
        centred = x - self.mean
        along = centred @ self.axes.T  # (…, k)
        squares = (along**2 * (self.precisions - self.rest)).sum(-1) + self.rest * (centred**2).sum(-1)
        found: NDArray[np.float64] = np.sqrt(np.maximum(squares, 0) / len(self.mean))
        return found

    def quantile(self, share: float) -> float:
        """Distance that this share of the population does not exceed, 0 to 1."""
        return float(np.quantile(self.distances, share))

    def rank(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """Shares `(…)` of the population that lie nearer to its mean than latents `(…, d)`."""
        found: NDArray[np.float64] = np.searchsorted(self.distances, self.distance(x)) / len(self.distances)
        return found
