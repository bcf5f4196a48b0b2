"""Metrics of a generator against closed forms, definitions spelt out, and other implementations."""

import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import cdist
from scipy.stats import entropy
from sklearn.metrics import mutual_info_score

from latentlab.datasets import KnownFactors
from latentlab.directions.styles import StyleSpace, styles_of_w
from latentlab.errors import UserError
from latentlab.metrics import (
    DCI,
    FID,
    Coverage,
    Density,
    LinearSeparability,
    PerceptualPathLength,
    Precision,
    Recall,
    functional,
)
from latentlab.metrics.inception import _fetch
from latentlab.metrics.path_length import why_too_small
from stylegan2.sampling import z_from_seeds

# --- paths --------------------------------------------------------------------------------------------------


def test_the_face_is_rows_3_to_7_and_columns_2_to_6_of_8():
    rows, columns = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    face = functional.face_region(torch.stack([rows, columns, rows])[None])
    assert face.shape == (1, 3, 32, 32)
    assert (face[0, 0, 0, 0], face[0, 0, -1, 0]) == (24, 55)
    assert (face[0, 1, 0, 0], face[0, 1, 0, -1]) == (16, 47)


def test_the_trimmed_mean_leaves_out_one_in_a_hundred_at_either_end():
    values = np.random.default_rng(0).permutation(np.r_[np.arange(1.0, 100), -1e9, 1e9])
    assert functional.trimmed_mean(values) == 50
    assert functional.trimmed_mean(np.array([1.0, 3.0])) == 2


class Squares(torch.nn.Module):
    """A distance that everyone can compute: the sum of squared differences."""

    def __init__(self):
        super().__init__()
        self.unit = torch.nn.Parameter(torch.ones(()))

    def forward(self, images, target):
        return self.unit * (images - target).square().sum(dim=(1, 2, 3))


def test_a_path_length_is_the_squared_speed_of_the_face_at_no_more_than_256_pixels():
    metric = PerceptualPathLength(Squares(), epsilon=0.5, batch_size=2)
    before = torch.zeros(3, 3, 1024, 1024)
    after = before.clone()
    after[:, :, 384:896, 256:768] = torch.tensor([1.0, 2.0, 3.0]).view(3, 1, 1, 1)
    metric.update(before, after + 0)
    assert metric.values == pytest.approx(3 * 256**2 * np.array([1, 4, 9]) / 0.25)
    after[:, :, 384:896, 256:768] = 0
    after[:, :, :384] = 1  # above the face
    metric.reset()
    metric.update(before, after)
    assert metric.compute().mean == 0
    assert "two pairs" in PerceptualPathLength(Squares()).compute().why


def test_images_whose_face_lpips_cannot_see_are_named():
    assert why_too_small(32, True) == "" == why_too_small(16, False)
    assert "of 24 pixels, of which the face is 12," in why_too_small(24, True)


# --- separability -------------------------------------------------------------------------------------------

BITS = arrays(np.int64, 40, elements=st.integers(0, 1))


@given(BITS, BITS)
def test_conditional_entropy_is_entropy_without_mutual_information(x, y):
    wanted = entropy(np.bincount(y), base=2) - mutual_info_score(x, y) / np.log(2)
    assert functional.conditional_entropy(x, y) == pytest.approx(wanted, abs=1e-9)
    doubled = functional.conditional_entropy(x[:30], y[:30], np.r_[np.full(10, 2.0), np.ones(20)])
    rows = np.r_[np.arange(10), np.arange(30)]
    assert doubled == pytest.approx(functional.conditional_entropy(x[rows], y[rows]), abs=1e-12)


def test_separability_is_1_for_hyperplanes_and_2_to_the_bits_of_independent_labels():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1200, 6))
    apart = LinearSeparability(["a", "b"])
    apart.update(x, x[:, :2])
    assert apart.compute().mean == pytest.approx(1, abs=0.02)
    both = LinearSeparability(["a", "noise", "none"])
    both.update(x, np.c_[x[:, 0], rng.standard_normal(1200), np.full(1200, -1.0)])
    value, bits = both.compute(), both.entropies()
    assert bits["noise"] > 0.98 and bits["a"] < 0.02 and bits["none"] == 0
    assert value.mean == pytest.approx(2 ** sum(bits.values())) and value.low <= 2 <= value.high + 0.02


