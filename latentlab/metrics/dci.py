"""DCI: disentanglement, completeness and informativeness of a latent space."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from latentlab.errors import UserError
from latentlab.metrics.functional import dci_scores
from latentlab.metrics.intervals import Interval, unknown_because
from latentlab.metrics.separability import add_rows
from latentlab.progress import Stage, stage_of
from latentlab.reprs import ShortRepr

# Strengths of the L1 penalty, as shares of the least one at which no code is used.
_PENALTIES = np.geomspace(0.5, 0.01, 10)


@dataclass(frozen=True, eq=False, repr=False)
class DCIScores(ShortRepr):
    """The three scores, each 1 at best.

    Attributes
    ----------
    disentanglement
        Whether each code matters for one factor alone.
    completeness
        Whether each factor is explained by one code alone.
    informativeness
        How much the codes tell about the factors: 1 − the root-mean-square error of held-out predictions in standard
        deviations of the factor, averaged over the factors; 0 for predictions no better than the mean.
    importance
        `(codes, factors)`: mean absolute weight of each standardised code for each standardised factor.
    """

    disentanglement: Interval
    completeness: Interval
    informativeness: Interval
    importance: NDArray[np.float64]


class DCI:
    """Disentanglement, completeness and informativeness of codes, by the lasso; see `functional.dci_scores`.

    Eastwood and Williams 2018, "A Framework for the Quantitative Evaluation of Disentangled Representations". The
    importance of a code for a factor is the absolute weight that a lasso gives it, both standardised. Factors may be
    what a generator was made from or, as in StyleSpace (Wu et al. 2021), attributes of its images by classifiers: here
    their logits. Values are comparable only with the same factors, classifiers and numbers of samples.

    Samples are split into folds; the penalty of a fold is the one that does best on the other folds' held-out samples.
    Intervals come from the delete-a-group jackknife over the folds.

    Parameters
    ----------
    names
        Factors, one for each column of the values; at least two.
    folds
        Number of folds, at least 3.

    Raises
    ------
    UserError
        If there are fewer than two names or three folds.
    """

    title = "DCI"
    higher_is_better = True

    def __init__(self, names: Sequence[str], folds: int = 5) -> None:
        if len(names) < 2 or folds < 3:
            raise UserError(f"DCI takes two factors and three folds or more, not {len(names)} and {folds}")
        self.names, self.folds = tuple(names), folds
        self.reset()

    def reset(self) -> None:
        """Forget all samples."""
        self._codes: list[NDArray[np.float64]] = []
        self._factors: list[NDArray[np.float64]] = []

    def update(self, codes: NDArray[np.floating], factors: NDArray[np.floating]) -> None:
        """Add samples.

        Parameters
        ----------
        codes
            `(n, d)`: z, w or styles.
        factors
            `(n, len(names))`: values of the factors, such as logits.

        Raises
        ------
        UserError
            If the shapes do not fit, or a value is not finite.
        """
        add_rows(self._codes, self._factors, codes, factors, len(self.names))

    def compute(self, progress: bool | Stage = True) -> DCIScores:
        """Return the scores; unknown with fewer than four samples per fold, or where no code or no factor varies."""
        codes, factors = (np.concatenate(x) if x else np.zeros((0, 2)) for x in (self._codes, self._factors))
        why = self._why_unknown(codes, factors)
        if why:
            unknown = unknown_because(why)
            return DCIScores(unknown, unknown, unknown, np.zeros((codes.shape[1], len(self.names))))
        group = np.random.default_rng(0).permutation(len(codes)) % self.folds
        weights, errors = [], []
        with stage_of(progress)("DCI", "fold") as step:
            for fold in range(self.folds):
                step(fold, self.folds)
                found, error = _explain(codes, factors, group != fold)
                weights.append(found)
                errors.append(error)
            step(self.folds, self.folds)
        importance, told = _with_chosen_penalties(np.stack(weights), np.stack(errors))
        both = np.array([dci_scores(one) for one in importance])
        n = len(codes)
        return DCIScores(
            _jackknife(both[:, 0], n),
            _jackknife(both[:, 1], n),
            _held_out(told.mean(axis=1), n),
            importance.mean(axis=0),
        )

    def _why_unknown(self, codes: NDArray[np.float64], factors: NDArray[np.float64]) -> str:
        if len(codes) < 4 * self.folds:
            return f"DCI takes {4 * self.folds} samples or more"
        if codes.shape[1] < 2 or not (np.ptp(codes, axis=0) > 0).any():
            return "DCI takes two codes or more that vary"
        constant = [name for name, one in zip(self.names, factors.T, strict=True) if np.ptp(one) == 0]
        return f"{', '.join(constant)} is equal in all samples" if constant else ""


def _explain(
    codes: NDArray[np.float64], factors: NDArray[np.float64], fit: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lassos of each penalty on some rows: weights `(penalties, codes, factors)`, squared errors on the other rows.

    The errors `(penalties, factors)` are in variances of the factor on the rows of the fit.
    """
    (x, x_new), (y, y_new) = _standardise(codes, fit), _standardise(factors, fit)
    x = np.asfortranarray(x)
    weights = np.stack([_lasso_path(x, column) for column in y.T], axis=2)
    errors = np.square(y_new - x_new @ weights).mean(axis=1)
    return np.abs(weights), errors


