"""How alike two sets of pictures are, by features of any network."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def frechet_distance(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Fréchet distance of two Gaussians with the means and covariances of features `(n, d)` and `(m, d)`.

    |μ₁ − μ₂|² + tr(C₁ + C₂ − 2 (C₁ C₂)^½), Heusel et al. 2017, "GANs Trained by a Two Time-Scale Update Rule Converge
    to a Local Nash Equilibrium", equation (6). With Inception's features it is FID. It is too large for few pictures:
    with fewer than some times d of them compare by `kernel_distance`.
    """
    first, second = _root(one), _root(other)
    # With C₁ = A' A and C₂ = B' B the roots of the eigenvalues of C₁ C₂ are the singular values of A B'.
    cross = np.linalg.svd(first @ second.T, compute_uv=False).sum()
    spread = (first**2).sum() + (second**2).sum() - 2 * cross
    return float(((one.mean(axis=0) - other.mean(axis=0)) ** 2).sum() + spread)


def _root(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """A matrix A, of min(n, d) rows, with A' A the covariance of `features (n, d)`."""
    centred = (features - features.mean(axis=0)) / np.sqrt(len(features) - 1)
    if len(centred) <= centred.shape[1]:
        return np.asarray(centred)
    return np.asarray(np.linalg.qr(centred, mode="r"))


def kernel_distance(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Squared maximum mean discrepancy of features `(n, d)` and `(m, d)`, without bias: about 0 for one distribution.

    Kernel (x·y / d + 1)³, Bińkowski et al. 2018, "Demystifying MMD GANs", section 4. With Inception's features it is
    KID. All pairs are taken, n and m at least 2.
    """
    n, m, d = len(one), len(other), one.shape[1]
    within_one, within_other, across = ((x @ y.T / d + 1) ** 3 for x, y in ((one, one), (other, other), (one, other)))
    first = (within_one.sum() - np.trace(within_one)) / (n * (n - 1))
    second = (within_other.sum() - np.trace(within_other)) / (m * (m - 1))
    return float(first + second - 2 * across.mean())
