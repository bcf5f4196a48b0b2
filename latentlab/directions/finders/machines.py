"""Maximum-margin and logistic classifiers: normals of hyperplanes between two classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.svm import SVC, LinearSVC

from latentlab.directions.finders.base import LinearFinder, Target
from latentlab.directions.finders.checks import check_rows, check_scores, check_training
from latentlab.errors import UserError

if TYPE_CHECKING:
    from typing_extensions import Self


class _Regularised(LinearFinder):
    """Base of classifiers with one inverse strength C of the regulariser, given or chosen by cross-validation.

    x is centred and divided by one common scale, the root of its total variance, so that C means the same
    for every generator. Its axes are not scaled one by one: W's variance spans three orders of magnitude,
    and whitening gives the smallest axes, which are noise to the attribute, equal weight. (On FFHQ's W, with 1,500
    labels simulated along a published smile direction, whitening cost 0.06 of held-out AUC, and a C a hundred
    times the best one 0.02.)
    """

    target: Target = "labels"
    GRID: tuple[float, ...]  # that cross-validation chooses C from
    C_: float

    def __init__(self, C: float | Literal["cv"] = "cv") -> None:
        self.C = C

    def settled(self) -> Self:
        """Unfitted copy with the C that this fit has chosen."""
        copied: Self = clone(self).set_params(C=self.C_)
        return copied

    def _machine(self) -> Any:
        """Classifier of scikit-learn to fit."""
        raise NotImplementedError

    def _fit(self, x: NDArray[Any], y: NDArray[np.bool_]) -> None:
        x, y = check_training(x, y)
        centre = x.mean(axis=0)
        scale = float(np.sqrt(x.var(axis=0).sum())) or 1.0
        scaled = (x - centre) / scale
        if self.C == "cv":
            folds = StratifiedKFold(min(5, int(min(y.sum(), (~y).sum()))), shuffle=True, random_state=0)
            search = GridSearchCV(self._machine(), {"C": list(self.GRID)}, scoring="roc_auc", cv=folds)
            machine = search.fit(scaled, y).best_estimator_
        else:
            machine = self._machine().set_params(C=self.C).fit(scaled, y)
        self.C_ = float(machine.C)
        slope = machine.coef_[0] / scale
        self._set(slope, float(machine.intercept_[0]) - centre @ slope)


class LinearSVM(_Regularised):
    """Normal of a linear support vector machine (squared hinge) that is learnt from all labels.

    Parameters
    ----------
    C
        Inverse strength of the regulariser, in units of x's total variance; "cv" chooses it from 0.01 … 10 in half
        decades by the highest AUC in five-fold cross-validation on the rows given to `fit`.

    Attributes
    ----------
    C_
        C that was used.
    """

    GRID = tuple(float(c) for c in np.logspace(-2, 1, 7))

    def fit(self, x: NDArray[Any], y: NDArray[np.bool_]) -> LinearSVM:
        """Fit on `x (n, w_dim)` and boolean labels `y (n,)`.

        Raises
        ------
        UserError
            If a class has fewer than two rows, or a row is not finite.
        """
        self._fit(x, y)
        return self

    def _machine(self) -> LinearSVC:
        # liblinear regularises the intercept too; the scaling makes that count for a hundredth.
        return LinearSVC(dual=False, intercept_scaling=10.0)


class Logistic(_Regularised):
    """Normal of a logistic regression of the labels.

    Parameters
    ----------
    C
        Inverse strength of the regulariser, as for `LinearSVM`, but "cv" chooses from 0.1, 1, 10, 100 and 1000.

    Attributes
    ----------
    C_
        C that was used.
    """

    GRID = tuple(float(c) for c in np.logspace(-1, 3, 5))

    def fit(self, x: NDArray[Any], y: NDArray[np.bool_]) -> Logistic:
        """Fit on `x (n, w_dim)` and boolean labels `y (n,)`.

        Raises
        ------
        UserError
            If a class has fewer than two rows, or a row is not finite.
        """
        self._fit(x, y)
        return self

    def _machine(self) -> LogisticRegression:
        return LogisticRegression(max_iter=1000)


class InterFaceGAN(LinearFinder):
    """Boundary of InterFaceGAN: a linear SVM between the rows with the highest and those with the lowest scores.

    Shen et al. 2020, "Interpreting the Latent Space of GANs for Semantic Face Editing", section 4.1. Rows are sorted by
    score; the outermost share at either end is kept, and all between them is left out. A part of the kept rows is held
    out. x is taken as it is, with the usual C of 1. Where there are thousands of samples to choose from, the rows at
    the ends are all clear cases; with few, `LinearSVM` learns more from all of them.

    Parameters
    ----------
    share
        Share of the rows to take from either end, above 0 and at most ½.
    train_share
        Share of the taken rows to learn from, above 0 and below 1; the others are held out.
    C
        Inverse strength of the regulariser.
    seed
        Random seed of the split.

    Attributes
    ----------
    accuracy_
        Share of the held-out rows on the right side of the hyperplane.
    accuracy_rest_
        Share of all rows between the two ends on the right side, given by whether the score lies above the
        middle of the lowest and the highest score; NaN if there are none.
    """

    target: Target = "scores"

    def __init__(self, share: float = 0.02, train_share: float = 0.7, C: float = 1.0, seed: int = 0) -> None:
        self.share, self.train_share, self.C, self.seed = share, train_share, C, seed

    def fit(self, x: NDArray[Any], y: NDArray[Any]) -> InterFaceGAN:
        """Fit on `x (n, w_dim)` and scores `y (n,)` of any scale.

        Raises
        ------
        UserError
            If a share is out of range, takes too few rows, or the scores are not finite or all equal.
        """
        if not (0 < self.share <= 0.5 and 0 < self.train_share < 1):
            raise UserError(
                "the share of rows from either end is above 0 and at most 0.5, and that of them to learn from above 0 "
                f"and below 1, not {self.share:g} and {self.train_share:g}"
            )
        y = check_scores(y)
        x = check_rows(x, y)
        count = round(self.share * len(y))
        learnt = round(self.train_share * count)
        if not 0 < learnt < count:
            raise UserError(
                f"a share of {self.share:g} of {len(y)} samples takes {count} from either end, too few to learn from "
                "one part and to judge by the other; draw more samples or raise the share"
            )
        order = np.argsort(y, kind="stable")
        low, rest, high = np.split(order, [count, len(y) - count])
        rng = np.random.default_rng(self.seed)
        train, held = zip(*(np.split(rng.permutation(end), [learnt]) for end in (low, high)), strict=True)
        machine = SVC(kernel="linear", C=self.C).fit(x[np.concatenate(train)], np.repeat([False, True], learnt))
        self._set(machine.coef_[0], float(machine.intercept_[0]))
        self.accuracy_ = self._accuracy(x[np.concatenate(held)], np.repeat([False, True], count - learnt))
        self.accuracy_rest_ = self._accuracy(x[rest], y[rest] > (y.min() + y.max()) / 2)
        return self

    def _accuracy(self, x: NDArray[np.float64], y: NDArray[np.bool_]) -> float:
        return float(np.mean((self.decision_function(x) > 0) == y)) if len(y) else float("nan")
