"""The fast operations against their plain definitions, and the definitions against closed forms."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from stylegan2 import ops

quick = settings(max_examples=25, derandomize=True)

FACTORS = [(1, 1), (2, 1), (3, 1), (4, 1), (1, 2), (1, 4)]
sides = st.integers(5, 9)
factors = st.integers(1, 4)
seeds = st.integers(0, 2**16)


def randn(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def assert_same_to_second_order(fast, plain, *inputs):
    """Same values, same gradients, same gradients of the squared gradients; and the same without autograd."""
    results = []
    for function in (fast, plain):
        leaves = [x.detach().clone().requires_grad_() for x in inputs]
        y = function(*leaves)
        direction = randn(5, *y.shape)
        first = torch.autograd.grad((y * direction).sum() + y.square().sum(), leaves, create_graph=True)
        second = torch.autograd.grad(sum(g.square().sum() for g in first), leaves)
        results.append([y, *first, *second])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-7 * float(b.detach().abs().max()))
    kept = [x.clone() for x in inputs]
    with torch.no_grad():
        torch.testing.assert_close(fast(*inputs), results[1][0].detach(), rtol=1e-7, atol=1e-9)
    assert all(map(torch.equal, inputs, kept)), "an input was overwritten"


@quick
@given(sides, sides, factors, factors, st.tuples(*[st.integers(-2, 5)] * 4), seeds, st.data())
def test_upfirdn2d_is_its_definition(height, width, up, down, padding, seed, draw):
    rows = draw.draw(st.integers(1, min(6, height * up + padding[2] + padding[3])))
    columns = draw.draw(st.integers(1, min(6, width * up + padding[0] + padding[1])))
    separable = draw.draw(st.booleans()) and rows == columns
    x, bias = randn(seed, 2, 3, height, width), randn(seed + 1, 3)
    f = randn(seed + 2, rows) if separable else randn(seed + 2, rows, columns)
    if draw.draw(st.booleans()):
        x = x.contiguous(memory_format=torch.channels_last)
    assert_same_to_second_order(
        lambda x, b: ops.upfirdn2d(x, f, up, down, padding, 1.7, b),
        lambda x, b: ops.upfirdn2d_plain(x, f, up, down, padding, 1.7) + b[:, None, None],
        x,
        bias,
    )


@quick
@given(st.integers(3, 6), st.sampled_from(FACTORS), st.integers(1, 9), seeds, st.data())
def test_conv2d_resample_is_its_definition(side, factors, taps, seed, draw):
    up, down = factors
    kernel = draw.draw(st.sampled_from([1, 3, 5]))
    x, weight = randn(seed, 2, 3, side * down, side * down), randn(seed + 1, 4, 3, kernel, kernel)
    f, bias = randn(seed + 2, taps), randn(seed + 3, 4)
    y = ops.conv2d_resample(x, weight, f, up, down, bias)
    assert y.shape == (2, 4, side * up, side * up)
    assert_same_to_second_order(
        lambda x, w, b: ops.conv2d_resample(x, w, f, up, down, b),
        lambda x, w, b: ops.conv2d_resample_plain(x, w, f, up, down, b),
        x,
        weight,
        bias,
    )


@quick
@given(
    st.sampled_from([(1, 1, 3), (3, 4, 1), (3, 9, 3), (1, 9, 2)]),
    st.sampled_from([1, 3]),
    st.sampled_from([1, 2]),
    st.booleans(),
    st.booleans(),
    seeds,
)
def test_modulated_conv2d_is_its_definition(shape, kernel, up, demodulate, with_bias, seed):
    batch, side, channels = shape  # with side 9 pixels outnumber weights, with side 1 the other way round
    x, weight = randn(seed, batch, channels, side, side), randn(seed + 1, 4, channels, kernel, kernel)
    style, f = randn(seed + 2, batch, channels), torch.tensor([1.0, 2.0, 5.0], dtype=torch.float64) / 8
    inputs = [x, weight, style] + ([randn(seed + 3, 4)] if with_bias else [])
    assert_same_to_second_order(
        lambda x, w, s, b=None: ops.modulated_conv2d(x, w, s, f, up, demodulate, 1.3, b),
        lambda x, w, s, b=None: ops.modulated_conv2d_plain(x, w, s, f, up, demodulate, 1.3, b),
        *inputs,
    )


@quick
@given(seeds, st.floats(0.01, 100))
def test_demodulation_cancels_the_length_of_a_style(seed, factor):
    x, weight, style = randn(seed, 2, 3, 8, 8), randn(seed + 1, 4, 3, 3, 3), randn(seed + 2, 2, 3) + 3
    y = ops.modulated_conv2d(x, weight, style)
    torch.testing.assert_close(ops.modulated_conv2d(x, weight, style * factor), y, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("grad", [False, True])
def test_modulated_conv2d_in_half_precision_does_not_overflow(grad):
    x = randn(0, 2, 64, 16, 16).float()
    weight, style = 3000 * randn(1, 8, 64, 3, 3).float(), 3000 * randn(2, 2, 64).float()
    expected = ops.modulated_conv2d(x, weight, style)
    y = ops.modulated_conv2d(x.half(), weight.requires_grad_(grad), style)
    assert y.dtype == torch.float16
    torch.testing.assert_close(y.float().detach(), expected, rtol=0, atol=1e-2 * float(expected.abs().max()))


@quick
@given(st.booleans(), st.booleans(), st.booleans(), st.sampled_from([None, 0.4]), st.booleans(), seeds)
def test_bias_act_is_its_definition(with_bias, with_noise, lrelu, clamp, inplace, seed):
    x = randn(seed, 2, 3, 5, 5)
    bias = randn(seed + 1, 3) if with_bias else None
    noise = randn(seed + 2, 2, 1, 5, 5) if with_noise else None
    arguments = {"bias": bias, "noise": noise, "lrelu": lrelu, "gain": 1.3, "clamp": clamp}

    def fast(x):
        return ops.bias_act(x.clone(), **arguments, inplace=inplace)

    assert_same_to_second_order(fast, lambda x: ops.bias_act_plain(x, **arguments), x)
    y = ops.bias_act(x, **arguments, inplace=True)
    # With a step to do, that step was done in place.
    steps = with_bias or with_noise or lrelu or clamp
    assert not steps or y.data_ptr() == x.data_ptr()


def test_bias_act_takes_no_memory_for_noise_and_leaky_relu_with_gradients():
    x = randn(0, 2, 3, 5, 5).requires_grad_().clone()
    assert ops.bias_act(x, noise=randn(1, 5, 5), inplace=True).data_ptr() == x.data_ptr()


def test_up_sampling_with_a_box_repeats_pixels_and_down_sampling_averages_them():
    x, box = randn(0, 2, 3, 6, 6), torch.tensor([0.5, 0.5], dtype=torch.float64)
    torch.testing.assert_close(ops.upsample2d(x, box), F.interpolate(x, scale_factor=2))
    torch.testing.assert_close(ops.downsample2d(x, box), F.avg_pool2d(x, 2))
    y = ops.upfirdn2d_plain(x, box, up=2, padding=(1, 0, 1, 0), gain=4)
    torch.testing.assert_close(y, ops.upsample2d(x, box))


@quick
@given(st.integers(2, 12), st.sampled_from([2, 4]))
def test_resampling_keeps_brightness(taps, factor):
    f = torch.arange(1, taps + 1, dtype=torch.float64).repeat_interleave(factor)  # as bright for every phase
    x, f = torch.full((1, 1, 64, 64), 0.7, dtype=torch.float64), f / f.sum()
    for y in (ops.upsample2d(x, f, factor), ops.downsample2d(x, f, factor)):
        middle = y.shape[-1] // 2
        assert float(y[0, 0, middle, middle]) == pytest.approx(0.7)


def test_resampling_needs_a_filter():
    with pytest.raises(ValueError, match="filter"):
        ops.conv2d_resample(torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 3, 3), up=2)