def _lasso_path(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights `(penalties, codes)` of a lasso of each penalty, for standardised `x (n, codes)` and `y (n,)`.

    Each penalty is solved on the codes that pull at the residual strongly enough to get a weight, and again with those
    that the solution leaves out wrongly: of the thousands of style channels some hundred matter. Once there are more
    weights than half the rows, weaker penalties have the same weights.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import lasso_path

    weights = np.zeros((len(_PENALTIES), x.shape[1]))
    current = np.zeros(x.shape[1])
    pull = np.abs(x.T @ y) / len(y)
    strongest = pull.max()
    if strongest == 0:  # the factor does not vary on these rows
        return weights
    for k, penalty in enumerate(strongest * _PENALTIES):
        active = (pull >= 0.9 * penalty) | (current != 0)
        while True:
            with warnings.catch_warnings():  # the weakest penalties, which are rarely chosen, may stop a little early
                warnings.simplefilter("ignore", ConvergenceWarning)
                start = current[active]
                _, path, _ = lasso_path(x[:, active], y, alphas=[penalty], coef_init=start, tol=1e-3, max_iter=300)
            current = np.zeros(x.shape[1])
            current[active] = path[:, 0]
            pull = np.abs(x.T @ (y - x @ current)) / len(y)
            wrong = (pull > 1.01 * penalty) & ~active
            if not wrong.any():
                break
            active |= wrong
        weights[k:] = current
        if np.count_nonzero(current) > len(y) / 2:  # weaker penalties only fit the noise, and slowly
            break
    return weights


def _with_chosen_penalties(
    weights: NDArray[np.float64], errors: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights `(folds, codes, factors)` and informativeness `(folds, factors)`.

    The penalty of a fold and factor is the one that loses least on the held-out rows of the other folds.
    """
    chosen = (errors.sum(axis=0) - errors).argmin(axis=1)  # (folds, factors)
    importance = np.take_along_axis(weights, chosen[:, None, None, :], axis=1)[:, 0]
    error = np.take_along_axis(errors, chosen[:, None, :], axis=1)[:, 0]
    return importance, 1 - np.sqrt(error)


def _standardise(
    values: NDArray[np.float64], fit: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bring some rows to mean 0 and deviation 1, and the others by the same numbers; what does not vary becomes 0."""
    mean, deviation = values[fit].mean(axis=0), values[fit].std(axis=0)
    scale = np.where(deviation > 1e-12 * (1 + np.abs(mean)), deviation, np.inf)
    return (values[fit] - mean) / scale, (values[~fit] - mean) / scale


def _jackknife(values: NDArray[np.float64], n: int) -> Interval:
    """Mean of values that each lack one fold, with the interval of the delete-a-group jackknife."""
    folds = len(values)
    return _interval(values, np.sqrt((folds - 1) / folds * np.square(values - values.mean()).sum()), n)


def _held_out(values: NDArray[np.float64], n: int) -> Interval:
    """Mean of values that are each of one fold, with Student's interval."""
    return _interval(values, values.std(ddof=1) / np.sqrt(len(values)), n)


def _interval(values: NDArray[np.float64], error: float, n: int) -> Interval:
    if not np.isfinite(values).all():
        return unknown_because("no code tells anything of the factors")
    mean, half = float(values.mean()), float(student.ppf(0.975, len(values) - 1) * error)
    return Interval(mean, mean - half, min(mean + half, 1.0), n)
