"""Finding a known direction, and judging it."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import roc_auc_score

from latentlab.directions import LinearSVM, MeanDifference, RidgeOnLogit, cosine, evaluate
from latentlab.directions.statistics import auc_deviation
from latentlab.errors import UserError
from tests.latentlab.directions.made_up import population

FINDERS = [MeanDifference(), LinearSVM(), LinearSVM(C=1.0), RidgeOnLogit()]


def labels(finder, scores):
    return scores if isinstance(finder, RidgeOnLogit) else scores > 0.5


@pytest.mark.parametrize("finder", FINDERS, ids=str)
def test_a_finder_finds_the_known_direction(finder):
    w, scores, truth = population(600)
    test_w, test_scores, _ = population(600, seed=1)
    fitted = clone(finder).fit(w, labels(finder, scores))
    assert np.linalg.norm(fitted.direction_) == pytest.approx(1)
    statistics = evaluate(fitted, test_w, test_scores > 0.5)
    if isinstance(finder, MeanDifference):
        # For a Gaussian the mean difference is the covariance times the normal, not the normal itself.
        expected = np.cov(w.T) @ truth
        assert cosine(fitted.direction_, expected) > 0.99
        assert statistics.auc > 0.8
    else:
        assert cosine(fitted.direction_, truth) > 0.9
        assert statistics.auc > 0.97
        assert statistics.accuracy > 0.93


@pytest.mark.parametrize("finder", FINDERS, ids=str)
def test_the_result_follows_shift_and_scale_of_w(finder):
    w, scores, _ = population(300, noise=0.5)
    y = labels(finder, scores)
    here = clone(finder).fit(w, y)
    there = clone(finder).fit(7 * w - 50, y)
    assert cosine(here.direction_, there.direction_) > 0.9999
    np.testing.assert_allclose(there.decision_function(7 * w - 50), 7 * here.decision_function(w), atol=2e-2)


def test_mean_difference_is_its_definition():
    w = np.array([[0.0, 0.0], [0.0, 2.0], [4.0, 0.0], [4.0, 2.0]])
    fitted = MeanDifference().fit(w, np.array([False, False, True, True]))
    np.testing.assert_allclose(fitted.direction_, [1, 0])
    np.testing.assert_allclose(fitted.decision_function(w), [-2, -2, 2, 2])


def test_choosing_c_beats_a_c_too_large_where_samples_are_few():
    w, scores, _ = population(300, dim=200, noise=0.6)
    test_w, test_scores, _ = population(2000, seed=1, dim=200, noise=0.6)
    chosen, naive = LinearSVM().fit(w, scores > 0.5), LinearSVM(C=1e4).fit(w, scores > 0.5)
    gain = evaluate(chosen, test_w, test_scores > 0.5).auc - evaluate(naive, test_w, test_scores > 0.5).auc
    assert gain > 0.03
    assert chosen.C_ < 100


@pytest.mark.parametrize("finder", FINDERS[:3], ids=str)
@pytest.mark.parametrize("positive", [0, 30])
def test_one_class_is_refused_with_the_counts(finder, positive):
    w = population(30)[0]
    y = np.full(30, positive == 30)
    counts = f"{positive} positive and {30 - positive} negative"
    with pytest.raises(UserError, match=f"{counts}.*draw more samples"):
        clone(finder).fit(w, y)


def test_other_bad_labels_are_refused():
    w, scores, _ = population(30)
    lone = np.arange(30) == 3
    with pytest.raises(UserError, match="two rows of each class"):
        LinearSVM().fit(w, lone)
    with pytest.raises(UserError, match="boolean"):
        MeanDifference().fit(w, scores)
    with pytest.raises(UserError, match="from 0 to 1"):
        RidgeOnLogit().fit(w, scores * 2)
    with pytest.raises(UserError, match="all scores are 0.3"):
        RidgeOnLogit().fit(w, np.full(30, 0.3))
    with pytest.raises(UserError, match="no direction"):
        MeanDifference().fit(np.ones((30, 4)), lone)


def test_evaluation_agrees_with_its_definitions():
    w, scores, truth = population(200, noise=1.0)
    finder = MeanDifference().fit(w, scores > 0.5)
    y, decision = scores > 0.5, finder.decision_function(w)
    statistics = evaluate(finder, w, y)
    assert statistics.auc == pytest.approx(roc_auc_score(y, decision))
    assert statistics.accuracy == pytest.approx(np.mean((decision > 0) == y))
    assert (statistics.n, statistics.n_positive) == (200, y.sum())
    assert statistics.auc_low < statistics.auc < statistics.auc_high


def test_delong_agrees_with_the_pairwise_definition():
    rng = np.random.default_rng(0)
    y = rng.random(80) < 0.4
    decision = np.round(rng.standard_normal(80) + y, 1)  # rounded, so that there are ties
    wins = np.sign(decision[y][:, None] - decision[~y][None]) / 2 + 0.5  # (m, n)
    m, n = wins.shape
    expected = np.sqrt(wins.mean(1).var(ddof=1) / m + wins.mean(0).var(ddof=1) / n)
    assert auc_deviation(y, decision) == pytest.approx(expected)


def test_the_interval_covers_the_true_auc_as_often_as_it_says():
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(300):
        y = np.arange(120) < 50
        decision = rng.standard_normal(120) + y  # true AUC: Phi(1 / sqrt 2)
        reach = 1.96 * auc_deviation(y, decision)
        hits += abs(roc_auc_score(y, decision) - 0.7602) < reach
    assert 0.90 < hits / 300 < 0.985
