"""Mahalanobis distances, against scikit-learn's and against a population that is known."""

import numpy as np
import pytest
from scipy import stats
from sklearn.covariance import LedoitWolf

from latentlab.directions.typicality import Typicality
from latentlab.errors import UserError


@pytest.mark.parametrize(("n", "d"), [(400, 12), (80, 150)])
def test_distances_are_those_of_the_shrunk_covariance(n, d):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, d)) * np.linspace(0.1, 2, d) + 3
    found, own = Typicality.fit(x), x[np.arange(n) % 5 != 0]
    others = 3 + 2 * rng.normal(size=(2, 3, d))
    expected = LedoitWolf().fit(own).mahalanobis(others.reshape(6, d)).reshape(2, 3)
    np.testing.assert_allclose(found.distance(others) ** 2 * d, expected, rtol=1e-9)


def test_quantiles_are_those_of_latents_that_were_not_learnt_from():
    rng = np.random.default_rng(1)
    found = Typicality.fit(rng.normal(size=(5000, 8)) @ rng.normal(size=(8, 8)))
    for share in (0.5, 0.9, 0.99):
        assert found.quantile(share) == pytest.approx(np.sqrt(stats.chi2(8).ppf(share) / 8), rel=0.06)
    assert found.rank(found.mean) == 0 and found.rank(found.mean + 100) == 1


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((49, 3)), "50 latents"),
        (np.full((60, 3), np.nan), "finite"),
        (np.ones((60, 3)), "must differ"),
    ],
)
def test_what_is_no_population_is_refused(x, message):
    with pytest.raises(UserError, match=message):
        Typicality.fit(x)


def test_latents_of_another_width_are_refused():
    found = Typicality.fit(np.random.default_rng(0).normal(size=(60, 3)))
    with pytest.raises(UserError, match="3 dimensions, these latents 4"):
        found.distance(np.zeros((2, 4)))
