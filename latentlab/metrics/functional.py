"""The arithmetic of the metrics, as plain functions of arrays and tensors."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["difference_outside", "frechet_distance", "kernel_distance", "leakage", "sharpness"]

# ITU-R BT.601.
_LUMA = (0.299, 0.587, 0.114)


def difference_outside(before: Tensor, after: Tensor, region: Tensor) -> Tensor:
    """Mean absolute difference of images outside a region, in 0 … 1, where 1 is black against white.

    Parameters
    ----------
    before, after
        `(b, 3, h, w)` in [-1, 1].
    region
        `(b or 1, 1, h, w)` in 0 … 1: 1 where the edit may change the image.

    Returns
    -------
    Tensor
        `(b,)`; NaN where the region covers the whole image.
    """
    outside = (1 - region).expand(len(before), -1, -1, -1)
    total = outside.sum(dim=(1, 2, 3))
    difference = (outside * (before - after).abs().mean(dim=1, keepdim=True)).sum(dim=(1, 2, 3)) / 2
    return torch.where(total > 0, difference / total.clamp_min(1e-12), torch.nan)


def sharpness(images: Tensor) -> Tensor:
    """Variance of the Laplacian of the luma: 0 for a plain image, larger for a sharper one.

    Pech-Pacheco et al. 2000, "Diatom autofocusing in brightfield microscopy". It depends on the resolution and on the
    content: compare images of one resolution that show the same subjects.

    Parameters
    ----------
    images
        `(b, 3, h, w)` in [-1, 1].

    Returns
    -------
    Tensor
        `(b,)`.
    """
    luma = (images.float() * images.new_tensor(_LUMA).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)
    kernel = images.new_tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]]).float().view(1, 1, 3, 3)
    return F.conv2d(luma, kernel).var(dim=(1, 2, 3), unbiased=False)


def leakage(
    before: NDArray[np.float64], after: NDArray[np.float64], deviation: NDArray[np.float64], target: int
) -> NDArray[np.float64]:
    r"""How far each attribute moves with the target, all in standard deviations of the population.

    With :math:`\overline{\Delta}_k` the mean change of attribute k's logit, :math:`\sigma_k` its standard deviation
    and t the target:

    .. math:: \frac{\lvert\overline{\Delta}_k\rvert / \sigma_k}{\lvert\overline{\Delta}_t\rvert / \sigma_t}

    It is 0 for an attribute that stays, 1 for one that moves as far as the target does.

    Parameters
    ----------
    before, after
        Logits `(n, k)` of images and of their edits.
    deviation
        `(k,)`: standard deviation of the logits over the population.
    target
        Column of the attribute that was edited.

    Returns
    -------
    NDArray
        `(k,)`, 1 for the target itself; NaN where the target did not move.
    """
    moved = np.abs((after - before).mean(axis=0)) / deviation
    if moved[target] == 0:
        return np.full(len(moved), np.nan)
    return np.asarray(moved / moved[target])


def frechet_distance(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    r"""Fréchet distance of two Gaussians with the means and covariances of features `(n, d)` and `(m, d)`.

    .. math:: \lVert\mu_1 - \mu_2\rVert^2 + \operatorname{tr}\left(C_1 + C_2 - 2\,(C_1 C_2)^{1/2}\right)

    Heusel et al. 2017, "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium", equation
    (6). With Inception's features it is FID. It is biased upwards for small sets: with fewer than several times d
    images compare by `kernel_distance`.
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
    r"""Unbiased squared maximum mean discrepancy of features `(n, d)` and `(m, d)`: about 0 for one distribution.

    .. math::

        \overline{k(x, x')}_{x \neq x'} + \overline{k(y, y')}_{y \neq y'} - 2\,\overline{k(x, y)},
        \qquad k(x, y) = \left(\frac{x \cdot y}{d} + 1\right)^3

    with means over all pairs; n and m are at least 2. Bińkowski et al. 2018, "Demystifying MMD GANs", section 4. With
    Inception's features it is KID.
    """
    n, m, d = len(one), len(other), one.shape[1]
    within_one, within_other, across = ((x @ y.T / d + 1) ** 3 for x, y in ((one, one), (other, other), (one, other)))
    first = (within_one.sum() - np.trace(within_one)) / (n * (n - 1))
    second = (within_other.sum() - np.trace(within_other)) / (m * (m - 1))
    return float(first + second - 2 * across.mean())
