"""The arithmetic of the metrics against closed forms."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import sqrtm
from scipy.stats import norm

from latentlab.metrics import Interval, mean_interval, share_interval, statistic_interval
from latentlab.metrics.functional import difference_outside, frechet_distance, kernel_distance, leakage, sharpness

# --- intervals ----------------------------------------------------------------------------------------------


def test_the_interval_of_a_mean_is_about_that_of_the_normal_distribution():
    values = np.random.default_rng(0).normal(3, 2, 400)
    found = mean_interval(values)
    half = norm.ppf(0.975) * values.std() / 20
    assert found.mean == pytest.approx(values.mean()) and found.n == 400
    assert found.low == pytest.approx(values.mean() - half, abs=0.03)
    assert found.high == pytest.approx(values.mean() + half, abs=0.03)
    assert found == mean_interval(values) != mean_interval(values, seed=1)


def test_what_was_not_measured_is_counted_and_left_out():
    assert mean_interval([1, float("nan"), 1]) == Interval(1, 1, 1, 2, 1)
    nothing = mean_interval([float("nan")])
    assert np.isnan(nothing.mean) and (nothing.n, nothing.missing) == (0, 1)
    assert not nothing.overlaps(Interval(0, -1, 1, 5))
    assert np.isnan(share_interval([]).mean)


def test_the_interval_of_a_share_has_a_width_at_its_ends():
    found = share_interval([True] * 40)
    assert (found.mean, found.high, found.n) == (1, 1, 40)
    assert found.low == pytest.approx(40 / (40 + norm.ppf(0.975) ** 2))  # Wilson's at a share of 1


def test_the_interval_of_a_statistic_lies_about_it():
    """Of a mean it is the normal one; a distance of few rows, which grows when rows repeat, stays within it."""
    rng = np.random.default_rng(0)
    values = rng.normal(3, 2, 400)
    found = statistic_interval(lambda x: float(x.mean()), values, resamples=1000)
    half = norm.ppf(0.975) * values.std() / 20
    assert found.mean == values.mean() and found.n == 400
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.1)
    one, other = rng.normal(size=(12, 40)), rng.normal(size=(12, 40))
    for distance in (kernel_distance, frechet_distance):
        interval = statistic_interval(distance, one, other)
        assert interval.low < distance(one, other) == interval.mean < interval.high
    assert statistic_interval(distance, one, other) == interval


def test_overlap():
    one = Interval(0.5, 0.4, 0.6, 9)
    assert one.overlaps(Interval(0.7, 0.6, 0.8, 9)) and Interval(0.7, 0.6, 0.8, 9).overlaps(one)
    assert not one.overlaps(Interval(0.7, 0.61, 0.8, 9))


# --- changes ------------------------------------------------------------------------------------------------


def test_what_changes_within_the_region_does_not_count():
    before = torch.zeros(2, 3, 4, 4)
    region = torch.zeros(1, 1, 4, 4)
    region[..., :2] = 1
    after = before.clone()
    after[0, :, :, :2] = 1
    after[1, :, :2, 2:] = -0.5  # half of what is outside, by a quarter of the range
    assert difference_outside(before, after, region).tolist() == [0, 0.125]
    assert difference_outside(before, after, torch.ones(1, 1, 4, 4)).isnan().all()


def test_sharpness_falls_with_blur_and_is_0_on_a_slope():
    picture = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    blurred = torch.nn.functional.avg_pool2d(picture, 3, 1, 1)
    assert float(sharpness(blurred)) < 0.3 * float(sharpness(picture))
    slope = torch.linspace(-1, 1, 32).expand(1, 3, 32, 32)
    assert float(sharpness(slope)) == pytest.approx(0, abs=1e-10)
    dot = torch.zeros(1, 3, 5, 5)
    dot[:, :, 2, 2] = 1  # the Laplacian's 9 values: -4, four 1, four 0
    assert float(sharpness(dot)) == pytest.approx((16 + 4) / 9, rel=1e-5)


def test_leakage_is_relative_to_the_target():
    before = np.zeros((2, 3))
    after = np.array([[2.0, 1, 0], [4, -3, 0]])
    assert leakage(before, after, np.array([1.0, 2, 1]), 0) == pytest.approx([1, 0.5 / 3, 0])
    assert np.isnan(leakage(before, after, np.ones(3), 2)).all()


# --- distributions ------------------------------------------------------------------------------------------


@given(st.integers(0, 50))
def test_the_frechet_distance_of_gaussians_with_common_axes(seed):
    """Σ (μ₁ − μ₂)² + (σ₁ − σ₂)² over the axes, however they are turned."""
    rng = np.random.default_rng(seed)
    base = rng.standard_normal((50, 4))
    base = (base - base.mean(0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(base, rowvar=False))).T  # exactly white
    turn = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    means, deviations = rng.standard_normal((2, 4)), rng.uniform(0, 2, (2, 4))
    one, other = ((base * deviation + mean) @ turn for mean, deviation in zip(means, deviations, strict=True))
    expected = ((means[0] - means[1]) ** 2).sum() + ((deviations[0] - deviations[1]) ** 2).sum()
    assert frechet_distance(one, other) == pytest.approx(expected, rel=1e-6, abs=1e-6)
    assert frechet_distance(one, one) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(("n", "m"), [(5, 30), (30, 5), (30, 30), (5, 6)])
def test_the_frechet_distance_is_that_of_the_covariances(n, m):
    """For more rows than columns and for fewer, against the square root of a matrix."""
    rng = np.random.default_rng(n + m)
    one, other = rng.normal(size=(n, 8)), 1.5 * rng.normal(size=(m, 8)) + 0.3
    first, second = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    root = sqrtm(first + 1e-12 * np.eye(8)) @ sqrtm(second + 1e-12 * np.eye(8))
    cross = np.linalg.svd(root, compute_uv=False).sum()
    wanted = ((one.mean(0) - other.mean(0)) ** 2).sum() + np.trace(first) + np.trace(second) - 2 * cross
    assert frechet_distance(one, other) == pytest.approx(float(wanted), rel=1e-4)


def test_the_kernel_distance_by_hand_and_without_bias():
    one, other = np.array([[0.0], [1.0]]), np.array([[1.0], [2.0]])
    # k(0, 1) = 1, k(1, 2) = 27; across: k(0, 1) = 1, k(0, 2) = 1, k(1, 1) = 8, k(1, 2) = 27
    assert kernel_distance(one, other) == pytest.approx(1 + 27 - 2 * 37 / 4)
    rng = np.random.default_rng(0)
    same = [kernel_distance(rng.standard_normal((30, 5)), rng.standard_normal((40, 5))) for _ in range(300)]
    far = [kernel_distance(rng.standard_normal((30, 5)), rng.standard_normal((40, 5)) + 0.5) for _ in range(300)]
    assert abs(np.mean(same)) < 3 * np.std(same) / 300**0.5 < np.mean(far)
