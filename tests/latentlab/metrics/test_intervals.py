"""Intervals of differences, and how values are written with the digits that their intervals support."""

import math

import numpy as np
import pytest
from scipy.stats import binomtest, ttest_rel

from latentlab.metrics import Interval, format_interval, paired_difference, share_interval, unknown_because
from latentlab.metrics.intervals import format_share, power_of_ten


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Interval(0.8412, 0.8049, 0.8731, 40), "0.84 [0.80, 0.87]"),
        (Interval(0.8412, 0.8349, 0.8471, 400), "0.841 [0.835, 0.847]"),
        (Interval(0.5, 0.0945, 0.9055, 2), "0.5 [0.1, 0.9]"),
        (Interval(2.05, -33.3, 37.4, 2), "2 [-33, 37]"),
        (Interval(-0.02, -0.04, 0.01, 9), "-0.02 [-0.04, 0.01]"),
        (Interval(-0.0004, -0.04, 0.04, 9), "0.00 [-0.04, 0.04]"),
        (Interval(1.0, 1.0, 1.0, 3), "1.00"),
        (Interval(0.84, 0.80, 0.87, 11, missing=1), "0.84 [0.80, 0.87], n = 11"),
        (unknown_because("no face is found"), "unknown"),
    ],
)
def test_values_have_the_digits_that_their_intervals_support(value, text):
    assert format_interval(value) == text


def test_a_row_of_small_values_gets_its_unit():
    small = [Interval(0.000812, 0.0007, 0.0009, 12), Interval(0.0021, 0.0019, 0.0024, 12)]
    assert power_of_ten(small) == -3
    assert format_interval(small[0]) == "0.00081 [0.00070, 0.00090]"
    assert format_interval(small[0], most_decimals=3) == "0.001 [0.001, 0.001]"
    assert [format_interval(value, -3) for value in small] == ["0.81 [0.70, 0.90]", "2.1 [1.9, 2.4]"]
    assert power_of_ten([*small, Interval(0.91, 0.9, 0.92, 12)]) == 0
    assert power_of_ten([Interval(2.5e6, 2e6, 3e6, 2)]) == 6
    assert power_of_ten([unknown_because("nothing"), Interval(0.0, 0.0, 0.0, 2)]) == 0


def test_shares_are_percents_with_their_counts():
    assert format_share(share_interval([True, True, True, False])) == "75 % [30, 95] (3 of 4)"
    assert format_share(share_interval(np.arange(2000) < 1906)) == "95.3 % [94.3, 96.1] (1906 of 2000)"
    assert format_share(share_interval([])) == "unknown"


def test_paired_differences_are_students():
    rng = np.random.default_rng(0)
    one = rng.normal(size=12)
    other = one + rng.normal(0.1, 0.1, size=12)
    found = paired_difference(one, other, level=0.9)
    reference = ttest_rel(one, other).confidence_interval(0.9)
    assert (found.low, found.high) == pytest.approx((reference.low, reference.high))
    assert found.n == 12 and found.mean == pytest.approx((one - other).mean())
    other[0] = np.nan
    assert (paired_difference(one, other).n, paired_difference(one, other).missing) == (11, 1)
    assert math.isnan(paired_difference(one[:1], other[:1]).mean)


@pytest.mark.parametrize("gained", range(9))
def test_differences_of_shares_agree_with_mcnemars_exact_test(gained):
    """Eight of twelve images differ, `gained` of them for the better."""
    one, other = np.zeros(12), np.zeros(12)
    one[:gained], other[gained:8] = 1, 1
    found = paired_difference(one, other, share=True)
    assert found.mean == pytest.approx((2 * gained - 8) / 12)
    assert (found.low > 0 or found.high < 0) == (binomtest(gained, 8).pvalue < 0.05)
