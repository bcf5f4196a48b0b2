"""Seeds, truncation, mixing and interpolation against closed forms."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stylegan2.mobile import MobileConfig, MobileGenerator
from stylegan2.sampling import lerp, slerp, style_mix, truncate, z_from_seeds

quick = settings(max_examples=50, derandomize=True)


def randn(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@quick
@given(st.lists(st.integers(0, 2**32 - 1), max_size=4), st.integers(1, 40))
def test_each_seed_draws_the_shared_z(seeds, z_dim):
    z = z_from_seeds(seeds, z_dim)
    assert z.dtype == torch.float32 and z.shape == (len(seeds), z_dim)
    for seed, row in zip(seeds, z, strict=True):
        expected = np.random.RandomState(seed).randn(1, z_dim)[0].astype(np.float32)
        assert np.array_equal(row.numpy(), expected)


def test_seeds_may_be_one_number_a_range_or_an_array():
    expected = z_from_seeds([3, 4], 5)
    assert torch.equal(z_from_seeds(range(3, 5), 5), expected)
    assert torch.equal(z_from_seeds(np.array([3, 4]), 5), expected)
    assert torch.equal(z_from_seeds(3, 5), expected[:1])


@pytest.mark.parametrize("seeds", [[-1], [2**32], [1.0], ["7"], [True], [None], "12", 1.5])
def test_bad_seeds_are_named(seeds):
    with pytest.raises(ValueError, match="seed"):
        z_from_seeds(seeds, 4)


def test_z_dim_must_be_positive():
    with pytest.raises(ValueError, match="z_dim"):
        z_from_seeds([1], 0)


@quick
@given(st.floats(-3, 3), st.one_of(st.none(), st.integers(0, 6)), st.integers(0, 1000))
def test_truncation_scales_the_distance_from_w_avg(psi, cutoff, seed):
    ws, w_avg = randn(seed, 2, 6, 5), randn(seed + 1, 5)
    out = truncate(ws, w_avg, psi, cutoff)
    head = 6 if cutoff is None else cutoff
    torch.testing.assert_close(out[:, :head], w_avg + psi * (ws[:, :head] - w_avg))
    assert torch.equal(out[:, head:], ws[:, head:])


def test_psi_one_is_the_identity_and_psi_zero_gives_w_avg():
    ws, w_avg = randn(0, 2, 6, 5), randn(1, 5)
    assert torch.equal(truncate(ws, w_avg), ws)
    assert torch.equal(truncate(ws, w_avg, psi=0.0), w_avg.expand(2, 6, 5))


@pytest.mark.parametrize("psi", [math.nan, math.inf, -math.inf])
def test_psi_must_be_finite(psi):
    with pytest.raises(ValueError, match="psi"):
        truncate(randn(0, 1, 6, 5), randn(1, 5), psi)


@pytest.mark.parametrize("cutoff", [-1, 7, 2.0])
def test_cutoff_must_be_a_row_count(cutoff):
    with pytest.raises(ValueError, match="cutoff"):
        truncate(randn(0, 1, 6, 5), randn(1, 5), 0.5, cutoff)


@quick
@given(st.integers(0, 6), st.integers(0, 6))
def test_style_mix_takes_the_rows_from_b(start, stop):
    a, b = randn(0, 2, 6, 5), randn(1, 1, 6, 5)
    mixed = style_mix(a, b, range(start, stop))
    for row in range(6):
        source = b.expand(2, -1, -1) if row in range(start, stop) else a
        assert torch.equal(mixed[:, row], source[:, row])
    assert torch.equal(mixed, style_mix(a, b, slice(start, stop)))
    assert torch.equal(mixed, style_mix(a, b, list(range(start, stop))))


def test_style_mix_counts_negative_rows_from_the_end_and_leaves_its_inputs():
    a, b = randn(0, 2, 6, 5), randn(1, 2, 6, 5)
    kept = a.clone()
    assert torch.equal(style_mix(a, b, [-1]), style_mix(a, b, [5]))
    assert torch.equal(a, kept)


@pytest.mark.parametrize("layers", [[6], [-7], [1.5], range(4, 8)])
def test_style_mix_refuses_rows_that_are_not_there(layers):
    with pytest.raises(ValueError, match="layers"):
        style_mix(randn(0, 1, 6, 5), randn(1, 1, 6, 5), layers)


def test_style_mix_refuses_other_shapes():
    with pytest.raises(ValueError, match=r"\(1, 5, 5\)"):
        style_mix(randn(0, 1, 6, 5), randn(1, 1, 5, 5), [0])


def test_lerp_goes_straight():
    a, b = randn(0, 3, 7), randn(1, 3, 7)
    torch.testing.assert_close(lerp(a, b, 0.25), 0.75 * a + 0.25 * b)
    assert torch.equal(lerp(a, b, 0.0), a)
    torch.testing.assert_close(lerp(a, b, torch.tensor([[0.0], [0.5], [1.0]]).double())[2], b[2])


@quick
@given(st.integers(0, 1000), st.integers(2, 40), st.floats(0, 1))
def test_slerp_turns_by_its_share_of_the_angle(seed, dim, t):
    a, b = randn(seed, 3, dim), randn(seed + 1, 3, dim)
    unit_a, unit_b = (x / x.norm(dim=1, keepdim=True) for x in (a, b))
    y = slerp(a, b, t)
    torch.testing.assert_close(y.norm(dim=1), torch.ones(3).double())
    whole = torch.acos((unit_a * unit_b).sum(1).clamp(-1, 1))
    turned = torch.acos((unit_a * y).sum(1).clamp(-1, 1))
    left = torch.acos((unit_b * y).sum(1).clamp(-1, 1))
    torch.testing.assert_close(turned, t * whole, rtol=0, atol=1e-6)
    torch.testing.assert_close(turned + left, whole, rtol=0, atol=1e-6)  # on the short arc, not beside it


def test_slerp_ends_are_the_ends_and_equal_ends_stay():
    a, b = randn(0, 3, 7), randn(1, 3, 7)
    torch.testing.assert_close(slerp(a, b, 0.0), a / a.norm(dim=1, keepdim=True))
    torch.testing.assert_close(slerp(a, b, 1.0), b / b.norm(dim=1, keepdim=True))
    torch.testing.assert_close(slerp(a, a, 0.3), a / a.norm(dim=1, keepdim=True))


def test_slerp_resolves_the_steps_of_path_length_in_float32():
    a, b = randn(0, 3, 64).float(), randn(1, 3, 64).float()
    t = 0.37
    step = (slerp(a, b, t + 1e-4) - slerp(a, b, t)).norm(dim=1) / 1e-4
    angle = torch.nn.functional.cosine_similarity(a.double(), b.double()).acos().float()
    torch.testing.assert_close(step, angle, rtol=5e-3, atol=0)


def test_truncation_has_two_names(tiny):
    z, mobile = z_from_seeds([1, 2], tiny.z_dim), MobileGenerator(MobileConfig(16, 32, 32, channel_base=64))
    ws = tiny.mapping(z, psi=0.3)
    assert torch.equal(tiny.mapping(z, truncation_psi=0.3), ws)
    assert torch.equal(truncate(tiny.mapping(z), tiny.w_avg, truncation_psi=0.3), ws)
    assert not torch.equal(tiny.mapping(z), ws)
    for generator in (tiny, mobile):
        with torch.no_grad():
            assert torch.equal(generator(z, truncation_psi=0.3), generator(z, psi=0.3))
    for call in (tiny, tiny.mapping, mobile, mobile.mapping):
        with pytest.raises(ValueError, match=r"psi and truncation_psi are two names.*0\.5 and 1"):
            call(z, psi=0.5, truncation_psi=1)
