"""The mobile generator on tiny seeded networks: rows, gradients, noise, the wavelet, its files."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import stylegan2
from stylegan2.mobile import MobileConfig, MobileGenerator, haar_matrix, inverse_haar, modulate
from stylegan2.sampling import z_from_seeds

CONFIG = MobileConfig(
    resolution=32, z_dim=16, w_dim=12, mapping_layers=2, channel_base=256, channel_max=32
)  # 32, 32, 16 channels at 4, 8, 16
ROWS = {
    "b4": 0, "b8.up": 1, "b8.conv0": 1, "b8.conv1": 2,
    "b16.up": 3, "b16.conv0": 3, "b16.conv1": 4, "toimg": 5,
}  # fmt: skip


def make_mobile(config: MobileConfig = CONFIG) -> MobileGenerator:
    """Seeded, with nothing trivial in it: biases, noise strengths and w_avg are all non-zero."""
    rng = torch.Generator().manual_seed(5)
    network = MobileGenerator(config).eval().requires_grad_(False)
    for name, value in sorted(network.state_dict().items()):
        scale = 0.3 if name.endswith(("noise_strength", "bias", "w_avg")) else 1.0
        value.copy_(scale * torch.randn(value.shape, generator=rng))
        if name.endswith(("affine.bias", "up.bias")):
            value += 1
    return network


def assert_near(a: torch.Tensor, b: torch.Tensor) -> None:
    """Within 1e-5 of the largest value: another batch or layout may sum in another order."""
    torch.testing.assert_close(a, b, rtol=0, atol=1e-5 * float(b.abs().max()))


@pytest.fixture(scope="module")
def mobile() -> MobileGenerator:
    """Nobody writes to it."""
    return make_mobile()


@pytest.fixture
def ws() -> torch.Tensor:
    """W+: every row another one."""
    return torch.randn(3, CONFIG.num_ws, CONFIG.w_dim, generator=torch.Generator().manual_seed(1))


# --- shapes and rows ----------------------------------------------------------------------------------------


def test_shapes(mobile):
    assert (mobile.num_ws, mobile.resolution, mobile.resolutions, mobile.c_dim) == (6, 32, (32,), 0)
    z = z_from_seeds([0, 1, 2], mobile.z_dim)
    ws = mobile.mapping(z)
    assert ws.shape == (3, 6, 12)
    pictures = mobile.synthesis(ws)
    assert pictures.shape == (3, 3, 32, 32)
    assert pictures.std() > 0.01
    torch.testing.assert_close(mobile(z), pictures, rtol=0, atol=0)
    torch.testing.assert_close(mobile.synthesis(ws, resolution=32), pictures, rtol=0, atol=0)


def test_truncation_leads_to_the_mean(mobile):
    z = z_from_seeds([0, 1], mobile.z_dim)
    torch.testing.assert_close(mobile.mapping(z, psi=0.0), mobile.w_avg.expand(2, 6, 12))
    half = (mobile.mapping(z) + mobile.w_avg) / 2
    assert_near(mobile(z, psi=0.5), mobile.synthesis(half))


@pytest.mark.parametrize("row", range(6))
def test_a_row_is_that_of_its_layers(mobile, ws, row):
    moved = ws.clone()
    moved[:, row] += 1
    before, after = mobile.synthesis.styles(ws), mobile.synthesis.styles(moved)
    assert list(before) == list(ROWS)
    for name, own in ROWS.items():
        assert torch.equal(before[name], after[name]) == (own != row), name


@pytest.mark.parametrize("row", range(6))
def test_a_row_changes_the_features_of_its_layers_and_later_ones(mobile, ws, row):
    layers = {name: own for name, own in ROWS.items() if not name.endswith(".up")}

    def outputs(codes: torch.Tensor) -> dict[str, torch.Tensor]:
        kept: dict[str, torch.Tensor] = {}
        hooks = [
            mobile.synthesis.get_submodule(name).register_forward_hook(
                lambda module, args, result, name=name: kept.update({name: result.clone()})
            )
            for name in layers
        ]
        mobile.synthesis(codes)
        for hook in hooks:
            hook.remove()
        return kept

    moved = ws.clone()
    moved[:, row] += 1
    before, after = outputs(ws), outputs(moved)
    for name, own in layers.items():
        assert torch.equal(before[name], after[name]) == (own < row), name


def test_rows_stand_for_the_resolutions_they_have_in_stylegan2(tiny):
    codes = torch.randn(1, tiny.num_ws, tiny.w_dim, generator=torch.Generator().manual_seed(2))
    for row in range(4):
        moved = codes.clone()
        moved[:, row] += 1
        before, after = tiny.synthesis.styles(codes), tiny.synthesis.styles(moved)
        changed = {name for name in before if not torch.equal(before[name], after[name])}
        theirs = {"b4" if name == "b4.conv1" else name for name in changed if "torgb" not in name}
        assert theirs == {n for n, own in ROWS.items() if own == row and not n.endswith(".up")}


def test_a_batch_is_its_single_pictures(mobile, ws):
    singles = torch.cat([mobile.synthesis(one[None]) for one in ws])
    assert_near(mobile.synthesis(ws), singles)
    assert mobile.synthesis(ws[:0]).shape == (0, 3, 32, 32)


def test_styles_render_the_same(mobile, ws):
    styles = mobile.synthesis.styles(ws)
    kept = {name: style.clone() for name, style in styles.items()}
    for _ in range(2):
        assert torch.equal(mobile.synthesis.from_styles(styles), mobile.synthesis(ws))
    for name, style in styles.items():
        assert torch.equal(style, kept[name]), name


@pytest.mark.parametrize("recorded", [False, True])
def test_features_keep_their_type_whatever_that_of_a_style_is(recorded):
    """A product of bfloat16 and float32 would be many times as slow, and twice as large where gradients are kept."""
    x = torch.ones(1, 4, 2, 2, dtype=torch.bfloat16)
    style = torch.full((1, 4), 2.0, requires_grad=recorded)
    made = modulate(x, style)
    assert made.dtype is torch.bfloat16 and (made == 2).all()


def test_one_style_changes_the_picture(mobile, ws):
    picture = mobile.synthesis(ws)
    for name in ROWS:
        styles = mobile.synthesis.styles(ws)
        styles[name] = styles[name] * 1.5
        assert not torch.equal(mobile.synthesis.from_styles(styles), picture), name


# --- gradients ----------------------------------------------------------------------------------------------


def test_with_and_without_gradients_the_same(mobile, ws):
    before = {name: value.clone() for name, value in mobile.state_dict().items()}
    kept = ws.clone()
    pictures = []
    for _ in range(2):
        with torch.no_grad():
            pictures.append(mobile.synthesis(ws))
        with torch.inference_mode():
            pictures.append(mobile.synthesis(ws).clone())
        pictures.append(mobile.synthesis(ws.clone().requires_grad_()).detach())
    for picture in pictures[1:]:
        assert_near(picture, pictures[0])
    assert torch.equal(ws, kept)
    for name, value in mobile.state_dict().items():
        assert torch.equal(value, before[name]), name


@pytest.mark.parametrize("noise_mode", ["const", "none"])
def test_gradients_reach_ws(noise_mode):
    config = MobileConfig(resolution=16, z_dim=4, w_dim=3, mapping_layers=1, channel_base=64, channel_max=8)
    mobile = make_mobile(config).double()
    rng = torch.Generator().manual_seed(3)
    ws = torch.randn(1, config.num_ws, 3, generator=rng, dtype=torch.float64).requires_grad_()
    weights = torch.randn(3, 16, 16, generator=rng, dtype=torch.float64)

    def projected(codes: torch.Tensor) -> torch.Tensor:
        return (mobile.synthesis(codes, noise_mode=noise_mode) * weights).sum()

    (gradient,) = torch.autograd.grad(projected(ws), ws)
    step = 1e-6
    for row in range(config.num_ws):
        for column in range(3):
            shift = torch.zeros_like(ws)
            shift[0, row, column] = step
            with torch.no_grad():
                slope = (projected(ws + shift) - projected(ws - shift)) / (2 * step)
            assert slope != 0
            torch.testing.assert_close(gradient[0, row, column], slope, rtol=1e-6, atol=1e-6)


def test_gradients_reach_the_weights(ws):
    mobile = make_mobile().requires_grad_()
    mobile(z_from_seeds([0, 1], CONFIG.z_dim)).square().sum().backward()
    for name, parameter in mobile.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


# --- the wavelet --------------------------------------------------------------------------------------------


def plain_inverse_haar(x: np.ndarray) -> np.ndarray:
    """The formula, pixel by pixel: 2×2 pixels are (LL ± LH ± HL ± HH) / 2."""
    b, c, h, w = x.shape
    low, rows, columns, both = np.split(x, 4, axis=1)
    result = np.empty((b, c // 4, 2 * h, 2 * w), x.dtype)
    for dy in (0, 1):
        for dx in (0, 1):
            v, u = (-1) ** dy, (-1) ** dx
            result[:, :, dy::2, dx::2] = (low + v * rows + u * columns + u * v * both) / 2
    return result


SIDE = st.integers(1, 6)


@given(st.integers(1, 3), st.integers(1, 5), SIDE, SIDE, st.booleans(), st.integers(0, 99))
def test_the_wavelet_is_its_formula(b, c, h, w, channels_last, seed):
    x = torch.randn(b, 4 * c, h, w, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    if channels_last:
        x = x.contiguous(memory_format=torch.channels_last)
    kept = x.clone()
    y = inverse_haar(x)
    assert y.shape == (b, c, 2 * h, 2 * w)
    np.testing.assert_allclose(y.numpy(), plain_inverse_haar(x.numpy()), atol=1e-12)
    torch.testing.assert_close(y.square().sum(), x.square().sum())  # orthogonal: it keeps the energy
    assert torch.equal(x, kept)


def test_the_matrix_of_the_wavelet_is_orthogonal():
    matrix = haar_matrix(torch.float64)
    assert torch.equal(matrix @ matrix.T, torch.eye(4, dtype=torch.float64))


# --- the preview --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def previewing() -> MobileGenerator:
    """As `mobile`, with a preview head of random numbers: 16² out of the 8² features."""
    return make_mobile(replace(CONFIG, preview_resolution=16))


def test_the_preview_is_its_formula(previewing, ws):
    """Pixels = (K0 + K1 u + K2 u v) * features + colour(w), by loops over pictures and taps."""
    synthesis, head = previewing.synthesis, previewing.synthesis.preview
    styles = synthesis.styles(ws)
    x = torch.nn.functional.pad(synthesis.features(styles, 8, "const", None), (1, 1, 1, 1))  # (b, 32, 10, 10)
    up, conv = styles["b16.up"], styles["b16.conv0"]
    row = ROWS["b16.conv0"]
    expected = torch.zeros(3, 3, 16, 16)
    for k in range(3):
        plain, once, twice = head.kernels.unflatten(0, (3, 12))
        kernel = plain + once * up[k, :, None, None]
        kernel = kernel + twice * (up[k] * torch.cat([conv[k]] * 4))[:, None, None]
        blocks = (head.colour @ ws[k, row] + head.bias)[:, None, None].repeat(1, 8, 8)  # (12, 8, 8)
        for dy in range(3):
            for dx in range(3):
                blocks += torch.einsum("oi,ihw->ohw", kernel[:, :, dy, dx], x[k, :, dy : dy + 8, dx : dx + 8])
        for n in range(12):  # colour by colour, each the four pixels of a block
            expected[k, n // 4, (n % 4) // 2 :: 2, n % 2 :: 2] = blocks[n]
    assert_near(synthesis(ws, resolution=16), expected)


def test_the_preview_does_without_the_layers_it_stands_for(previewing, ws):
    assert previewing.resolutions == (16, 32)
    ran: list[str] = []
    blocks = {
        "b8": previewing.synthesis.b8,
        "b16": previewing.synthesis.b16,
        "toimg": previewing.synthesis.toimg,
    }
    hooks = [
        block.register_forward_hook(lambda module, args, result, name=name: ran.append(name))
        for name, block in blocks.items()
    ]
    previewing.synthesis(ws, resolution=16)
    for hook in hooks:
        hook.remove()
    assert ran == ["b8"]
    moved = ws.clone()
    moved[:, 4:] += 1  # rows of b16.conv1 and toimg
    assert torch.equal(previewing.synthesis(ws, resolution=16), previewing.synthesis(moved, resolution=16))


def test_the_preview_head_changes_nothing_else(previewing, mobile, ws):
    assert [name for name in previewing.state_dict() if name not in mobile.state_dict()] == [
        f"synthesis.preview.{name}" for name in ("kernels", "colour", "bias")
    ]
    bare = MobileGenerator(CONFIG).eval()
    bare.load_state_dict({n: v for n, v in previewing.state_dict().items() if ".preview." not in n})
    assert bare.fingerprint == previewing.fingerprint
    with torch.no_grad():
        assert torch.equal(bare.synthesis(ws), previewing.synthesis(ws))
    assert torch.equal(previewing.synthesis(ws, resolution=32), previewing.synthesis(ws))
    with pytest.raises(ValueError, match="renders at .*16, 32.*not at 8"):
        previewing.synthesis(ws, resolution=8)


def test_the_preview_head_is_saved(previewing, ws, tmp_path):
    stylegan2.save(previewing, tmp_path / "mobile.safetensors")
    loaded = stylegan2.load(tmp_path / "mobile.safetensors")
    assert loaded.resolutions == (16, 32)
    assert torch.equal(loaded.synthesis(ws, resolution=16), previewing.synthesis(ws, resolution=16))


def test_gradients_go_through_the_preview(previewing, ws):
    codes = ws.clone().requires_grad_()
    picture = previewing.synthesis(codes, resolution=16)
    assert_near(picture.detach(), previewing.synthesis(ws, resolution=16))
    (gradient,) = torch.autograd.grad(picture.square().sum(), codes)
    assert [bool(gradient[:, row].abs().max() > 0) for row in range(6)] == [True] * 4 + [False] * 2


# --- noise --------------------------------------------------------------------------------------------------


def test_noise_modes(mobile, ws):
    def render(mode, rng=None):
        return mobile.synthesis(ws, noise_mode=mode, rng=rng)

    const, none = render("const"), render("none")
    assert torch.equal(render("const"), const)
    assert not torch.allclose(const, none)
    assert torch.equal(render("random", 1), render("random", 1))
    assert torch.equal(render("random", 1), render("random", torch.Generator().manual_seed(1)))
    different = [const, none, render("random", 1), render("random", 2), render("random")]
    for k, picture in enumerate(different):
        for other in different[k + 1 :]:
            assert not torch.allclose(picture, other)
    same = ws[:1].expand(2, -1, -1)
    assert not torch.allclose(*mobile.synthesis(same, noise_mode="random", rng=1))
    assert_near(*mobile.synthesis(same, noise_mode="const"))


def test_a_generator_goes_on(mobile, ws):
    rng = torch.Generator().manual_seed(1)
    first, second = (mobile.synthesis(ws, noise_mode="random", rng=rng) for _ in range(2))
    assert not torch.allclose(first, second)


def test_no_noise_is_strength_zero(mobile, ws):
    silent = copy.deepcopy(mobile)
    for name, value in silent.state_dict().items():
        if name.endswith("noise_strength"):
            value.zero_()
    assert_near(silent.synthesis(ws), mobile.synthesis(ws, noise_mode="none"))


# --- bad input ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 5, 12), (1, 7, 12), (1, 6, 11), (6, 12), (1, 1, 6, 12), (0,)])
def test_ws_of_another_shape_are_refused(mobile, shape):
    with pytest.raises(ValueError, match=r"\(batch, 6, 12\)"):
        mobile.synthesis(torch.zeros(shape))


@pytest.mark.parametrize("resolution", [16, 64, 1024, 0, -32])
def test_another_resolution_is_refused(mobile, ws, resolution):
    with pytest.raises(ValueError, match=f"32.*not at {resolution}"):
        mobile.synthesis(ws, resolution=resolution)


def test_an_unknown_noise_mode_is_refused(mobile, ws):
    with pytest.raises(ValueError, match="'const', 'random' or 'none', not 'loud'"):
        mobile.synthesis(ws, noise_mode="loud")


@pytest.mark.parametrize("resolution", [0, 1, 8, 24, 33, -16])
def test_resolutions_out_of_range_are_refused(resolution):
    with pytest.raises(ValueError, match=f"not {resolution}"):
        MobileConfig(resolution=resolution)


@pytest.mark.parametrize("preview", [0, 8, 17, 20, 32, 64, -16])
def test_previews_out_of_range_are_refused(preview):
    with pytest.raises(ValueError, match="preview_resolution"):
        MobileConfig(resolution=32, preview_resolution=preview)


@given(st.integers(4, 12))
def test_rows_and_blocks_of_every_resolution(exponent):
    config = MobileConfig(resolution=2**exponent)
    blocks = config.block_resolutions
    assert blocks == [2**k for k in range(3, exponent)]
    assert config.num_ws == 2 * len(blocks) + 2
    assert all(config.channels(r) == min(512, 32768 // r) for r in blocks)


# --- files --------------------------------------------------------------------------------------------------


def test_save_and_load(mobile, ws, tmp_path):
    stylegan2.save(mobile, tmp_path / "mobile.safetensors")
    loaded = stylegan2.load(tmp_path / "mobile.safetensors")
    assert isinstance(loaded, MobileGenerator)
    assert loaded.config == mobile.config
    assert loaded.fingerprint == mobile.fingerprint
    assert torch.equal(loaded.synthesis(ws), mobile.synthesis(ws))
    assert torch.equal(loaded.w_avg, mobile.w_avg)
    assert not loaded.training and not any(p.requires_grad for p in loaded.parameters())


def test_the_fingerprint_tells_networks_apart(mobile):
    assert mobile.fingerprint == make_mobile().fingerprint
    for name in ("synthesis.const", "synthesis.b16.conv1.noise_const", "mapping.w_avg", "mapping.fc1.bias"):
        other = copy.deepcopy(mobile)
        other.state_dict()[name].view(-1)[0] += 1
        assert other.fingerprint != mobile.fingerprint, name
