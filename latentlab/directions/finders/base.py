"""The protocol of direction finders, and the base of those that fit a hyperplane."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted

from latentlab.errors import UserError

if TYPE_CHECKING:
    from typing_extensions import Self

Target = Literal["labels", "scores"] | None


class Finder(Protocol):
    """Protocol of direction finders: classes in the style of scikit-learn.

    `fit` stores its results in attributes. It must set one of the following:

    - `direction_`: `(w_dim,)` float64 of length 1, pointing to the positive class, or one row per layer,
      `(num_ws, w_dim)`, the longest of which has length 1;
    - `components_`: several of them, `(k, w_dim)` or `(k, num_ws, w_dim)`.

    It may also offer:

    - `space`: what x is. 'w', the default without this attribute: `(n, w_dim)`; 'z': `(n, z_dim)`; 's': standardised
      styles `(n, C)`, see `latentlab.directions.StyleSpace.standardise`. Vectors are then of that space; zeros of
      one in S leave their channels as they are;
    - `intercept_`: a number, or one per component: the hyperplane is where the coordinate on the direction,
      `x·direction_`, is `−intercept_`, in units of x;
    - `decision_function(x) -> (n,)`: positive for the positive class; used to judge a direction on held-out rows;
    - `settled()`: an unfitted copy in which what the fit has chosen by itself is set, for repetitions of the fit;
    - `fit_many(x, y (n, k))`: fitted copies of itself for several attributes at once, see `RidgeOnLogit.fit_many`.

    Attributes
    ----------
    target
        What `fit` expects as y: boolean 'labels', 'scores' (in [0, 1] with the threshold at ½ if one was set, and as
        the scorer gave them otherwise), or None if it uses x alone.
    """

    @property
    def target(self) -> Target:
        """What `fit` expects as y."""

    def fit(self, x: NDArray[Any], y: Any, /) -> object:
        """Fit on `x (n, w_dim)` and `y (n,)`."""


@runtime_checkable
class Classifier(Protocol):
    """Protocol of fitted finders that can be judged on labels."""

    def decision_function(self, x: NDArray[Any], /) -> NDArray[np.float64]:
        """Signed distance `(n,)` of `x (n, w_dim)` from the hyperplane, positive for the positive class."""


class LinearFinder(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Base of the finders of a hyperplane: a unit direction, an intercept, and the signed distance.

    Attributes
    ----------
    direction_
        Unit normal `(w_dim,)`, pointing to the positive class.
    intercept_
        Distance of the hyperplane from the origin, so that `decision_function` is `x·direction_ + intercept_`.
    """

    direction_: NDArray[np.float64]
    intercept_: float

    def decision_function(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """Signed distance `(n,)` of `x (n, w_dim)` from the hyperplane, in units of x."""
        check_is_fitted(self, "direction_")
        return np.asarray(x, dtype=np.float64) @ self.direction_ + self.intercept_

    def settled(self) -> Self:
        """Unfitted copy in which what this fit has chosen by itself, such as C, is set."""
        copied: Self = clone(self)
        return copied

    def _set(self, slope: NDArray[np.float64], intercept: float) -> None:
        """Keep the hyperplane slope·x + intercept = 0, scaled so that the slope has unit length."""
        length = float(np.linalg.norm(slope))
        if not (np.isfinite(length) and length > 0):
            raise UserError("the samples give no direction: the attribute does not change with w")
        self.direction_ = slope / length
        self.intercept_ = float(intercept) / length
