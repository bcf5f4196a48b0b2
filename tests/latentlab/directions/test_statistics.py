"""Judging a direction on held-out rows."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from latentlab.directions import MeanDifference, evaluate
from latentlab.directions.statistics import auc_deviation
from tests.latentlab.directions.made_up import population


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
