"""Finding known directions, by every finder that learns from samples."""

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.base import clone
from sklearn.linear_model import RidgeCV
from sklearn.metrics import roc_auc_score
from sklearn.svm import SVC

import stylegan2
from latentlab import registry
from latentlab.datasets import KnownFactors
from latentlab.directions import (
    LDA,
    Conditional,
    Direction,
    GANSpace,
    InterFaceGAN,
    LinearSVM,
    Logistic,
    MeanDifference,
    RidgeOnLogit,
    cosine,
    evaluate,
)
from latentlab.errors import UserError
from tests.latentlab.directions.made_up import population, unit

LABELLED = [
    MeanDifference(), MeanDifference("negative"), LinearSVM(), LinearSVM(C=1.0), Logistic(), Logistic(C=10.0), LDA(),
]  # fmt: skip
SCORED = [RidgeOnLogit(), InterFaceGAN(share=0.2)]
FINDERS = LABELLED + SCORED
# Finders of the hyperplane's normal, and how near they come to it with 600 samples of the generator of known factors.
NEAR = {"LinearSVM": 0.97, "Logistic": 0.96, "LDA": 0.95, "RidgeOnLogit": 0.9995, "InterFaceGAN": 0.88}


def target_of(finder, scores):
    return scores if finder.target == "scores" else scores > 0.5


@pytest.fixture(scope="module")
def known():
    return KnownFactors()


@pytest.fixture(scope="module")
def faces(known):
    """w of 900 drawings, and the scores that the images get."""
    ws = known.mapping(stylegan2.z_from_seeds(range(900), known.z_dim))
    return ws[:, 0].numpy(), known.scorer()(known.synthesis(ws, resolution=32)).numpy()


# --- against the truth --------------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", ["position", "stripe"])
@pytest.mark.parametrize("finder", FINDERS, ids=str)
def test_finders_recover_the_normals_of_the_known_factors(known, faces, finder, factor):
    w, scores = faces[0], faces[1][:, known.factors.index(factor)]
    fitted = clone(finder).fit(w[:600], target_of(finder, scores[:600]))
    assert np.linalg.norm(fitted.direction_) == pytest.approx(1)
    judged = evaluate(fitted, w[600:], scores[600:] > 0.5)
    if isinstance(finder, MeanDifference):
        # Of a Gaussian the mean difference is the covariance times the normal, and not the normal.
        expected = np.cov(w.T) @ known.direction(factor)
        assert cosine(fitted.direction_, expected) > 0.97
        assert cosine(fitted.direction_, known.direction(factor)) < 0.95
    else:
        assert cosine(fitted.direction_, known.direction(factor)) > NEAR[type(finder).__name__]
        assert judged.auc > 0.985
        assert judged.accuracy > (0.75 if isinstance(finder, InterFaceGAN) else 0.95)


@pytest.mark.parametrize("inner", [LinearSVM(C=1.0), LDA(), RidgeOnLogit()], ids=str)
def test_a_conditional_finder_moves_its_factor_and_leaves_the_others(known, faces, inner):
    w, scores = faces[0], faces[1][:, known.factors.index("stripe")]
    conditions = [unit(known.direction(name), name) for name in ("mouth", "warmth")]
    found = Conditional(inner, conditions).fit(w[:600], target_of(inner, scores[:600]))
    moved = dict(zip(known.factors, known.slopes @ found.direction_, strict=True))
    assert abs(moved["mouth"]) < 1e-6 and abs(moved["warmth"]) < 1e-6 and moved["stripe"] > 1
    free = clone(inner).fit(w[:600], target_of(inner, scores[:600]))
    after = unit(free.direction_).orthogonal_to(*(one for one in conditions))
    best = roc_auc_score(scores[600:] > 0.5, found.decision_function(w[600:]))
    assert best > roc_auc_score(scores[600:] > 0.5, after.coordinates(w[600:])) + 0.005
    assert roc_auc_score(scores[600:] > 0.5, free.decision_function(w[600:])) > best


def test_conditions_that_do_not_fit_are_refused(faces):
    w, y = faces[0][:50], np.arange(50) % 2 == 0
    with pytest.raises(UserError, match="x is no condition for a finder in w with 16 numbers: it is of space w with 8"):
        Conditional(MeanDifference(), [unit(np.ones(8))]).fit(w, y)
    with pytest.raises(UserError, match="of space w with 16, for some layers alone"):
        Conditional(MeanDifference(), [unit(np.ones(16), layers=(1,))]).fit(w, y)
    with pytest.raises(UserError, match="one direction or more"):
        Conditional(MeanDifference(), []).fit(w, y)
    with pytest.raises(UserError, match="16 conditions leave no direction of 16 numbers"):
        Conditional(MeanDifference(), [unit(row) for row in np.eye(16)]).fit(w, y)
    with pytest.raises(UserError, match="GANSpace gives no single vector"):
        Conditional(GANSpace(2), [unit(np.ones(16))]).fit(w, y)


