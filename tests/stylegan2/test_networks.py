"""The generator: parity with recorded vectors, architectures against plain operations, its contract."""

import dataclasses
import math

import numpy as np
import pytest
import torch

import stylegan2
from stylegan2 import networks, ops
from stylegan2.config import GeneratorConfig
from stylegan2.networks import Generator
from stylegan2.sampling import style_mix, z_from_seeds

NET32 = GeneratorConfig(
    resolution=32,
    z_dim=48,
    w_dim=48,
    mapping_layers=3,
    channel_base=1024,
    channel_max=40,
    conv_clamp=256,
)
SMALL = GeneratorConfig(
    resolution=16, z_dim=8, w_dim=8, mapping_layers=2, channel_base=64, channel_max=6, fp16_resolutions=2
)


def arrays(path):
    with np.load(path) as file:
        return {name: torch.from_numpy(file[name]) for name in file.files}


def seeded(config, seed=0):
    """A generator whose noise strengths, biases and w_avg are not zero."""
    torch.manual_seed(seed)
    network = Generator(config).eval()
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if name.endswith(("noise_strength", ".bias", "w_avg")):
                value += 0.3 * torch.randn(value.shape)
    return network


def assert_parity(actual, expected, bound=1e-5):
    difference = float((actual.detach() - expected).abs().max() / expected.abs().max())
    assert difference < bound


@pytest.fixture(scope="module")
def net32(data):
    network = Generator(NET32).eval()
    network.load_state_dict(arrays(data / "net32_nvada_G_ema_state.npz"))  # strict: the names are the release's
    return network


@pytest.fixture(scope="module")
def net16cond(data):
    return stylegan2.load(data / "net16cond_nvada_stub.pkl")


@pytest.fixture(params=["net32", "net16cond"])
def recorded(request, data):
    vectors = arrays(data / f"{request.param}_io.npz")
    return request.getfixturevalue(request.param), vectors, vectors.get("c")


@torch.no_grad()
def test_parity_of_pictures(recorded):
    network, vectors, c = recorded
    assert_parity(network.mapping(vectors["z"], c), vectors["ws"])
    assert_parity(network(vectors["z"], c), vectors["img"])
    assert_parity(network(vectors["z"], c, noise_mode="none"), vectors["img_nonoise"])


@torch.no_grad()
@pytest.mark.parametrize(("name", "psi", "cutoff"), [("psi06", 0.6, None), ("psi05_cut3", 0.5, 3)])
def test_parity_of_truncation(recorded, name, psi, cutoff):
    network, vectors, c = recorded
    assert_parity(network.mapping(vectors["z"], c, psi=psi, cutoff=cutoff), vectors[f"ws_{name}"])
    assert_parity(network(vectors["z"], c, psi=psi, cutoff=cutoff), vectors[f"img_{name}"])


@torch.no_grad()
def test_parity_of_style_mixing(recorded):
    network, vectors, c = recorded
    ws = network.mapping(vectors["z"], c)
    mixed = style_mix(ws[0:1], ws[1:2], slice(4, None))
    assert_parity(mixed, vectors["ws_mix"])
    assert_parity(network.synthesis(mixed), vectors["img_mix"])


def test_parity_of_first_and_second_gradients(net32, data):
    vectors = arrays(data / "net32_io.npz")
    ws = vectors["ws"].requires_grad_()
    loss = (net32.synthesis(ws) * vectors["grad_direction"]).sum()
    (first,) = torch.autograd.grad(loss, ws, create_graph=True)
    (second,) = torch.autograd.grad(first.square().sum(), ws)
    assert_parity(first, vectors["grad_ws"], 1e-4)
    assert_parity(second, vectors["grad_of_squared_grad_ws"], 1e-4)