def test_separability_keeps_the_samples_of_which_the_classifier_is_sure():
    rng = np.random.default_rng(1)
    x = rng.standard_normal((800, 2))
    logits = np.where(np.abs(x[:, :1]) > np.median(np.abs(x[:, 0])), 9 * np.sign(x[:, :1]), rng.normal(size=(800, 1)))
    for keep, least, most in ((0.5, 1, 1.05), (1.0, 1.3, 2)):
        metric = LinearSeparability(["a"], keep=keep)
        metric.update(x, logits)
        assert least <= metric.compute().mean <= most


def test_judged_by_the_samples_it_was_fitted_to_separability_flatters():
    rng = np.random.default_rng(2)
    x, labels = rng.standard_normal((120, 50)), rng.standard_normal((120, 1))
    values = []
    for folds in (1, 5):
        metric = LinearSeparability(["noise"], folds=folds)
        metric.update(x, labels)
        values.append(metric.compute().mean)
    assert values[0] < 1.1 and values[1] > 1.9


def test_samples_that_do_not_fit_are_refused():
    metric = LinearSeparability(["a"])
    with pytest.raises(UserError, match="do not fit"):
        metric.update(np.zeros((3, 2)), np.zeros((3, 2)))
    with pytest.raises(UserError, match="finite"):
        metric.update(np.zeros((1, 2)), np.array([[np.nan]]))
    metric.update(np.zeros((3, 2)), np.zeros((3, 1)))
    with pytest.raises(UserError, match="do not fit"):
        metric.update(np.zeros((3, 4)), np.zeros((3, 1)))
    assert "samples or more" in metric.compute().why
    with pytest.raises(UserError, match="folds"):
        LinearSeparability(["a"], folds=0)


# --- DCI ----------------------------------------------------------------------------------------------------


def test_dci_of_matrices_whose_scores_are_known():
    assert functional.dci_scores(np.eye(4)[[2, 0, 3, 1]] * [1, 2, 3, 4]) == pytest.approx((1, 1))
    assert functional.dci_scores(np.ones((5, 3))) == pytest.approx((0, 0), abs=1e-12)
    disentangled, complete = functional.dci_scores(np.array([[1.0, 0], [1, 0], [0, 1], [0, 1]]))
    assert (disentangled, complete) == pytest.approx((1, 0.5))  # two of four codes tell a factor: one bit of two
    assert np.isnan(functional.dci_scores(np.zeros((3, 2)))).all()


@given(arrays(np.float64, (5, 3), elements=st.integers(0, 3)).filter(np.any))
def test_dci_is_its_definition(importance):
    rows = [k for k in range(5) if importance[k].any()]
    wanted = sum((1 - entropy(importance[k], base=3)) * importance[k].sum() for k in rows) / importance.sum()
    columns = [1 - entropy(c, base=5) if c.any() else 0 for c in importance.T]
    assert functional.dci_scores(importance) == pytest.approx((wanted, np.mean(columns)), abs=1e-9)


def test_dci_of_known_factors_is_high_in_s_and_low_in_w():
    generator = KnownFactors()
    w = generator.mapping(z_from_seeds(range(400), 16))[:, 0].numpy()
    styles = styles_of_w(generator, w)
    space = StyleSpace.of(styles)
    found = {}
    for name, codes in (("w", w), ("s", space.flatten(styles))):
        metric = DCI(generator.factors)
        metric.update(codes, generator.values(w))
        found[name] = metric.compute()
    s, in_w = found["s"], found["w"]
    assert min(s.disentanglement.mean, s.completeness.mean, s.informativeness.mean) > 0.95
    assert in_w.informativeness.mean > 0.8 and in_w.disentanglement.high < 0.5 and in_w.completeness.high < 0.5
    strongest = [space.names[k] for k in s.importance.argmax(axis=0)]
    assert strongest == ["{}:{}".format(*generator.channel(name)) for name in generator.factors]


