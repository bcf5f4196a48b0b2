"""How far a direction can be trusted, checked on the generator of known factors."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

import stylegan2
from latentlab.datasets import KnownFactors
from latentlab.directions import (
    Conditional,
    GANSpace,
    LinearSVM,
    MeanDifference,
    RidgeOnLogit,
    bootstrap_cosine,
    compare_decisions,
    cosine,
    learning_curve,
)
from latentlab.errors import UserError
from tests.latentlab.directions.made_up import population, unit

STRIPE = 5


@pytest.fixture(scope="module")
def known():
    return KnownFactors()


@pytest.fixture(scope="module")
def rows(known):
    """w of 1500 images and the values of their stripe, with as much noise as signal."""
    w = known.mapping(stylegan2.z_from_seeds(range(1500), known.z_dim))[:, 0].numpy()
    return w, known.values(w)[:, STRIPE] + 0.8 + np.random.default_rng(0).normal(size=1500)


def scores(values):
    return 1 / (1 + np.exp(-values))


@pytest.mark.parametrize("finder", [MeanDifference(), LinearSVM(C=1.0), RidgeOnLogit()], ids=str)
def test_the_bootstrap_spread_is_that_of_fresh_samples(finder, known, rows):
    def learn(w, values):
        return scores(values) if finder.target == "scores" else values > 0

    w, values = rows
    found = bootstrap_cosine(finder, w[:150], learn(w[:150], values[:150]), 40, progress=False)
    # The bootstrap's cosine to the whole fit estimates that of a fit to its expectation, which many samples tell.
    truth = type(finder)(**finder.get_params()).fit(w, learn(w, values)).direction_
    fresh = [
        cosine(finder.fit(w[part : part + 150], learn(w, values)[part : part + 150]).direction_, truth)
        for part in range(0, 1500, 150)
    ]
    assert found.low < np.mean(fresh) < found.high
    assert found.n == 150 and 0 < found.low < found.mean < found.high < 1


def test_more_samples_make_a_direction_more_certain(rows):
    w, values = rows
    few, many = (bootstrap_cosine(RidgeOnLogit(), w[:n], scores(values[:n]), 20, progress=False) for n in (60, 1000))
    assert few.mean < many.low and few.high - few.low > 2 * (many.high - many.low)
    again = bootstrap_cosine(RidgeOnLogit(), w[:60], scores(values[:60]), 20, progress=False)
    assert again == few


def test_a_bootstrap_keeps_the_regulariser_that_was_chosen():
    w, given, _ = population(200, noise=0.6)
    chosen = LinearSVM().fit(w, given > 0.5)
    assert chosen.settled().C == chosen.C_
    fixed = bootstrap_cosine(LinearSVM(C=chosen.C_), w, given > 0.5, 10, progress=False)
    assert bootstrap_cosine(LinearSVM(), w, given > 0.5, 10, progress=False) == fixed
    across = Conditional(LinearSVM(), [unit(np.eye(24)[0])]).fit(w, given > 0.5)
    assert across.settled().finder.C == across.finder_.C_
    ridge = RidgeOnLogit().fit(w, given)
    assert ridge.settled().fit(w, given).alpha_ == pytest.approx(ridge.alpha_)


def test_a_rare_class_is_in_every_resample():
    w, given, _ = population(60)
    rare = given >= np.sort(given)[-2]
    assert rare.sum() == 2
    assert bootstrap_cosine(MeanDifference(), w, rare, 30, progress=False).low >= -1
    curve = learning_curve(MeanDifference(), w, rare, (w, given > 0.5), repeats=3, progress=False)
    assert [point.n for point in curve] == [60, 30, 15]


def test_the_learning_curve_falls_with_the_samples(rows):
    w, values = rows
    held = w[1000:], values[1000:] > 0
    curve = learning_curve(RidgeOnLogit(), w[:1000], scores(values[:1000]), held, halvings=5, progress=False)
    assert [point.n for point in curve] == [1000, 500, 250, 125, 62, 31]
    first = curve[0]
    decision = RidgeOnLogit().fit(w[:1000], scores(values[:1000])).decision_function(held[0])
    assert first.auc.mean == pytest.approx(roc_auc_score(held[1], decision)) and first.cosine.mean == 1
    cosines = [point.cosine.mean for point in curve]
    assert cosines == sorted(cosines, reverse=True) and cosines[-1] < 0.9
    assert curve[-1].auc.mean < first.auc.low
    assert all(point.auc.low < point.auc.mean < point.auc.high for point in curve)


# --- which of two is better ---------------------------------------------------------------------------------


def delong_deviation(one, other, y):
    """Standard deviation of the difference of two AUCs by the pairwise definition of DeLong et al. 1988."""
    wins = [np.sign(d[y][:, None] - d[~y][None]) / 2 + 0.5 for d in (one, other)]
    gain = wins[0] - wins[1]
    return np.sqrt(gain.mean(1).var(ddof=1) / gain.shape[0] + gain.mean(0).var(ddof=1) / gain.shape[1])


def test_two_finders_are_compared_on_the_same_rows(rows):
    w, values = rows
    y = values > 0
    ridge = RidgeOnLogit().fit(w[:700], scores(values[:700])).decision_function(w[700:])
    mean = MeanDifference().fit(w[:700], y[:700]).decision_function(w[700:])
    found = compare_decisions(ridge, mean, y[700:])
    assert found.one == pytest.approx(roc_auc_score(y[700:], ridge))
    assert found.other == pytest.approx(roc_auc_score(y[700:], mean))
    assert found.difference.mean == pytest.approx(found.one - found.other, abs=1e-6)
    width = 2 * norm.ppf(0.975) * delong_deviation(ridge, mean, y[700:])
    assert found.difference.high - found.difference.low == pytest.approx(width, rel=0.12)
    assert found.better == "one" and compare_decisions(mean, ridge, y[700:]).better == "other"
    assert compare_decisions(mean, 3 * mean + 1, y[700:]).better == "neither"


def test_equal_decisions_are_rarely_called_different():
    rng = np.random.default_rng(3)
    called = 0
    for seed in range(80):
        y = np.arange(200) < 80
        one, other = rng.standard_normal((2, 200)) + y
        called += compare_decisions(one, other, y, resamples=300, seed=seed).better != "neither"
    assert 0 < called < 12


def test_bad_input_is_refused():
    w, given, _ = population(40)
    y = given > 0.5
    with pytest.raises(UserError, match="GANSpace gives several directions"):
        bootstrap_cosine(GANSpace(2), w, None, 5, progress=False)
    with pytest.raises(UserError, match="two resamples at least, not 1"):
        bootstrap_cosine(MeanDifference(), w, y, 1)
    with pytest.raises(UserError, match="the held-out rows have 0 positive"):
        learning_curve(MeanDifference(), w, y, (w, np.zeros(40, bool)), progress=False)
    with pytest.raises(UserError, match="two of each size at least, not 1"):
        learning_curve(MeanDifference(), w, y, (w, y), repeats=1)
    with pytest.raises(UserError, match="one finite number for each of 40 rows, not"):
        compare_decisions(given[:30], given, y)
    with pytest.raises(UserError, match="labels must be boolean"):
        compare_decisions(given, given, given)
