"""Direction finders in the style of scikit-learn: parameters at construction, `fit(w, y)`, results that end in `_`."""

from __future__ import annotations

from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit
from sklearn.base import BaseEstimator
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.svm import LinearSVC
from sklearn.utils.validation import check_is_fitted

from latentlab.errors import UserError

Target = Literal["labels", "scores"] | None


class Finder(Protocol):
    """Protocol of direction finders: classes in the style of scikit-learn.

    `fit` stores its results in attributes. It must set one of the following:

    - `direction_`: `(w_dim,)` float64 of length 1, pointing to the positive class, or a row a layer,
      `(num_ws, w_dim)`, of which the longest has length 1;
    - `components_`: several of them, `(k, w_dim)` or `(k, num_ws, w_dim)`.

    It may also offer:

    - `intercept_`: a number, or one a component: the hyperplane is where the coordinate on the direction,
      `w·direction_`, is `−intercept_`, in units of w;
    - `decision_function(w) -> (n,)`: positive for the positive class; by it a direction is judged on held-out rows.

    Attributes
    ----------
    target
        What `fit` expects as y: boolean 'labels', 'scores' (in [0, 1] with the threshold at ½ if one was set, and as
        the scorer gave them otherwise), or None if it uses w alone.
    """

    @property
    def target(self) -> Target:
        """What `fit` expects as y."""

    def fit(self, w: NDArray[Any], y: Any) -> object:
        """Fit on `w (n, w_dim)` and `y (n,)`."""


@runtime_checkable
class Classifier(Protocol):
    """Protocol of fitted finders that can be judged on labels."""

    def decision_function(self, w: NDArray[Any]) -> NDArray[np.float64]:
        """Signed distance `(n,)` of `w (n, w_dim)` from the hyperplane, positive for the positive class."""


def check_labels(y: NDArray[Any], where: str) -> NDArray[np.bool_]:
    """Check that labels are boolean and that both classes occur, and return them.

    Raises
    ------
    UserError
        If y is not boolean or has only one class. Says how many of each there are.
    """
    y = np.asarray(y)
    if y.dtype != bool:
        raise UserError(f"labels must be boolean, not {y.dtype}; compare the scores with a threshold first")
    positive = int(y.sum())
    if not 0 < positive < len(y):
        raise UserError(
            f"{where} have {positive} positive and {len(y) - positive} negative labels, and both are needed; "
            "draw more samples or choose another attribute"
        )
    return y


def _check_w(w: NDArray[Any], y: NDArray[Any]) -> NDArray[np.float64]:
    w = np.asarray(w, dtype=np.float64)
    if w.ndim != 2 or len(w) != len(y):
        raise ValueError(f"w must be (n, w_dim) with a row for each of the {len(y)} labels, not {w.shape}")
    return w


