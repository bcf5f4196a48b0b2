"""The difference of means."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from latentlab.directions.finders.base import LinearFinder, Target
from latentlab.directions.finders.checks import check_training


class MeanDifference(LinearFinder):
    r"""Mean of the positive rows minus the mean of all, or of the negative ones.

    The two definitions give one direction, since with the share p of positive rows

    .. math:: \bar w_+ - \bar w = (1 - p)\,(\bar w_+ - \bar w_-)

    and differ in its length, which is the strength that carries the mean of the one to the mean of the other. The
    hyperplane lies halfway between the classes.

    Parameters
    ----------
    against
        'all' or 'negative': whose mean is subtracted.

    Attributes
    ----------
    length_
        Length of the difference, in units of x.
    """

    target: Target = "labels"

    def __init__(self, against: Literal["all", "negative"] = "all") -> None:
        self.against = against

    def fit(self, x: NDArray[Any], y: NDArray[np.bool_]) -> MeanDifference:
        """Fit on `x (n, w_dim)` and boolean labels `y (n,)`.

        Raises
        ------
        UserError
            If a class has fewer than two rows, or a row is not finite.
        """
        x, y = check_training(x, y)
        slope = x[y].mean(axis=0) - (x if self.against == "all" else x[~y]).mean(axis=0)
        middle = (x[y].mean(axis=0) + x[~y].mean(axis=0)) / 2
        self._set(slope, -middle @ slope)
        self.length_ = float(np.linalg.norm(slope))
        return self
