"""The arithmetic of the metrics, as plain functions of arrays and tensors."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from latentlab.images import luma

__all__ = [
    "attribute_changes",
    "conditional_entropy",
    "covered",
    "dci_scores",
    "density",
    "difference_outside",
    "face_region",
    "frechet_distance",
    "inside_manifold",
    "kernel_distance",
    "leakage",
    "sharpness",
    "trimmed_mean",
]

# Rows of a matrix of distances that are held at once.
_ROWS = 512


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
    kernel = images.new_tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]]).float().view(1, 1, 3, 3)
    return F.conv2d(luma(images.float()), kernel).var(dim=(1, 2, 3), unbiased=False)


def attribute_changes(
    before: NDArray[np.float64], after: NDArray[np.float64], deviation: NDArray[np.float64]
) -> NDArray[np.float64]:
    r"""How far each image moves in each attribute, in standard deviations of the population.

    .. math:: \lvert\Delta_{ik}\rvert / \sigma_k

    with :math:`\Delta_{ik}` the change of attribute k's logit in image i. Its mean over the attributes that are not
    related to the one that was edited is the leakage of an edit of known effect, as in
    `latentlab.pipelines.measure_directions`; `leakage` compares edits of different effects.

    Parameters
    ----------
    before, after
        Logits `(n, k)` of images and of their edits.
    deviation
        `(k,)`: standard deviation of the logits over the population.

    Returns
    -------
    NDArray
        `(n, k)`; NaN for attributes without a deviation.
    """
    known = np.where(deviation > 0, deviation, np.nan)
    return np.asarray(np.abs(after - before) / known)


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
    (6). With Inception's features it is FID. It is biased upwards for small sets: with fewer images than several
    times d, compare by `kernel_distance`.
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
    r"""Unbiased squared maximum mean discrepancy of features `(n, d)` and `(m, d)`: about 0 for the same distribution.

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


# --- paths of a generator -----------------------------------------------------------------------------------


def face_region(images: Tensor) -> Tensor:
    """Cut FFHQ's crop down to the face: rows 3/8 to 7/8 and columns 2/8 to 6/8 of `images (b, c, h, w)`.

    Karras et al. 2019, "A Style-Based Generator Architecture for Generative Adversarial Networks", section 4.1.
    """
    height, width = images.shape[2] // 8, images.shape[3] // 8
    return images[:, :, 3 * height : 7 * height, 2 * width : 6 * width]


def trimmed_mean(values: NDArray[np.float64], share: float = 0.01) -> float:
    """Average the values from the quantile `share` to the quantile 1 − `share`, both included.

    Perceptual path lengths are averaged like this (`share` of 1 %): a few pairs that jump would dominate the mean.
    """
    low = np.quantile(values, share, method="lower")
    high = np.quantile(values, 1 - share, method="higher")
    return float(values[(low <= values) & (values <= high)].mean())


# --- what latents tell of attributes ------------------------------------------------------------------------


def conditional_entropy(
    known: NDArray[np.int64], unknown: NDArray[np.int64], weights: NDArray[np.float64] | None = None
) -> float:
    r"""Entropy in bits that is left of `unknown (n,)` once `known (n,)` is known; both are 0 or 1.

    .. math:: H(Y \mid X) = -\sum_{x, y} p(x, y) \log_2 \frac{p(x, y)}{p(x)}

    Parameters
    ----------
    known, unknown
        X and Y.
    weights
        `(n,)`: how often each row counts; None for once.
    """
    counts = np.bincount(2 * known + unknown, weights, minlength=4).reshape(2, 2)
    table = counts / max(counts.sum(), 1e-300)  # rows that all count 0 times leave nothing unknown
    given = np.broadcast_to(table.sum(axis=1, keepdims=True), table.shape)
    some = table > 0
    return float(-(table[some] * np.log2(table[some] / given[some])).sum() + 0.0)