@pytest.mark.parametrize("grad", [False, True])
@pytest.mark.parametrize(
    ("architecture", "taps", "resolution", "conv_clamp", "use_noise"),
    [
        ("skip", (1, 3, 3, 1), 16, 0.7, True),
        ("skip", (1, 2, 1), 8, None, False),
        ("skip", (1, 1), 8, None, True),
        ("resnet", (1, 3, 3, 1), 16, 0.7, True),
        ("resnet", (1.0,), 8, None, True),
        ("orig", (1, 5, 10, 10, 5, 1), 16, 0.7, False),
        ("orig", (1, 2, 3, 4, 5, 4, 3, 2), 8, None, True),
    ],
)
def test_every_architecture_is_what_the_plain_operations_give(
    monkeypatch, architecture, taps, resolution, conv_clamp, use_noise, grad
):
    changes = {"architecture": architecture, "resample_filter": taps, "use_noise": use_noise}
    config = dataclasses.replace(SMALL, resolution=resolution, conv_clamp=conv_clamp, **changes)
    network = seeded(config).double().requires_grad_(grad)
    ws = torch.randn(2, config.num_ws, 8, dtype=torch.float64)
    fast = network.synthesis(ws).detach()
    assert fast.shape == (2, 3, resolution, resolution) and fast.dtype == torch.float64
    monkeypatch.setattr(ops, "upfirdn2d", ops.upfirdn2d_plain)
    monkeypatch.setattr(ops, "conv2d_resample", ops.conv2d_resample_plain)
    monkeypatch.setattr(ops, "modulated_conv2d", ops.modulated_conv2d_plain)
    monkeypatch.setattr(ops, "bias_act", lambda x, inplace, **rest: ops.bias_act_plain(x, **rest))
    torch.testing.assert_close(fast, network.synthesis(ws).detach())


def test_residual_block_is_the_mean_in_power_of_both_ways():
    network = seeded(dataclasses.replace(SMALL, resolution=8, architecture="resnet", conv_clamp=0.9)).double()
    block, x = network.synthesis.b8, torch.randn(2, 6, 4, 4, dtype=torch.float64)
    styles = {name: torch.randn(2, 6, dtype=torch.float64) for name in ("conv0", "conv1", "torgb")}
    y, _ = block(x, None, styles, "const", None)
    through = block.conv1(block.conv0(x, styles["conv0"], "const", None), styles["conv1"], "const", None)
    past = ops.conv2d_resample_plain(x, block.skip.weight / 6**0.5, block.skip.resample_filter, up=2)
    torch.testing.assert_close(y, (past + through) / 2**0.5)


def test_only_skip_networks_have_a_torgb_in_every_block():
    def torgbs(architecture):
        state = Generator(dataclasses.replace(SMALL, architecture=architecture)).state_dict()
        return [name for name in state if name.endswith("torgb.weight")], state

    assert len(torgbs("skip")[0]) == 3
    for architecture in ("resnet", "orig"):
        names, state = torgbs(architecture)
        assert names == ["synthesis.b16.torgb.weight"]
        assert ("synthesis.b8.skip.weight" in state) == (architecture == "resnet")
        assert "synthesis.b8.skip.bias" not in state


@pytest.mark.parametrize("resolution", [8, 64, 256])
def test_any_power_of_two_resolution(resolution):
    network = Generator(dataclasses.replace(SMALL, resolution=resolution, channel_base=512))
    assert network.num_ws == 2 * int(math.log2(resolution)) - 2
    with torch.no_grad():
        assert network(torch.randn(1, 8)).shape == (1, 3, resolution, resolution)


def test_filters_from_eight_taps_are_stored_as_taps():
    for taps, shape in (((1, 3, 3, 1), (4, 4)), ((1,) * 7, (7, 7)), ((1,) * 8, (8,))):
        state = Generator(dataclasses.replace(SMALL, resample_filter=taps)).state_dict()
        f = state["synthesis.b8.conv0.resample_filter"]
        assert tuple(f.shape) == shape and float(f.sum()) == pytest.approx(1)


@pytest.mark.parametrize("architecture", ["skip", "resnet", "orig"])
def test_half_precision_blocks_stay_close(monkeypatch, architecture):
    network = seeded(dataclasses.replace(SMALL, resolution=32, architecture=architecture, conv_clamp=256))
    ws, used = torch.randn(2, network.num_ws, 8), []
    with torch.no_grad():
        full = network.synthesis(ws)

        def block_dtype(resolution, config, weight):  # as it decides on an accelerator
            used.append(resolution)
            return torch.float16 if resolution > 8 else torch.float32

        monkeypatch.setattr(networks, "block_dtype", block_dtype)
        half = network.synthesis(ws)
    assert used == [4, 8, 16, 32] and half.dtype == torch.float32
    difference = float((half - full).abs().max() / full.abs().max())
    assert 0 < difference < 2e-2


def test_the_cpu_ignores_fp16_resolutions(tiny):
    ws = tiny.mapping(z_from_seeds([1], tiny.z_dim))
    half = Generator(dataclasses.replace(tiny.config, fp16_resolutions=4)).eval()
    half.load_state_dict(tiny.state_dict())
    with torch.no_grad():
        assert torch.equal(half.synthesis(ws), tiny.synthesis(ws))
    assert half.fingerprint == tiny.fingerprint


