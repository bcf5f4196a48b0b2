"""Precision, recall, density and coverage: whether images look real, and whether all of the real ones are reached."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from latentlab.metrics import functional
from latentlab.metrics.features import FeatureExtractor, title_of
from latentlab.metrics.intervals import Interval, mean_interval, share_interval
from latentlab.metrics.set_distance import FeatureSets


class ManifoldMetric(FeatureSets):
    """A metric of the manifolds that features lie on, as balls up to the k-th neighbour describe them.

    Published values use VGG16's fully connected features (fc2), whose weights LPIPS does not bring: with
    `VGG16Features`, spatial means of the convolutional layers, values are not comparable to them. All of these metrics
    depend on the sizes of the sets: published ones use 50 000 images of each.

    Parameters
    ----------
    features
        Feature extractor; None for `VGG16Features`.
    neighbours
        Which neighbour sets the radius of a ball; None for the published choice.
    """

    higher_is_better = True
    noun = ""
    published_neighbours = 3
    note = (
        "features are spatial means of VGG16's convolutional layers; the published metric takes its fc2 features, so "
        "values are not comparable to published ones"
    )

    def __init__(self, features: FeatureExtractor | None = None, neighbours: int | None = None) -> None:
        super().__init__(features)
        self.neighbours = self.published_neighbours if neighbours is None else neighbours
        self.least_images = self.neighbours + 1
        self.title = f"{self.noun} ({title_of(self.features)}, k = {self.neighbours})"


class Precision(ManifoldMetric):
    """Share of the images that lie in the manifold of the reference set; see `functional.inside_manifold`.

    Kynkäänniemi et al. 2019, k = 3. The interval is Wilson's, for the given reference set.
    """

    noun = "Precision"

    def interval(self, made: NDArray[np.float64], reference: NDArray[np.float64]) -> Interval:
        """Return the share for features `(n, d)` and `(m, d)`."""
        return share_interval(functional.inside_manifold(made, reference, self.neighbours))


class Recall(ManifoldMetric):
    """Share of the reference set that lies in the manifold of the images; see `functional.inside_manifold`.

    Kynkäänniemi et al. 2019, k = 3. The interval is Wilson's, for the given images.
    """

    noun = "Recall"

    def interval(self, made: NDArray[np.float64], reference: NDArray[np.float64]) -> Interval:
        """Return the share for features `(n, d)` and `(m, d)`."""
        return share_interval(functional.inside_manifold(reference, made, self.neighbours))


class Density(ManifoldMetric):
    """Mean number of the reference set's balls that the images lie in, divided by k; see `functional.density`.

    Naeem et al. 2020, k = 5. The interval is the bootstrap's, for the given reference set.
    """

    noun = "Density"
    published_neighbours = 5

    def interval(self, made: NDArray[np.float64], reference: NDArray[np.float64]) -> Interval:
        """Return the mean for features `(n, d)` and `(m, d)`."""
        return mean_interval(functional.density(made, reference, self.neighbours))


class Coverage(ManifoldMetric):
    """Share of the reference set's balls that hold an image; see `functional.covered`.

    Naeem et al. 2020, k = 5. The interval is Wilson's, for the given images.
    """

    noun = "Coverage"
    published_neighbours = 5

    def interval(self, made: NDArray[np.float64], reference: NDArray[np.float64]) -> Interval:
        """Return the share for features `(n, d)` and `(m, d)`."""
        return share_interval(functional.covered(made, reference, self.neighbours))
