"""Linear separability: how well hyperplanes in a latent space separate attributes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from latentlab.errors import UserError
from latentlab.metrics.functional import conditional_entropy
from latentlab.metrics.intervals import Interval, unknown_because
from latentlab.progress import Stage, stage_of

_RESAMPLES = 200


@dataclass(frozen=True, eq=False)
class _Told:
    """What hyperplanes tell of one attribute, for the samples that are kept of it."""

    rows: NDArray[np.int64]
    predicted: NDArray[np.int64]
    labels: NDArray[np.int64]


class LinearSeparability:
    r"""Linear separability (LS): 2 to the power of the sum over attributes of what hyperplanes leave unknown, in bits.

    For each attribute the samples that a classifier is surest of are kept, a linear SVM is fitted to their latents,
    and with X its prediction and Y the classifier's:

    .. math:: 2^{\sum_k H(Y_k \mid X_k)}

    It is 1 where hyperplanes separate all attributes. Karras et al. 2019, "A Style-Based Generator Architecture for
    Generative Adversarial Networks", section 4.2, which keeps the surer half of 200 000 samples. Values are comparable
    only with the same classifiers: published ones use 40 CelebA classifiers of their own.

    Parameters
    ----------
    names
        Attributes, one for each column of the logits.
    keep
        Share of the samples that are kept for each attribute.
    folds
        Each sample is judged by an SVM that has not seen it, by cross-validation with this many folds. 1 judges
        samples by the SVM that was fitted to them, as published, which flatters unless their number is many times the
        latents' width.

    Raises
    ------
    UserError
        If there is no name, `keep` is not above 0 and up to 1, or `folds` is below 1.
    """

    title = "Linear separability"
    higher_is_better = False

    def __init__(self, names: Sequence[str], keep: float = 0.5, folds: int = 5) -> None:
        if not names or not 0 < keep <= 1 or folds < 1:
            raise UserError(
                f"separability takes names, a share to keep above 0 and up to 1, and folds from 1; not "
                f"{list(names)}, {keep:g} and {folds}"
            )
        self.names, self.keep, self.folds = tuple(names), keep, folds
        self.reset()

    def reset(self) -> None:
        """Forget all samples."""
        self._latents: list[NDArray[np.float64]] = []
        self._logits: list[NDArray[np.float64]] = []

    def update(self, latents: NDArray[np.floating], logits: NDArray[np.floating]) -> None:
        """Add samples.

        Parameters
        ----------
        latents
            `(n, d)`: z or w.
        logits
            `(n, len(names))`: the classifier's, above 0 where it sees the attribute.

        Raises
        ------
        UserError
            If the shapes do not fit, or a value is not finite.
        """
        add_rows(self._latents, self._logits, latents, logits, len(self.names))

    def entropies(self, progress: bool | Stage = True) -> dict[str, float]:
        """Return the bits that a hyperplane leaves unknown about each attribute, 0 … 1."""
        told = self._tell(progress)
        return {name: conditional_entropy(t.predicted, t.labels) for name, t in zip(self.names, told, strict=True)}

    def compute(self, progress: bool | Stage = True) -> Interval:
        """Return the separability with the normal bootstrap interval of its logarithm, for the fitted hyperplanes."""
        if sum(map(len, self._latents)) < 2 * max(self.folds, 2):
            return unknown_because(f"separability takes {2 * max(self.folds, 2)} samples or more")
        told = self._tell(progress)
        n = sum(map(len, self._latents))
        bits = sum(conditional_entropy(t.predicted, t.labels) for t in told)
        rng = np.random.default_rng(0)
        drawn = []
        for _ in range(_RESAMPLES):
            weights = np.bincount(rng.integers(n, size=n), minlength=n).astype(np.float64)
            drawn.append(sum(conditional_entropy(t.predicted, t.labels, weights[t.rows]) for t in told))
        half = float(norm.ppf(0.975) * np.std(drawn, ddof=1))
        return Interval(2**bits, 2 ** max(bits - half, 0), 2 ** (bits + half), n)

    def _tell(self, progress: bool | Stage) -> list[_Told]:
        latents, logits = np.concatenate(self._latents), np.concatenate(self._logits)
        kept = max(math.ceil(self.keep * len(latents)), 1)
        found = []
        with stage_of(progress)("separability", "attribute") as step:
            for done, column in enumerate(logits.T):
                step(done, len(self.names))
                rows = np.argsort(-np.abs(column), kind="stable")[:kept]
                labels = (column[rows] > 0).astype(np.int64)
                found.append(_Told(rows, _predict(latents[rows], labels, self.folds), labels))
            step(len(self.names), len(self.names))
        return found


def add_rows(
    codes: list[NDArray[np.float64]],
    values: list[NDArray[np.float64]],
    new_codes: NDArray[np.floating],
    new_values: NDArray[np.floating],
    width: int,
) -> None:
    """Append rows of codes `(n, d)` and of values `(n, width)`; UserError where they do not fit."""
    one, other = np.asarray(new_codes, dtype=np.float64), np.asarray(new_values, dtype=np.float64)
    wanted = (len(one), width)
    if one.ndim != 2 or other.shape != wanted or (codes and codes[0].shape[1] != one.shape[1]):
        raise UserError(f"latents {one.shape} and values {other.shape} do not fit: values must be {wanted}")
    if not (np.isfinite(one).all() and np.isfinite(other).all()):
        raise UserError("latents and values must be finite; some are NaN or infinite")
    codes.append(one)
    values.append(other)


def _predict(latents: NDArray[np.float64], labels: NDArray[np.int64], folds: int) -> NDArray[np.int64]:
    """Labels by a linear SVM; where a class has fewer samples than there are folds, the larger class for all."""
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.svm import LinearSVC

    smaller = np.bincount(labels, minlength=2).min()
    if smaller < max(folds, 1):
        return np.full(len(labels), int(labels.mean() > 0.5))
    # The primal problem, which is smooth, converges where the dual one of few samples and many dimensions does not.
    svm = LinearSVC(dual=False, random_state=0)
    if folds == 1:
        return np.asarray(svm.fit(latents, labels).predict(latents))
    split = StratifiedKFold(folds, shuffle=True, random_state=0)
    return np.asarray(cross_val_predict(svm, latents, labels, cv=split))
