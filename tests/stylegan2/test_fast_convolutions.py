"""Convolutions by Winograd and by phases against torch's own; what they keep of weights never grows stale."""

import copy
import gc

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from stylegan2 import derived as derived_module
from stylegan2 import ops, phases, winograd
from stylegan2.derived import derived
from tests.stylegan2.test_ops import assert_same_to_second_order, randn

quick = settings(max_examples=15, derandomize=True)
seeds = st.integers(0, 2**16)


@quick
@given(
    st.integers(1, 3), st.integers(1, 5), st.integers(1, 5), st.integers(1, 4), st.integers(1, 5), st.booleans(), seeds
)
def test_winograd_is_the_convolution(batch, i, o, rows, columns, with_bias, seed):
    x, weight = randn(seed, batch, i, 4 * rows, 4 * columns), randn(seed + 1, o, i, 3, 3)
    bias = randn(seed + 2, o) if with_bias else None
    assert_same_to_second_order(
        lambda x: winograd.convolve(x, weight, bias), lambda x: F.conv2d(x, weight, bias, padding=1), x
    )


@quick
@given(st.integers(1, 3), st.integers(1, 5), st.integers(1, 5), st.integers(1, 6), st.integers(1, 6), seeds)
def test_phases_are_the_transposed_convolution(batch, i, o, height, width, seed):
    x, weight = randn(seed, batch, i, height, width), randn(seed + 1, o, i, 3, 3)
    assert_same_to_second_order(
        lambda x: phases.convolve_transposed(x, weight),
        lambda x: F.conv_transpose2d(x, weight.transpose(0, 1), stride=2),
        x,
    )


@pytest.mark.parametrize(("i", "o", "side"), [(512, 512, 16), (256, 256, 32), (128, 256, 16)])
def test_the_stated_error_of_winograd_in_float32(i, o, side):
    x, weight = randn(1, 1, i, side, side), randn(2, o, i, 3, 3) / (9 * i) ** 0.5
    expected = F.conv2d(x, weight, padding=1)
    x, weight = x.float(), weight.float()
    assert winograd.pays(x, weight)
    error = ops.conv2d(x, weight).double() - expected
    assert error.square().mean().sqrt() < 5e-6 * expected.square().mean().sqrt()


def test_convolutions_that_winograd_leaves_to_torch():
    weight = randn(1, 256, 256, 3, 3).float()
    x = randn(2, 1, 256, 16, 16).float()
    assert winograd.pays(x, weight)
    assert not winograd.pays(x[..., :14], weight), "a side that is no multiple of 4"
    assert not winograd.pays(x.bfloat16(), weight.bfloat16())
    assert not winograd.pays(x[:, :32], weight[:, :32])
    assert not winograd.pays(x, weight.clone().requires_grad_()), "the gradient of weights is torch's"
    assert not winograd.pays(x.double(), weight.double())


def test_strips_of_tiles_join(monkeypatch):
    x, weight, bias = randn(1, 2, 3, 24, 16), randn(2, 4, 3, 3, 3), randn(3, 4)
    monkeypatch.setattr(winograd, "_AT_A_TIME", 16)  # four rows of tiles at a time, then two
    torch.testing.assert_close(winograd.convolve(x, weight, bias), F.conv2d(x, weight, bias, padding=1))


# --- what is kept of weights --------------------------------------------------------------------------------


def doubled(weight):
    return derived("doubled", lambda w: 2 * w, weight)


def test_a_value_is_kept():
    weight = torch.nn.Parameter(randn(1, 4, 3, 3, 3).float(), requires_grad=False)
    assert doubled(weight) is doubled(weight)
    with torch.inference_mode():
        assert doubled(weight) is doubled(weight)


def changed_in_place(weight):
    with torch.no_grad():
        weight.mul_(3)


def changed_by_data(weight):
    weight.data.mul_(3)


def changed_by_a_state_dict(weight):
    module = torch.nn.Module()
    module.register_parameter("weight", weight)
    module.load_state_dict({"weight": 3 * weight.detach()})