def dci_scores(importance: NDArray[np.float64]) -> tuple[float, float]:
    r"""Disentanglement and completeness of a matrix of importances, both in 0 … 1.

    With :math:`R_{ij}` the importance of code i for factor j of K, D the number of codes,
    :math:`P_{ij} = R_{ij} / \sum_j R_{ij}` and :math:`\tilde P_{ij} = R_{ij} / \sum_i R_{ij}`:

    .. math::

        D_i = 1 - H_K(P_{i \cdot}), \quad \text{averaged with the weights } \sum_j R_{ij}; \qquad
        C_j = 1 - H_D(\tilde P_{\cdot j}), \quad \text{averaged over the factors}

    with entropies to the base of the number of classes. Eastwood and Williams 2018, "A Framework for the Quantitative
    Evaluation of Disentangled Representations", section 2. A code that matters for no factor has no weight; a factor
    that no code explains has a completeness of 0.

    Parameters
    ----------
    importance
        `(codes, factors)`, none below 0; at least two of each.

    Returns
    -------
    tuple of float
        Disentanglement and completeness; NaN where nothing has any importance.
    """
    if not importance.any():
        return float("nan"), float("nan")
    of_codes, of_factors = importance.sum(axis=1), importance.sum(axis=0)
    disentangled = 1 - _entropy(importance / np.where(of_codes, of_codes, 1)[:, None])
    complete = np.where(of_factors, 1 - _entropy((importance / np.where(of_factors, of_factors, 1)).T), 0)
    return float(np.average(disentangled, weights=of_codes)), float(complete.mean())


def _entropy(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Entropy of each row of `shares (n, k)`, to the base k."""
    logarithm = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    return np.asarray(-(shares * logarithm).sum(axis=1) / np.log(shares.shape[1]))


# --- manifolds of features ----------------------------------------------------------------------------------


def inside_manifold(points: NDArray[np.float64], reference: NDArray[np.float64], k: int = 3) -> NDArray[np.bool_]:
    """Whether each point lies in the manifold of a reference set, `(n,)`.

    The manifold is the union of balls around the reference points, each as wide as the distance to its k-th nearest
    neighbour among them (Kynkäänniemi et al. 2019, "Improved Precision and Recall Metric for Assessing Generative
    Models", equation 1). The mean is precision for generated points and a real reference, and recall the other way
    round.

    Parameters
    ----------
    points, reference
        Features `(n, d)` and `(m, d)`, m above k.
    k
        Which neighbour sets the radius.
    """
    radii = _squared_radii(reference, k)
    return np.concatenate([(block <= radii).any(axis=1) for _, block in _squared_distances(points, reference)])


def density(points: NDArray[np.float64], reference: NDArray[np.float64], k: int = 5) -> NDArray[np.float64]:
    """Number of the reference's balls (see `inside_manifold`) that each point lies in, divided by k: `(n,)`.

    The mean is the density of Naeem et al. 2020, "Reliable Fidelity and Diversity Metrics for Generative Models",
    equation 4: about 1 for two sets from one distribution; it may exceed 1.
    """
    radii = _squared_radii(reference, k)
    return np.concatenate([(block <= radii).sum(axis=1) / k for _, block in _squared_distances(points, reference)])


def covered(points: NDArray[np.float64], reference: NDArray[np.float64], k: int = 5) -> NDArray[np.bool_]:
    """Whether the ball of each reference point (see `inside_manifold`) holds one of the points, `(m,)`.

    The mean is the coverage of Naeem et al. 2020, equation 5.
    """
    radii = _squared_radii(reference, k)
    nearest = [block.min(axis=1) for _, block in _squared_distances(reference, points)]
    return np.asarray(np.concatenate(nearest) <= radii)


def _squared_radii(points: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """Squared distance of each point to its k-th nearest neighbour among the others, `(n,)`."""
    found = []
    for rows, block in _squared_distances(points, points):
        block[np.arange(len(block)), np.arange(rows.start, rows.start + len(block))] = np.inf  # a point and itself
        found.append(np.partition(block, k - 1, axis=1)[:, k - 1])
    return np.concatenate(found)


def _squared_distances(
    one: NDArray[np.float64], other: NDArray[np.float64]
) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Squared distances `(rows, m)` between features `(n, d)` and `(m, d)`, some rows at a time."""
    lengths = (other**2).sum(axis=1)
    for start in range(0, len(one), _ROWS):
        rows = slice(start, start + _ROWS)
        squared = (one[rows] ** 2).sum(axis=1, keepdims=True) + lengths - 2 * one[rows] @ other.T
        yield rows, np.maximum(squared, 0)