def test_a_picture_does_not_depend_on_its_batch_or_on_autograd(tiny):
    ws = tiny.mapping(z_from_seeds([1, 2, 3], tiny.z_dim))
    kept = ws.clone()
    together = tiny.synthesis(ws)
    for k in range(3):
        torch.testing.assert_close(tiny.synthesis(ws[k : k + 1])[0], together[k], rtol=1e-5, atol=1e-4)
    recorded = tiny.synthesis(ws.clone().requires_grad_()).detach()
    torch.testing.assert_close(recorded, together, rtol=1e-5, atol=1e-4)
    assert torch.equal(ws, kept) and torch.equal(tiny.synthesis(ws), together)
    assert together.is_contiguous() and tiny.synthesis(ws[:0]).shape == (0, 3, 16, 16)


def test_random_noise_follows_its_generator(tiny):
    ws = tiny.mapping(z_from_seeds([1, 2], tiny.z_dim))

    def render(rng):
        return tiny.synthesis(ws, noise_mode="random", rng=rng)

    state = torch.get_rng_state()
    first = render(3)
    assert torch.equal(torch.get_rng_state(), state), "a seed must leave the global generator alone"
    assert torch.equal(first, render(3))
    assert torch.equal(first, render(torch.Generator().manual_seed(3)))
    assert not torch.equal(first, render(4))
    assert not torch.equal(render(None), render(None))
    same_w = tiny.synthesis(ws[:1].expand(2, -1, -1), noise_mode="random", rng=3)
    assert not torch.equal(same_w[0], same_w[1]), "each picture has noise of its own"


def test_noise_is_added_at_its_strength():
    network = seeded(dataclasses.replace(SMALL, resolution=8)).requires_grad_(False)
    layer, x, style = network.synthesis.b8.conv0, torch.zeros(4000, 6, 4, 4), torch.ones(4000, 6)
    layer.bias.zero_()
    y = layer(x, style, "random", torch.Generator().manual_seed(0))
    y = torch.where(y > 0, y, y * 5) / 2**0.5  # undo the activation
    assert float(y.std()) == pytest.approx(abs(float(layer.noise_strength)), rel=0.02)
    assert float(layer(x, style, "none", None).abs().max()) == 0


def test_styles_render_as_their_ws_do(tiny):
    ws = tiny.mapping(z_from_seeds([1, 2], tiny.z_dim))
    styles = tiny.synthesis.styles(ws)
    assert list(styles) == [
        *("b4.conv1", "b4.torgb", "b8.conv0", "b8.conv1", "b8.torgb"),
        *("b16.conv0", "b16.conv1", "b16.torgb"),
    ]
    rows = [0, 1, 1, 2, 3, 3, 4, 5]
    for row, (name, style) in zip(rows, styles.items(), strict=True):
        affine = tiny.get_submodule(f"synthesis.{name}.affine")
        expected = ws[:, row] @ affine.weight.T / tiny.w_dim**0.5 + affine.bias
        torch.testing.assert_close(style, expected, rtol=1e-5, atol=1e-4)
    picture = tiny.synthesis(ws)
    assert torch.equal(tiny.synthesis.from_styles(styles), picture)
    styles["b16.conv1"] = styles["b16.conv1"] + 1
    assert not torch.equal(tiny.synthesis.from_styles(styles), picture)


def test_w_avg_moves_only_when_told():
    network = seeded(SMALL).train()
    before, w = network.w_avg.clone(), torch.randn(5, 8)
    network(torch.randn(5, 8))
    assert torch.equal(network.w_avg, before)
    network.mapping.update_w_avg(w)
    torch.testing.assert_close(network.w_avg, 0.995 * before + 0.005 * w.mean(0))


def test_z_counts_by_direction_and_truncation_reaches_w_avg(tiny):
    z = z_from_seeds([1, 2], tiny.z_dim)
    torch.testing.assert_close(tiny.mapping(3 * z), tiny.mapping(z), rtol=1e-4, atol=1e-5)
    assert torch.equal(tiny.mapping(z, psi=0.0), tiny.w_avg.expand(2, tiny.num_ws, -1))
    assert torch.equal(tiny.mapping(z, psi=0.3, cutoff=2)[:, 2:], tiny.mapping(z)[:, 2:])


