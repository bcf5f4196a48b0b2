"""The discriminator: parity with recorded vectors, architectures against plain operations, its contract."""

import dataclasses

import numpy as np
import pytest
import torch

import stylegan2
from stylegan2 import discriminator, ops
from stylegan2.config import DiscriminatorConfig
from stylegan2.discriminator import Discriminator, minibatch_std

NET32 = DiscriminatorConfig(resolution=32, channel_base=1024, channel_max=40, conv_clamp=256)
SMALL = DiscriminatorConfig(resolution=16, channel_base=64, channel_max=6, mapping_layers=2)


def arrays(path):
    with np.load(path) as file:
        return {name: torch.from_numpy(file[name]) for name in file.files}


def seeded(config):
    torch.manual_seed(0)
    network = Discriminator(config)
    with torch.no_grad():
        for name, value in network.named_parameters():
            if name.endswith(".bias"):
                value += 0.3 * torch.randn(value.shape)
    return network


def relative(actual, expected):
    return float((actual.detach() - expected).abs().max() / expected.abs().max())


def test_parity_of_logits(data):
    vectors = arrays(data / "net32_io.npz")
    network = Discriminator(NET32)
    network.load_state_dict(arrays(data / "net32_nvada_D_state.npz"))  # strict: the names are the release's
    assert relative(network(vectors["img"]), vectors["d_logits"]) < 1e-5


def test_parity_of_conditional_logits(data):
    vectors = arrays(data / "net16cond_io.npz")
    network = stylegan2.load(data / "net16cond_nvada_stub.pkl", network="D")
    assert relative(network(vectors["img"], vectors["c"]), vectors["d_logits"]) < 1e-5


@pytest.mark.parametrize(
    ("architecture", "taps", "c_dim", "conv_clamp"),
    [
        ("resnet", (1, 3, 3, 1), 3, 0.7),
        ("resnet", (1, 2, 4), 0, None),
        ("skip", (1, 3, 3, 1), 0, 0.7),
        ("skip", (1.0,), 2, None),
        ("orig", (1, 2, 3, 4, 5, 4, 3, 2), 0, None),
    ],
)
def test_values_and_penalty_gradients_are_what_the_plain_operations_give(
    monkeypatch, architecture, taps, c_dim, conv_clamp
):
    changes = {
        "architecture": architecture,
        "resample_filter": taps,
        "c_dim": c_dim,
        "conv_clamp": conv_clamp,
    }
    network = seeded(dataclasses.replace(SMALL, **changes)).double()
    pictures = torch.randn(4, 3, 16, 16, dtype=torch.float64, requires_grad=True)
    c = torch.randn(4, c_dim, dtype=torch.float64) if c_dim else None

    def logits_and_penalty():  # the R1 penalty of the paper takes the gradient of a squared gradient
        logits = network(pictures, c)
        (gradient,) = torch.autograd.grad(logits.sum(), pictures, create_graph=True)
        second = torch.autograd.grad(gradient.square().sum(), network.b16.conv0.weight)
        return [logits.detach(), gradient.detach(), *second]

    fast = logits_and_penalty()
    assert fast[0].shape == (4, 1)
    monkeypatch.setattr(ops, "upfirdn2d", ops.upfirdn2d_plain)
    monkeypatch.setattr(ops, "conv2d_resample", ops.conv2d_resample_plain)
    monkeypatch.setattr(ops, "bias_act", lambda x, inplace, **rest: ops.bias_act_plain(x, **rest))
    for a, b in zip(fast, logits_and_penalty(), strict=True):
        torch.testing.assert_close(a, b)


def test_parameters_are_those_of_the_architecture():
    def has(architecture, *names):
        state = Discriminator(dataclasses.replace(SMALL, architecture=architecture)).state_dict()
        return [f"{name}.weight" in state for name in names]

    names = ("b16.fromrgb", "b8.fromrgb", "b4.fromrgb", "b16.skip")
    assert has("resnet", *names) == [True, False, False, True]
    assert has("skip", *names) == [True, True, True, False]
    assert has("orig", *names) == [True, False, False, False]
    state = Discriminator(dataclasses.replace(SMALL, c_dim=3)).state_dict()
    assert state["b4.out.weight"].shape == (6, 6) and "mapping.embed.weight" in state
    assert "mapping.w_avg" not in state


@pytest.mark.parametrize("architecture", ["skip", "resnet", "orig"])
def test_half_precision_blocks_stay_close(monkeypatch, architecture):
    network = seeded(dataclasses.replace(SMALL, architecture=architecture, conv_clamp=256))
    pictures = torch.randn(4, 3, 16, 16)
    with torch.no_grad():
        full = network(pictures)
        monkeypatch.setattr(  # as it decides on an accelerator
            discriminator,
            "block_dtype",
            lambda resolution, config, weight: torch.float16 if resolution > 8 else torch.float32,
        )
        half = network(pictures)
    assert half.dtype == torch.float32 and 0 < relative(half, full) < 2e-2


@pytest.mark.parametrize(("group_size", "groups"), [(2, 3), (3, 2), (None, 1), (6, 1), (8, 1)])
def test_minibatch_std_appends_the_deviation_in_strided_groups(group_size, groups):
    x = torch.randn(6, 4, 2, 2, dtype=torch.float64)
    y = minibatch_std(x, group_size, 2)
    assert torch.equal(y[:, :4], x) and y.shape == (6, 6, 2, 2)
    for k in range(6):
        for channel, part in enumerate((slice(0, 2), slice(2, 4))):
            deviation = x[k % groups :: groups, part].std(dim=0, unbiased=False).mean()
            torch.testing.assert_close(
                y[k, 4 + channel], deviation.expand(2, 2), rtol=1e-6, atol=1e-6, check_dtype=False
            )


def test_a_logit_depends_on_its_group_only_through_the_deviation():
    network = seeded(dataclasses.replace(SMALL, mbstd_channels=0))
    pictures = torch.randn(4, 3, 16, 16)
    torch.testing.assert_close(network(pictures)[:1], network(pictures[:1]), rtol=1e-4, atol=1e-5)
    with_deviation = seeded(SMALL)
    assert not torch.allclose(with_deviation(pictures)[:1], with_deviation(pictures[:1]))


@pytest.mark.parametrize(
    ("pictures", "message"),
    [
        (torch.zeros(4, 3, 8, 8), r"\(batch, 3, 16, 16\).*\(4, 3, 8, 8\)"),
        (torch.zeros(3, 16, 16), "images"),
        (torch.zeros(4, 3, 16, 16, dtype=torch.uint8), "uint8"),
        (torch.zeros(6, 3, 16, 16), "batch of 6 .* groups of 4"),
    ],
)
def test_bad_pictures_are_named(pictures, message):
    with pytest.raises(ValueError, match=message):
        Discriminator(SMALL)(pictures)


def test_a_conditional_discriminator_needs_c():
    network = Discriminator(dataclasses.replace(SMALL, c_dim=3))
    with pytest.raises(ValueError, match="needs c"):
        network(torch.zeros(4, 3, 16, 16))
    with pytest.raises(ValueError, match=r"c must be float of shape \(4, 3\)"):
        network(torch.zeros(4, 3, 16, 16), torch.zeros(1, 3))