def changed_by_an_optimiser(weight):
    weight.requires_grad_()
    weight.square().sum().backward()
    torch.optim.SGD([weight], lr=0.1).step()
    weight.requires_grad_(False)


def changed_by_new_storage(weight):
    weight.data = 3 * weight.data


@pytest.mark.parametrize(
    "change",
    [changed_in_place, changed_by_data, changed_by_a_state_dict, changed_by_an_optimiser, changed_by_new_storage],
)
@pytest.mark.parametrize("inference", [False, True])
def test_a_value_never_grows_stale(change, inference):
    weight = torch.nn.Parameter(randn(1, 40, 30, 3, 3).float(), requires_grad=False)
    with torch.inference_mode(inference):
        before = doubled(weight).clone()
    change(weight)
    with torch.inference_mode(inference):
        after = doubled(weight)
    assert torch.equal(after, 2 * weight)
    assert not torch.equal(after, before)


def test_of_two_weights_each_may_change():
    one, two = randn(1, 5), randn(2, 5)
    product = lambda: derived("product", torch.mul, one, two)  # noqa: E731
    first = product()
    two.add_(1)
    assert torch.equal(product(), one * two)
    assert not torch.equal(product(), first)


def test_a_view_of_others_values_is_not_kept():
    noise = randn(1, 4, 4).expand(3, 1, 4, 4)
    assert torch.equal(doubled(noise), 2 * noise)
    rows = randn(2, 8, 6)
    view = rows[:, ::2]
    before = doubled(view).clone()
    rows += 1
    assert torch.equal(doubled(view), 2 * view)
    assert not torch.equal(doubled(view), before)


def test_gradients_pass_through_what_is_derived():
    weight = randn(1, 4, 3).requires_grad_()
    (gradient,) = torch.autograd.grad(doubled(weight).sum(), weight)
    assert torch.equal(gradient, torch.full_like(weight, 2))


def test_a_value_of_inference_mode_serves_a_gradient_later():
    weight, x = randn(1, 4, 3), randn(2, 3, 5).requires_grad_()
    with torch.inference_mode():
        doubled(weight)
    (doubled(weight) @ x).sum().backward()
    assert x.grad is not None


def test_what_is_kept_goes_with_the_weight():
    before = len(derived_module._kept)
    weight = randn(1, 4)
    doubled(weight)
    assert len(derived_module._kept) == before + 1
    del weight
    gc.collect()
    assert len(derived_module._kept) == before


def test_a_network_shows_no_trace(tiny):
    network = copy.deepcopy(tiny)
    names = list(network.state_dict())
    images = network(randn(1, 2, tiny.z_dim).float())
    assert list(network.state_dict()) == names
    other = copy.deepcopy(network)
    with torch.no_grad():
        for value in other.synthesis.parameters():
            value.mul_(1.1)
    assert not torch.equal(other(randn(1, 2, tiny.z_dim).float()), images)
    assert torch.equal(network(randn(1, 2, tiny.z_dim).float()), images)


@pytest.mark.parametrize("up", [1, 2])
def test_a_large_weight_lies_as_its_pixels_do_once_and_follows_a_change(up):
    x = randn(1, 1, 512, 8, 8).float().contiguous(memory_format=torch.channels_last)
    weight = randn(2, 256, 512, 3, 3).float() / 70
    for _ in range(2):
        convolve = ops._conv_transpose2d if up == 2 else lambda x, weight, stride: ops.conv2d(x, weight)
        plain = F.conv_transpose2d(x, weight.transpose(0, 1), stride=2) if up == 2 else F.conv2d(x, weight, padding=1)
        torch.testing.assert_close(convolve(x, weight, 2), plain, atol=1e-5, rtol=1e-5)
        assert set(derived_module._kept[weight]) == {"transposed" if up == 2 else "channels last"}
        weight[3, 5, 1, 1] += 1  # one value, in place