def test_a_condition_changes_w():
    network = seeded(dataclasses.replace(SMALL, c_dim=3))
    z, c = torch.randn(1, 8).expand(3, -1), torch.eye(3)
    ws = network.mapping(z, c)
    assert not torch.allclose(ws[0], ws[1])
    torch.testing.assert_close(network.mapping(z[:1], c[1:2])[0], ws[1])
    only_c = seeded(dataclasses.replace(SMALL, z_dim=0, c_dim=3))
    assert only_c.mapping(None, c).shape == (3, network.num_ws, 8)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda G: G(torch.randn(2, 7)), r"z must .*\(batch, 32\).*\(2, 7\)"),
        (lambda G: G(torch.randn(32)), r"z must"),
        (lambda G: G(torch.ones(2, 32, dtype=torch.long)), r"z must be float.*int64"),
        (lambda G: G(None), r"needs z"),
        (lambda G: G(np.zeros((2, 32))), r"needs z.*ndarray"),
        (lambda G: G(torch.randn(2, 32), torch.eye(2)), r"not conditional"),
        (lambda G: G(torch.randn(2, 32), psi=math.nan), r"psi must be a finite number, not nan"),
        (lambda G: G(torch.randn(2, 32), cutoff=7), r"cutoff .*0 … 6.*7"),
        (lambda G: G(torch.randn(2, 32), cutoff=-1), r"cutoff"),
        (lambda G: G(torch.randn(2, 32), noise_mode="loud"), r"noise_mode .*'loud'"),
        (lambda G: G.synthesis(torch.randn(2, 5, 32)), r"ws must .*\(batch, 6, 32\).*\(2, 5, 32\)"),
        (lambda G: G.synthesis(torch.randn(2, 32)), r"ws must"),
        (lambda G: G.synthesis(torch.ones(2, 6, 32, dtype=torch.int32)), r"ws must be float.*int32"),
        (lambda G: G.synthesis.from_styles({"b4.conv1": torch.ones(2, 16)}), r"missing or unknown: b16"),
        (
            lambda G: G.synthesis.from_styles(without_channel(G)),
            r"style b8.conv1 must .*\(1, 16\).*\(1, 15\)",
        ),
    ],
)
def test_bad_input_is_named(tiny, call, message):
    with pytest.raises(ValueError, match=message):
        call(tiny)


def without_channel(network):
    styles = network.synthesis.styles(network.mapping(z_from_seeds([1], network.z_dim)))
    return {**styles, "b8.conv1": styles["b8.conv1"][:, 1:]}


@pytest.mark.parametrize(("c", "message"), [(None, "needs c"), (torch.eye(2), "c must"), (torch.eye(3)[:1], "c must")])
def test_a_conditional_network_checks_c(c, message):
    network = Generator(dataclasses.replace(SMALL, c_dim=3))
    with pytest.raises(ValueError, match=message):
        network(torch.randn(2, 8), c)


def test_fingerprint_follows_weights_and_settings():
    a, b = seeded(SMALL, 0), seeded(SMALL, 1)
    first = a.fingerprint
    assert first != b.fingerprint and len(first) == 64
    b.load_state_dict(a.state_dict())
    assert b.fingerprint == first, "not stale after loading"
    b.synthesis.b8.conv1.weight.data[0, 0, 0, 0] += 1
    assert b.fingerprint != first, "not stale after a change that autograd cannot see"

    def with_settings(**changes):
        network = Generator(dataclasses.replace(SMALL, **changes))
        network.load_state_dict(a.state_dict())
        return network.fingerprint

    assert with_settings(fp16_resolutions=0, w_avg_beta=0.5) == first
    assert with_settings(mapping_lr_multiplier=0.02) != first
    assert with_settings(conv_clamp=256) == with_settings(conv_clamp=256.0) != first


def test_fingerprint_is_of_values_not_of_memory():
    a = {"x": torch.arange(6.0).reshape(2, 3), "n": torch.tensor(3)}
    same = {"n": torch.tensor(3), "x": torch.arange(6.0).reshape(2, 3).T.contiguous().T}
    digest = stylegan2.fingerprint.fingerprint
    assert digest({"k": 1, "l": None}, a) == digest({"l": None, "k": 1}, same)
    assert digest({}, a) != digest({}, {**a, "x": a["x"].reshape(3, 2)})
    assert digest({}, a) != digest({}, {**a, "x": a["x"].double()})