# --- their definitions --------------------------------------------------------------------------------------


@pytest.mark.parametrize("finder", [*LABELLED[:4], *LABELLED[5:], RidgeOnLogit()], ids=str)
def test_the_result_follows_shift_and_scale_of_w(finder):
    w, scores, _ = population(300, noise=0.5)
    y = target_of(finder, scores)
    here = clone(finder).fit(w, y)
    there = clone(finder).fit(7 * w - 50, y)
    assert cosine(here.direction_, there.direction_) > 0.9999
    np.testing.assert_allclose(there.decision_function(7 * w - 50), 7 * here.decision_function(w), atol=2e-2)


def test_mean_difference_is_its_definition():
    w = np.array([[0.0, 0.0], [0.0, 2.0], [4.0, 0.0], [4.0, 2.0], [0.0, 0.0], [0.0, 2.0]])
    y = w[:, 0] > 0
    for against, length in (("all", 4 - 4 / 3), ("negative", 4.0)):
        fitted = MeanDifference(against).fit(w, y)
        np.testing.assert_allclose(fitted.direction_, [1, 0], atol=1e-12)
        np.testing.assert_allclose(fitted.decision_function(w), [-2, -2, 2, 2, -2, -2])
        assert fitted.length_ == pytest.approx(length)


def test_choosing_c_beats_a_c_too_large_where_samples_are_few():
    w, scores, _ = population(300, dim=200, noise=0.6)
    test_w, test_scores, _ = population(2000, seed=1, dim=200, noise=0.6)
    chosen, naive = LinearSVM().fit(w, scores > 0.5), LinearSVM(C=1e4).fit(w, scores > 0.5)
    gain = evaluate(chosen, test_w, test_scores > 0.5).auc - evaluate(naive, test_w, test_scores > 0.5).auc
    assert gain > 0.03
    assert chosen.C_ < 100


def test_interfacegan_learns_from_the_ends_and_judges_by_the_rest():
    w, scores, _ = population(500, noise=0.5)
    finder = InterFaceGAN(share=0.1, train_share=0.6).fit(w, scores * 7 - 3)
    order = np.argsort(scores)
    ends = np.concatenate([order[:50], order[-50:]])
    assert finder.accuracy_ > 0.9 and 0.6 < finder.accuracy_rest_ < finder.accuracy_
    rest = order[50:-50]
    middle = (scores.min() + scores.max()) / 2
    right = (finder.decision_function(w[rest]) > 0) == (scores[rest] > middle)
    assert finder.accuracy_rest_ == pytest.approx(right.mean())
    # With nearly all of them learnt from, the support vectors are among the ends, and the plane is that of the ends.
    whole = InterFaceGAN(share=0.1, train_share=0.98).fit(w, scores)
    machine = SVC(kernel="linear").fit(w[ends], scores[ends] > middle)
    assert cosine(whole.direction_, machine.coef_[0]) > 0.98
    assert np.isnan(InterFaceGAN(share=0.5).fit(w, scores).accuracy_rest_)


def test_ridge_of_many_attributes_is_that_of_each_and_scikit_learns(known, faces):
    noise = np.random.default_rng(2).normal(size=(200, 6)) * [0, 0.5, 1, 2, 3, 4]
    w, scores = faces[0][:200], expit(logit(faces[1][:200]) + noise)
    many = RidgeOnLogit().fit_many(w, scores)
    unit_of_alpha = w.var(axis=0).sum() * len(w)
    logits = logit(np.clip(scores, 1e-3, 1 - 1e-3))
    assert len(many) == len(known.factors) and len({found.alpha_ for found in many}) > 2
    for column, found in enumerate(many):
        one = RidgeOnLogit().fit(w, scores[:, column])
        theirs = RidgeCV(alphas=np.array(one.alphas) * unit_of_alpha).fit(w, logits[:, column])
        assert found.alpha_ == one.alpha_ == pytest.approx(theirs.alpha_ / unit_of_alpha)
        assert cosine(found.direction_, one.direction_) > 1 - 1e-9
        assert cosine(found.direction_, theirs.coef_) > 1 - 1e-9
        np.testing.assert_allclose(found.decision_function(w), one.decision_function(w), atol=1e-6)


