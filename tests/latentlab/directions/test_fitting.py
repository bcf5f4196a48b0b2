"""Directions from a sample table, by finders of every kind."""

from dataclasses import replace

import numpy as np
import pytest

from latentlab.directions import (
    Direction,
    DirectionStatistics,
    LinearSVM,
    MeanDifference,
    RidgeOnLogit,
    card_figures,
    evaluate,
    fit,
)
from latentlab.errors import UserError
from latentlab.samples import SampleTable, split
from tests.latentlab.directions.made_up import population


def table_of(n: int = 400, names=("happy", "sad")) -> SampleTable:
    w, scores, _ = population(n, noise=0.3)
    columns = np.stack([scores, 1 - scores], axis=1).astype(np.float32)[:, : len(names)]
    return SampleTable(np.arange(n), np.full(n, 0.7, np.float32), w, columns, names, "g" * 64, "s" * 64)


@pytest.mark.parametrize("method", ["svm", "mean", "ridge"])
def test_fitting_is_split_fit_and_evaluate(method):
    table = table_of()
    train, test = split(table)
    learn, judge = table.subset(train), table.subset(test)
    finder = {"svm": LinearSVM, "mean": MeanDifference, "ridge": RidgeOnLogit}[method]()
    finder.fit(learn.w, learn.column("happy") if method == "ridge" else learn.is_positive("happy"))
    expected = evaluate(finder, judge.w, judge.is_positive("happy"))
    found = fit(table, "happy", method)
    np.testing.assert_array_equal(found.direction.vector, finder.direction_.astype(np.float32))
    assert found.held_out == expected
    assert found.direction.statistics == {**card_figures(len(learn), expected), "score": "happy"}
    assert (found.direction.attribute, found.direction.method) == ("happy", type(finder).__name__)
    assert (found.direction.generator, found.direction.scorer) == ("g" * 64, "s" * 64)


def test_a_direction_that_is_not_above_chance_says_so_on_its_card():
    table = table_of()
    nonsense = replace(table, scores=np.random.default_rng(5).permutation(table.scores))
    found = fit(nonsense, "happy", "mean")
    assert found.held_out.auc_low < 0.5 < found.held_out.auc_high
    assert found.held_out.caution == "not above chance: the interval of the AUC includes 0.5"
    assert found.held_out.caution in found.direction.card()
    assert "caution" not in fit(table, "happy", "mean").direction.card()


@pytest.mark.parametrize(
    ("low", "high", "positive", "words"),
    [
        (0.6, 0.9, 30, ""),
        (0.4, 0.9, 30, "not above chance"),
        (0.1, 0.4, 30, "the other way"),
        (1.0, 1.0, 3, "only 3 held-out samples"),
        (1.0, 1.0, 47, "only 3 held-out samples"),
    ],
)
def test_statistics_call_for_caution_where_they_do_not_carry_a_conclusion(low, high, positive, words):
    figures = DirectionStatistics(0.8, (low + high) / 2, low, high, 50, positive)
    assert words in figures.caution and bool(figures.caution) == bool(words)
    assert ("held_out_caution" in card_figures(150, figures)) == bool(words)


def test_without_a_test_share_all_rows_are_learnt_on():
    table = table_of()
    finder = LinearSVM(C=1.0)
    found = fit(table, "happy", finder, name="smile", test_share=0.0)
    expected = LinearSVM(C=1.0).fit(table.w, table.is_positive("happy"))
    np.testing.assert_array_equal(found.direction.vector, expected.direction_.astype(np.float32))
    np.testing.assert_array_equal(finder.direction_, expected.direction_)
    assert found.held_out is None
    assert found.direction.attribute == "smile"
    assert found.direction.statistics == {"n_train": 400, "score": "happy"}


def test_what_cannot_be_fitted_is_told():
    table = table_of()
    with pytest.raises(UserError, match="no score is called 'hapy'"):
        fit(table, "hapy")
    with pytest.raises(UserError, match="no finder is called 'svn'; did you mean svm"):
        fit(table, "happy", "svn")
    with pytest.raises(UserError, match="test_share"):
        fit(table, "happy", test_share=1.0)

    class Untold(MeanDifference):
        target = "probabilities"

    with pytest.raises(UserError, match="Untold must say what it learns from.*not 'probabilities'"):
        fit(table, "happy", Untold())


# --- components, and a row for each layer -------------------------------------------------------------------


class Principal:
    """Principal components of w, as a finder of several directions that looks at w alone."""

    target = None

    def __init__(self, k: int = 2) -> None:
        self.k = k

    def fit(self, w, y=None):
        _, _, rows = np.linalg.svd(w - w.mean(0), full_matrices=False)
        self.components_ = rows[: self.k]
        self.intercept_ = -self.components_ @ w.mean(0)
        return self


class LowerLayers(MeanDifference):
    """The mean difference, for the first two of four layers; the second goes half as far."""

    def fit(self, w, y):
        super().fit(w, y)
        self.direction_ = np.array([1, 0.5, 0, 0])[:, None] * self.direction_
        return self

    def decision_function(self, w):
        return w @ self.direction_[0] + self.intercept_


def test_a_finder_of_components_gives_them_all():
    table = table_of()
    found = fit(table, "w", Principal(3))
    assert [direction.attribute for direction in found.directions] == ["w-0", "w-1", "w-2"]
    assert found.direction is found.directions[0] and found.held_out is None
    train = split(table)[0].sum()
    for direction in found.directions:
        assert direction.statistics == {"n_train": train}
        assert (direction.method, direction.generator) == ("Principal", table.generator)
    sigmas = [direction.sigma for direction in found.directions]
    assert sigmas == sorted(sigmas, reverse=True)
    assert np.mean(found.direction.coordinates(table.w)) + found.direction.intercept == pytest.approx(0, abs=0.1)
    assert Direction.of(Principal().fit(table.w), table.w, "w").attribute == "w-0"


def test_a_finder_may_give_a_row_a_layer():
    table = table_of()
    found = fit(table, "happy", LowerLayers())
    single = fit(table, "happy", "mean")
    assert found.direction.space == "w+"
    np.testing.assert_allclose(found.direction.vector[0], single.direction.vector, rtol=1e-6)
    assert found.held_out == single.held_out
    # 1.5 / 1.25 of the single vector's: the strength that fits both rows best.
    np.testing.assert_allclose(
        found.direction.coordinates(table.w), 1.2 * single.direction.coordinates(table.w), rtol=1e-5
    )
    assert found.direction.sigma == pytest.approx(1.2 * single.direction.sigma)
    assert "| layers | 0, 1 |" in found.direction.card()
    layered = [direction.vector for direction in fit(table, "happy", LowerLayers()).directions]
    assert len(layered) == 1


def test_what_was_not_fitted_has_no_direction():
    with pytest.raises(UserError, match="Principal has no direction_ and no components_"):
        Direction.of(Principal(), population(5)[0], "w")