def test_codes_that_tell_nothing_are_not_informative():
    rng = np.random.default_rng(0)
    metric = DCI(["a", "b"])
    metric.update(rng.standard_normal((200, 8)), rng.standard_normal((200, 2)))
    assert metric.compute().informativeness.mean < 0.05


def test_dci_says_why_it_is_unknown():
    metric = DCI(["a", "b"])
    metric.update(np.eye(6), np.zeros((6, 2)))
    assert "20 samples" in metric.compute().disentanglement.why
    metric.update(np.random.default_rng(0).normal(size=(40, 6)), np.zeros((40, 2)))
    assert metric.compute().completeness.why == "a, b is equal in all samples"
    with pytest.raises(UserError, match="two factors"):
        DCI(["a"])


# --- manifolds ----------------------------------------------------------------------------------------------


def spelt_out(made, real, k):
    """Precision, recall, density and coverage by their definitions, point by point."""

    def radii(points):
        return [sorted(cdist(points[[i]], np.delete(points, i, axis=0))[0])[k - 1] for i in range(len(points))]

    of_real, of_made, distances = radii(real), radii(made), cdist(made, real)
    n, m = distances.shape
    precision = np.mean([any(distances[i, j] <= of_real[j] for j in range(m)) for i in range(n)])
    recall = np.mean([any(distances[i, j] <= of_made[i] for i in range(n)) for j in range(m)])
    density = sum(distances[i, j] <= of_real[j] for i in range(n) for j in range(m)) / (k * n)
    coverage = np.mean([min(distances[:, j]) <= of_real[j] for j in range(m)])
    return precision, recall, density, coverage


@pytest.mark.parametrize("seed", range(4))
def test_manifolds_are_their_definitions(seed, monkeypatch):
    monkeypatch.setattr(functional, "_ROWS", 7)  # distances come some rows at a time
    rng = np.random.default_rng(seed)
    made, real = rng.normal(size=(30, 3)), rng.normal(0.5 * seed, 1.5, (22, 3))
    metrics = [kind(features=len, neighbours=4) for kind in (Precision, Recall, Density, Coverage)]
    for metric in metrics:
        metric.update_features(real, made)
    assert [metric.compute().mean for metric in metrics] == pytest.approx(spelt_out(made, real, 4))


def test_manifolds_of_one_set_twice_of_a_mode_alone_and_of_strangers():
    rng = np.random.default_rng(0)
    real = np.r_[rng.normal(0, 1, (40, 2)), rng.normal(50, 1, (40, 2))]  # two modes
    for made, precision, recall in ((real, 1, 1), (real[:40], 1, 0.5), (real + 1000, 0, 0)):
        assert functional.inside_manifold(made, real).mean() == precision
        assert functional.inside_manifold(real, made).mean() == recall
    metric = Precision(features=len)
    metric.update_features(real[:3], real)
    assert "fewer than 4 images" in metric.compute().why


# --- Inception ----------------------------------------------------------------------------------------------


def test_distances_are_those_of_torchmetrics():
    fid, kid = (pytest.importorskip(f"torchmetrics.image.{name}") for name in ("fid", "kid"))
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(60, 8)), rng.normal(0.3, 1.2, (50, 8))
    moments = [torch.from_numpy(m) for x in (one, other) for m in (x.mean(0), np.cov(x, rowvar=False))]
    assert functional.frechet_distance(one, other) == pytest.approx(float(fid._compute_fid(*moments)), rel=1e-6)
    wanted = float(kid.poly_mmd(torch.from_numpy(one), torch.from_numpy(other[:50]).repeat(2, 1)[:60]))
    assert functional.kernel_distance(one, np.tile(other, (2, 1))[:60]) == pytest.approx(wanted, rel=1e-6)


def test_without_its_library_or_its_weights_fid_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    with pytest.raises(UserError, match=r"pip install torch-fidelity"):
        FID()
    with pytest.raises(UserError, match=r"cannot be fetched .*: put file:///nowhere/weights-0123abcd.pth into"):
        _fetch("file:///nowhere/weights-0123abcd.pth")
