"""Names for unsupervised components."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import pearsonr
from sklearn.metrics import roc_auc_score

import stylegan2
from latentlab.datasets import KnownFactors
from latentlab.directions import GANSpace, directions_of, name_components
from latentlab.errors import UserError
from latentlab.samples import SampleTable
from latentlab.scorers import Threshold
from tests.latentlab.directions.made_up import unit


@pytest.fixture(scope="module")
def known():
    return KnownFactors()


@pytest.fixture(scope="module")
def table(known):
    ws = known.mapping(stylegan2.z_from_seeds(range(400), known.z_dim))
    seen = known.scorer()(known.synthesis(ws, resolution=32)).numpy()
    ones = np.ones(400, np.float32)
    half = Threshold(0.5, 0.5)
    return SampleTable(np.arange(400), ones, ws[:, 0].numpy(), seen, known.factors, known.fingerprint, "s", half)


def test_components_are_named_by_the_factors_they_go_with(known, table):
    directions = [
        unit(known.direction("warmth"), "a", generator=known.fingerprint),
        unit(-known.direction("stripe"), "b", generator=known.fingerprint),
    ]
    warmth, stripe = name_components(directions, table)
    assert warmth.name(most=1) == "+warmth" and stripe.name(most=1) == "−stripe"
    assert warmth.associations[0].correlation.mean > 0.99
    assert stripe.associations[0].auc.mean < 0.01
    strengths = [abs(one.correlation.mean) for one in warmth.associations]
    assert strengths == sorted(strengths, reverse=True) and len(strengths) == 6


def test_figures_are_their_definitions(known, table):
    (found,) = name_components([unit(np.eye(16)[2], generator=known.fingerprint)], table, ["size"])
    (one,) = found.associations
    theirs = pearsonr(table.w[:, 2], table.logits("size"))
    interval = theirs.confidence_interval(0.95)
    assert one.correlation.mean == pytest.approx(theirs.statistic, abs=1e-5)
    assert (one.correlation.low, one.correlation.high) == pytest.approx((interval.low, interval.high), abs=1e-4)
    assert one.auc.mean == pytest.approx(roc_auc_score(table.column("size") > 0.5, table.w[:, 2]))
    # Of several attributes the intervals are wider, so that together they hold as often.
    several = name_components([found.direction], table, ["size", "mouth"])[0].associations
    (same,) = (other for other in several if other.attribute == "size")
    assert same.correlation.low < one.correlation.low and same.correlation.high > one.correlation.high


def test_chance_gives_no_names(known, table):
    shuffled = replace(table, w=np.random.default_rng(1).permutation(table.w))
    finder = GANSpace(6).fit(shuffled.w)
    directions = directions_of(finder, shuffled.w, "w", generator=known.fingerprint)
    assert [one.name(least=0) for one in name_components(directions, shuffled)] == [f"w-{k}" for k in range(6)]
    names = [one.name() for one in name_components(directions_of(finder, table.w, "w"), table)]
    assert sum(name.startswith(("+", "−")) for name in names) > 3


def test_rows_without_a_score_are_left_out(known, table):
    seen = table.scores.copy()
    seen[:100, 1] = np.nan
    seen[:, 2] = 0.25
    (found,) = name_components([unit(known.direction("size"))], replace(table, scores=seen), ["ground", "size"])
    size, ground = found.associations
    assert (size.correlation.n, size.correlation.missing) == (300, 100) and size.auc.n == 300
    assert not ground.correlation.known and not ground.certain
    assert ground.auc.why == "only 0 samples of the rarer class"


def test_bad_input_is_refused(known, table):
    direction = unit(np.eye(16)[0])
    with pytest.raises(UserError, match="no score is called 'nose'"):
        name_components([direction], table, ["nose"])
    with pytest.raises(UserError, match="of different generators"):
        name_components([replace(direction, generator="other")], table)
    with pytest.raises(UserError, match="of space z: give the samples' latents"):
        name_components([replace(direction, space="z")], table)
    with pytest.raises(UserError, match="from 0, 6 and 400"):
        name_components([], table)
