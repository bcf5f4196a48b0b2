"""Directions learnt in every space, for several attributes at once, against factors that are known."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from latentlab.datasets import KnownFactors
from latentlab.directions import LinearSVM, MeanDifference, Needs, RidgeOnLogit, StyleSpace, fit, fit_many
from latentlab.directions.styles import styles_of_w
from latentlab.errors import UserError
from latentlab.mapping import ws_of_seeds
from latentlab.rendering import Renderer
from latentlab.samples import SampleTable, split
from latentlab.scorers import label_scores
from tests.conftest import make_tiny


@pytest.fixture(scope="module")
def known() -> KnownFactors:
    return KnownFactors()


@pytest.fixture(scope="module")
def renderer(known) -> Renderer:
    return Renderer(known, 32)


@pytest.fixture(scope="module")
def table(known, renderer) -> SampleTable:
    seeds, scorer = np.arange(600), known.scorer()
    ws = ws_of_seeds(known, seeds.tolist(), psi=1.0)
    with torch.no_grad():
        logits = scorer.logits(renderer(ws))
    return SampleTable(
        seeds,
        np.ones(len(seeds), np.float32),
        ws[:, 0].numpy(),
        logits.sigmoid().numpy(),
        scorer.names,
        known.fingerprint,
        scorer.fingerprint,
        scorer.threshold,
    )


class InZ(LinearSVM):
    """The support vector machine, in Z."""

    space = "z"


class OneChannel(MeanDifference):
    """The style channel in which the means of the classes differ most."""

    space = "s"

    def fit(self, x, y):
        super().fit(x, y)
        strongest = np.abs(self.direction_).argmax()
        self.direction_ = np.sign(self.direction_) * (np.arange(x.shape[1]) == strongest)
        self.intercept_ = -(x[y].mean(axis=0) + x[~y].mean(axis=0)) @ self.direction_ / 2
        return self


class Looking(MeanDifference):
    """Keeps what it was given to look through."""

    def __init__(self, renderer=None, scorer=None, attribute=None, style_space=None, seed=0):
        super().__init__()
        self.renderer, self.scorer, self.attribute, self.style_space = renderer, scorer, attribute, style_space
        self.seed = seed


def test_a_finder_of_z_learns_from_the_seeds(known, table, renderer):
    for name in ("mouth", "size"):
        found = fit(table, name, InZ(), renderer=renderer)
        assert found.direction.space == "z" and found.held_out.auc > 0.99
        assert found.direction.vector @ known.direction(name, "z") > 0.97


def test_a_finder_of_styles_learns_from_standardised_channels(known, table, renderer):
    learn = table.subset(split(table)[0])
    for name in ("warmth", "stripe"):
        found = fit(table, name, OneChannel(), renderer=renderer)
        layer, index = known.channel(name)
        assert found.direction.space == "s" and found.held_out.auc > 0.99
        assert (found.direction.channels.layers, found.direction.channels.indices.tolist()) == ((layer,), [index])
        styles = styles_of_w(known, learn.w)
        assert found.direction.channels.scales[0] == pytest.approx(styles[layer][:, index].std(), rel=1e-4)
        assert found.direction.sigma == pytest.approx(1, rel=1e-3)
        # The card decides as the finder did, in styles as they are.
        test = table.subset(split(table)[1])
        side = found.direction.decision_function(styles_of_w(known, test.w)) > 0
        assert np.mean(side == test.is_positive(name)) == pytest.approx(found.held_out.accuracy)


def test_networks_are_given_to_finders_that_have_none(known, table, renderer):
    scorer = known.scorer()
    finder = Looking()
    assert Needs.of(finder) == Needs(renderer=True, scorer=True, labels=True)
    fit(table, "mouth", finder, renderer=renderer, scorer=scorer)
    assert (finder.renderer, finder.scorer, finder.attribute, finder.style_space) == (renderer, scorer, "mouth", None)
    mine = Looking(renderer="mine", seed=3)
    assert Needs.of(mine) == Needs(renderer=False, scorer=True, labels=True)
    fit(table, "mouth", mine, renderer=renderer)
    assert (mine.renderer, mine.scorer, mine.seed) == ("mine", None, 3)

    class InStyles(Looking):
        space = "s"

    finder = InStyles()
    fit(table, "mouth", finder, renderer=renderer)
    assert isinstance(finder.style_space, StyleSpace)
    assert Needs.of("svm") == Needs(renderer=False, scorer=False, labels=True)


def test_networks_of_other_samples_are_refused(known, table, renderer):
    other = Renderer(KnownFactors(seed=1), 32)
    for finder in (InZ(), OneChannel(), Looking()):
        with pytest.raises(UserError, match="the samples are of the generator .*, and the one that is given is"):
            fit(table, "mouth", finder, renderer=other)
    with pytest.raises(UserError, match="the samples are of the scorer"):
        fit(table, "mouth", Looking(), renderer=renderer, scorer=known.scorer("mouth"))
    for finder in (InZ(), OneChannel()):
        with pytest.raises(UserError, match="a finder of space [zs] needs the generator of the samples"):
            fit(table, "mouth", finder)
    with pytest.raises(UserError, match="no score is called 'nose'; there are position"):
        fit(table, "nose", OneChannel())  # before it asks for the generator
    unknown = Renderer(make_tiny(), 16)
    with pytest.raises(UserError, match="w of this generator is"):
        fit(replace(table, generator=None), "mouth", OneChannel(), renderer=unknown)


@pytest.mark.parametrize("method", [LinearSVM(C=1.0), RidgeOnLogit(), OneChannel()], ids=lambda f: type(f).__name__)
def test_several_attributes_at_once_are_each_by_itself(table, renderer, method):
    names = ("mouth", "stripe", "ground")
    threshold = {"mouth": "q0.3,q0.7", "stripe": 0.5}
    found = fit_many(table, names, method, threshold=threshold, renderer=renderer)
    assert list(found) == list(names)
    for name in names:
        alone = fit(table, name, type(method)(**method.get_params()), threshold=threshold, renderer=renderer)
        np.testing.assert_allclose(found[name].direction.vector, alone.direction.vector, atol=1e-4)
        assert found[name].direction.attribute == name
        assert found[name].held_out.auc == pytest.approx(alone.held_out.auc, abs=1e-3)
        assert found[name].direction.statistics["threshold"] == alone.direction.statistics["threshold"]
    assert "," in found["mouth"].direction.statistics["threshold"]
    assert not hasattr(method, "direction_")  # copies were fitted
    with pytest.raises(UserError, match="each given once"):
        fit_many(table, ("mouth", "mouth"), method)
    with pytest.raises(UserError, match="no score is called 'nose'"):
        fit_many(table, ("mouth", "nose"), method, renderer=renderer)


@pytest.mark.parametrize("method", [LinearSVM(C=1.0), RidgeOnLogit()], ids=lambda f: type(f).__name__)
def test_rows_without_a_score_are_left_out_and_counted(known, table, method):
    """As geometry gives NaN where it finds no face."""
    scores = table.scores.copy()
    lost = np.arange(0, 600, 5)
    scores[lost, table.names.index("mouth")] = np.nan
    holes = replace(table, scores=scores)
    found = fit_many(holes, ("mouth", "size"), method)
    train, _ = split(table)
    assert found["mouth"].direction.statistics["n_without_score"] == train[lost].sum()
    assert found["mouth"].direction.statistics["n_train"] == train.sum() - train[lost].sum()
    assert "n_without_score" not in found["size"].direction.statistics
    assert found["mouth"].direction.vector @ known.direction("mouth") > 0.97
    whole = holes.subset(~holes.missing("mouth"))
    np.testing.assert_allclose(fit(whole, "mouth", method).direction.vector, found["mouth"].direction.vector, atol=1e-5)
    assert holes.resolve("mouth", "median").threshold_for("mouth").high == pytest.approx(
        np.median(whole.column("mouth"))
    )
    with pytest.raises(UserError, match="none of the .* has a score|0 positive and 0 negative"):
        fit(holes.subset(lost), "mouth", method)


def test_the_largest_of_a_scorers_scores_decides_among_its_own():
    scores = np.array([[0.5, 0.3, 0.9], [0.2, 0.3, 0.1], [np.nan, 0.3, 0.6]], np.float32)
    names = ("fer:happy", "fer:sad", "attributes:young")
    assert label_scores(scores, names, "fer:happy").tolist() == [1, -1, 0]
    assert label_scores(scores, names, "fer:sad").tolist() == [-1, 1, 1]
    assert label_scores(scores, names, "attributes:young").tolist() == [1, -1, 1]