def test_ganspace_gives_the_principal_components(known):
    w = known.mapping(stylegan2.z_from_seeds(range(2000), 16))[:, 0].numpy().astype(np.float64)
    found = GANSpace(5).fit(w)
    values, vectors = np.linalg.eigh(np.cov(w.T))
    np.testing.assert_allclose(found.sigmas_, np.sqrt(values[::-1][:5]), rtol=1e-6)
    assert np.abs(np.sum(found.components_ * vectors.T[::-1][:5], axis=1)).min() > 1 - 1e-6
    np.testing.assert_allclose(np.std(w @ found.components_.T, axis=0, ddof=1), found.sigmas_, rtol=1e-6)
    np.testing.assert_allclose((w @ found.components_.T + found.intercept_).mean(0), 0, atol=1e-6)
    assert all(row[np.abs(row).argmax()] > 0 for row in found.components_)
    assert len(GANSpace().fit(w).components_) == 16
    parts = GANSpace(16)
    for rows in np.split(w, 8):
        parts.partial_fit(rows)
    np.testing.assert_allclose(parts.sigmas_, GANSpace(16).fit(w).sigmas_, rtol=1e-6)
    first = Direction.of(found, w, "w")
    assert first.attribute == "w-0" and first.sigma == pytest.approx(found.sigmas_[0], rel=1e-3)


# --- what they refuse ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("finder", LABELLED, ids=str)
@pytest.mark.parametrize("positive", [0, 30])
def test_one_class_is_refused_with_the_counts(finder, positive):
    w = population(30)[0]
    y = np.full(30, positive == 30)
    counts = f"{positive} positive and {30 - positive} negative"
    with pytest.raises(UserError, match=f"{counts}.*draw more samples"):
        clone(finder).fit(w, y)


@pytest.mark.parametrize("finder", FINDERS, ids=str)
def test_bad_rows_are_refused_by_every_finder(finder):
    w, scores, _ = population(60)
    y = target_of(finder, scores)
    with pytest.raises(UserError, match=r"60 rows do not fit 59 labels or scores"):
        clone(finder).fit(w, y[:59])
    with pytest.raises(UserError, match=r"rows \(n, dim\), not from \(60, 1, 24\)"):
        clone(finder).fit(w[:, None], y)
    w[[3, 9], 5] = np.nan, np.inf
    with pytest.raises(UserError, match="2 of 60 rows have numbers that are not finite"):
        clone(finder).fit(w, y)


@pytest.mark.parametrize("finder", SCORED, ids=str)
def test_bad_scores_are_refused_by_every_finder(finder):
    w, scores, _ = population(60)
    with pytest.raises(UserError, match="all scores are 0.3"):
        clone(finder).fit(w, np.full(60, 0.3))
    with pytest.raises(UserError, match="learnt from two rows at least, and here are 1"):
        clone(finder).fit(w[:1], scores[:1])
    scores[4] = np.nan
    with pytest.raises(UserError, match="1 of 60 scores are not finite: leave their rows out"):
        clone(finder).fit(w, scores)


def test_other_bad_input_is_refused():
    w, scores, _ = population(30)
    lone = np.arange(30) == 3
    with pytest.raises(UserError, match="two rows of each class at least; the rarer one has 1"):
        LinearSVM().fit(w, lone)
    with pytest.raises(UserError, match="boolean"):
        MeanDifference().fit(w, scores)
    with pytest.raises(UserError, match="from 0 to 1"):
        RidgeOnLogit().fit(w, scores * 2)
    with pytest.raises(UserError, match="fit_many takes several"):
        RidgeOnLogit().fit(w, np.stack([scores, scores], 1))
    with pytest.raises(UserError, match="no direction"):
        MeanDifference().fit(np.ones((30, 4)), np.arange(30) < 3)
    with pytest.raises(UserError, match="0.02 of 30 samples takes 1 from either end, too few"):
        InterFaceGAN().fit(w, scores)
    with pytest.raises(UserError, match="at most 0.5.*not 0.6"):
        InterFaceGAN(share=0.6).fit(w, scores)
    with pytest.raises(UserError, match="24 components take as many rows at least, at a time, and here are 5"):
        GANSpace().fit(w[:5])


def test_every_registered_finder_has_parameters_and_says_what_it_learns_from():
    for name in registry.finders.names():
        finder = registry.finders.load(name)()
        assert finder.target in ("labels", "scores", None)
        assert type(clone(finder)) is type(finder)