class _LinearFinder(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Base of the linear finders: a unit direction, an intercept, and the signed distance from the hyperplane."""

    direction_: NDArray[np.float64]
    intercept_: float

    def decision_function(self, w: NDArray[Any]) -> NDArray[np.float64]:
        """Signed distance `(n,)` of `w (n, w_dim)` from the hyperplane, in units of w."""
        check_is_fitted(self, "direction_")
        return np.asarray(w, dtype=np.float64) @ self.direction_ + self.intercept_

    def _set(self, slope: NDArray[np.float64], intercept: float) -> None:
        """Keep the hyperplane slope·w + intercept = 0, scaled so that the slope has unit length."""
        length = float(np.linalg.norm(slope))
        if not (np.isfinite(length) and length > 0):
            raise UserError("the samples give no direction: the attribute does not change with w")
        self.direction_ = slope / length
        self.intercept_ = float(intercept) / length


class MeanDifference(_LinearFinder):
    """Mean of the positive rows minus the mean of all; the hyperplane lies halfway between the classes."""

    target: Target = "labels"

    def fit(self, w: NDArray[Any], y: NDArray[np.bool_]) -> MeanDifference:
        """Fit on `w (n, w_dim)` and boolean labels `y (n,)`.

        Raises
        ------
        UserError
            If only one class occurs.
        """
        y = check_labels(y, "the training rows")
        w = _check_w(w, y)
        slope = w[y].mean(axis=0) - w.mean(axis=0)
        middle = (w[y].mean(axis=0) + w[~y].mean(axis=0)) / 2
        self._set(slope, -middle @ slope)
        return self


class LinearSVM(_LinearFinder):
    """Normal of a linear support vector machine (squared hinge), as InterFaceGAN learns its boundaries.

    w is centred and divided by one common scale, the root of its total variance, so that C means the same
    for every generator. Its axes are not scaled one by one: W's variance spans three orders of magnitude,
    and whitening gives the smallest axes, which are noise to the attribute, equal weight. (On FFHQ's W, with 1,500
    labels simulated along a published smile direction, whitening cost 0.06 of held-out AUC, and a C a hundred
    times the best one 0.02.)

    Parameters
    ----------
    C
        Inverse strength of the regulariser; "cv" chooses it from 0.01 … 10 in half decades by the highest AUC in
        five-fold cross-validation on the rows given to `fit`.

    Attributes
    ----------
    C_
        C that was used.
    """

    target: Target = "labels"
    GRID = tuple(float(c) for c in np.logspace(-2, 1, 7))

    def __init__(self, C: float | Literal["cv"] = "cv") -> None:
        self.C = C

    def fit(self, w: NDArray[Any], y: NDArray[np.bool_]) -> LinearSVM:
        """Fit on `w (n, w_dim)` and boolean labels `y (n,)`.

        Raises
        ------
        UserError
            If only one class occurs or, for C="cv", one of them has a single row.
        """
        y = check_labels(y, "the training rows")
        w = _check_w(w, y)
        centre = w.mean(axis=0)
        scale = float(np.sqrt(w.var(axis=0).sum())) or 1.0
        x = (w - centre) / scale
        # liblinear regularises the intercept too; the scaling makes that count for a hundredth.
        machine = LinearSVC(dual=False, intercept_scaling=10.0)
        if self.C == "cv":
            machine = self._search(machine, x, y)
        else:
            machine.set_params(C=self.C).fit(x, y)
        self.C_ = float(machine.C)
        slope = machine.coef_[0] / scale
        self._set(slope, float(machine.intercept_[0]) - centre @ slope)
        return self

    def _search(self, machine: LinearSVC, x: NDArray[Any], y: NDArray[np.bool_]) -> LinearSVC:
        smaller = int(min(y.sum(), (~y).sum()))
        if smaller < 2:
            raise UserError("choosing C takes two rows of each class at least; draw more samples")
        folds = StratifiedKFold(min(5, smaller), shuffle=True, random_state=0)
        search = GridSearchCV(machine, {"C": list(self.GRID)}, scoring="roc_auc", cv=folds)
        return search.fit(x, y).best_estimator_


class RidgeOnLogit(_LinearFinder):
    """Ridge regression of the score's logit on w: it learns from degrees rather than from labels.

    Parameters
    ----------
    alphas
        Strengths of the regulariser to choose from by leave-one-out error, in units of w's total variance times the
        number of rows.

    Attributes
    ----------
    alpha_
        Strength that was used.
    """

    target: Target = "scores"
    MARGIN = 1e-3  # scores are clipped to [MARGIN, 1 − MARGIN]: logits beyond come from overconfidence

    def __init__(self, alphas: tuple[float, ...] = tuple(np.logspace(-6, 0, 13))) -> None:
        self.alphas = alphas

    def fit(self, w: NDArray[Any], y: NDArray[Any]) -> RidgeOnLogit:
        """Fit on `w (n, w_dim)` and scores `y (n,)` in [0, 1]; the hyperplane is where the score is ½.

        Raises
        ------
        UserError
            If scores lie outside [0, 1], or all are equal.
        """
        y = np.asarray(y, dtype=np.float64)
        if len(y) == 0 or not (y.min() >= 0 and y.max() <= 1):
            found = f"these go from {y.min():.4g} to {y.max():.4g}" if len(y) else "there are none"
            raise UserError(
                f"ridge on the logit needs scores from 0 to 1, and {found}; set a threshold for them, such as "
                'threshold="median" (--threshold median)'
            )
        if y.min() == y.max():
            raise UserError(f"all scores are {y[0]:g}: they give no direction; choose another attribute")
        w = _check_w(w, y)
        unit = float(w.var(axis=0).sum()) * len(w) or 1.0
        machine = RidgeCV(alphas=np.asarray(self.alphas) * unit)
        machine.fit(w, logit(np.clip(y, self.MARGIN, 1 - self.MARGIN)))
        self.alpha_ = float(machine.alpha_ / unit)
        self._set(machine.coef_, float(machine.intercept_))
        return self
