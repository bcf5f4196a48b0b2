"""How alike two sets of pictures are, by features of any network."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigvalsh


def frechet_distance(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Fréchet distance of two Gaussians with the means and covariances of features `(n, d)` and `(m, d)`.

    |μ₁ − μ₂|² + tr(C₁ + C₂ − 2 (C₁ C₂)^½), Heusel et al. 2017, "GANs Trained by a Two Time-Scale Update Rule Converge
    to a Local Nash Equilibrium", equation (6). With Inception's features it is FID. It is too large for few pictures:
    with fewer than some times d of them compare by `kernel_distance`.
    """
    means, covariances = zip(
        *((x.mean(axis=0), np.atleast_2d(np.cov(x, rowvar=False))) for x in (one, other)), strict=True
    )
    # The eigenvalues of C₁ C₂ are those of the symmetric L' C₂ L with C₁ = L L', where roots of rounding errors are 0.
    values, vectors = np.linalg.eigh(covariances[0])
    root = vectors * np.sqrt(values.clip(min=0))
    cross = eigvalsh(root.T @ covariances[1] @ root).clip(min=0)
    spread = np.trace(covariances[0]) + np.trace(covariances[1]) - 2 * np.sqrt(cross).sum()
    return float(((means[0] - means[1]) ** 2).sum() + spread)


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
