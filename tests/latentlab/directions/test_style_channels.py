"""Finding style channels: closed forms, and the channels that are known to be the only ones."""

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from latentlab.datasets import KnownFactors
from latentlab.directions import StyleCorrelation, StyleSpace, StyleZScore
from latentlab.directions.style_channels import correlations, strongest
from latentlab.errors import UserError
from tests.latentlab.directions.known import population

KNOWN = KnownFactors()


@pytest.fixture(scope="module")
def samples():
    """w, standardised styles and their space, and the values of the factors."""
    w = population(KNOWN, 400)
    space = StyleSpace.measure(KNOWN, w)
    return w, space.standardise_w(KNOWN, w), space, KNOWN.values(w)


@pytest.mark.parametrize("name", KNOWN.factors)
def test_the_channel_that_drives_a_factor_correlates_most_with_its_score(samples, name):
    _, x, space, values = samples
    value = values[:, KNOWN.factors.index(name)]
    fitted = StyleCorrelation(channels=1).fit(x, expit(2 * value))
    assert [space.names[k] for k in np.flatnonzero(fitted.direction_)] == ["{}:{}".format(*KNOWN.channel(name))]
    np.testing.assert_allclose(fitted.decision_function(x), value / value.std(), atol=1e-2)


def test_channels_move_by_their_correlations_with_the_logit():
    rng = np.random.default_rng(0)
    x, scores = rng.standard_normal((50, 6)), rng.uniform(0.01, 0.99, 50)
    x[:, 4] = 0  # constant
    fitted = StyleCorrelation(channels=2).fit(x, scores)
    logits = np.log(scores / (1 - scores))
    expected = np.array([0 if k == 4 else np.corrcoef(x[:, k], logits)[0, 1] for k in range(6)])
    np.testing.assert_allclose(fitted.correlations_, expected, atol=1e-12)
    weakest = np.argsort(-np.abs(expected))[2:]
    expected[weakest] = 0
    np.testing.assert_allclose(fitted.direction_, expected / np.linalg.norm(expected))


def test_correlations_are_those_of_numpy_for_rows_that_are_not_centred():
    rng = np.random.default_rng(1)
    x, y = 5 + rng.standard_normal((40, 3)), rng.standard_normal(40)
    np.testing.assert_allclose(correlations(x, y), np.corrcoef(np.column_stack([x, y]).T)[-1, :-1], atol=1e-12)


def test_z_scores_rank_channels_by_what_exemplars_share():
    """Channel 1 is steady among the exemplars, channel 0 far but scattered, channel 2 is the same in all of them."""
    exemplars = np.array([[1.0, 1.0, 0.5, 0.0], [9.0, 1.2, 0.5, 0.0], [5.0, 1.1, 0.5, 0.0]])
    x = np.concatenate([exemplars, np.full((2, 4), -1.0)])
    y = np.array([True] * 3 + [False] * 2)
    fitted = StyleZScore(channels=2).fit(x, y)
    relevance = np.abs(exemplars.mean(0))[:2] / exemplars.std(0)[:2]
    np.testing.assert_allclose(fitted.relevances_, [*relevance, np.inf, 0])
    expected = np.array([0, 1.1, 0.5, 0])
    np.testing.assert_allclose(fitted.direction_, expected / np.linalg.norm(expected))
    decisions = fitted.decision_function(x)
    assert decisions[y].mean() == pytest.approx(-decisions[~y].mean())


def test_a_few_exemplars_find_the_driving_channel(samples):
    _, x, space, values = samples
    value = values[:, KNOWN.factors.index("warmth")]
    exemplars = value > np.sort(value)[-16]
    fitted = StyleZScore(channels=1).fit(x, exemplars)
    assert [space.names[k] for k in np.flatnonzero(fitted.direction_)] == ["{}:{}".format(*KNOWN.channel("warmth"))]
    assert roc_auc_score(exemplars, fitted.decision_function(x)) > 0.99


def test_the_strongest_values_are_kept_with_their_sign():
    np.testing.assert_array_equal(strongest(np.array([0.1, -3.0, 2.0]), 2), [0, -3, 2])
    np.testing.assert_array_equal(strongest(np.array([0.1, -3.0, 2.0]), 1, by=np.array([9.0, 1, 2])), [0.1, 0, 0])


def test_bad_input_is_refused():
    x, y = np.random.default_rng(0).standard_normal((20, 5)), np.linspace(0, 1, 20)
    with pytest.raises(UserError, match="from 1 to all 5, not 6"):
        StyleCorrelation(channels=6).fit(x, y)
    with pytest.raises(UserError, match=r"from 0 to 1.*--threshold median"):
        StyleCorrelation().fit(x, 3 * y)
    with pytest.raises(UserError, match="all scores are 0.3"):
        StyleCorrelation().fit(x, np.full(20, 0.3))
    with pytest.raises(UserError, match="0 positive and 20 negative"):
        StyleZScore().fit(x, y > 2)
    with pytest.raises(UserError, match="two"):
        StyleZScore().fit(x, y == 0)
