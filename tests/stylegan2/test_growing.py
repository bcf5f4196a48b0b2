"""Progressive GAN and StyleGAN: recorded images, plain operations, levels of detail, gradients, their contracts."""

import dataclasses

import numpy as np
import pytest
import torch

import stylegan2
from stylegan2.growing import GrowingDiscriminator, GrowingDiscriminatorConfig
from stylegan2.progressive import ProgressiveConfig, ProgressiveGenerator
from stylegan2.sampling import style_mix, z_from_seeds
from stylegan2.stylegan1 import StyleGANConfig, StyleGANGenerator
from tests.stylegan2 import growing_files as files

STYLEGAN = StyleGANConfig(16, z_dim=6, w_dim=5, hidden_dim=7, mapping_layers=2, channel_base=64, channel_max=6)
PROGRESSIVE = ProgressiveConfig(16, z_dim=6, channel_base=64, channel_max=6)
FILES = ["genforce.pth", "tf.pkl"]


def vectors(path):
    with np.load(path) as file:
        return {name: torch.from_numpy(file[name]) for name in file.files}


def seeded(network):
    """The network with noise strengths, biases and w_avg that are not zero."""
    rng = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if name.endswith(("noise_strength", "bias", "w_avg")):
                value += 0.3 * torch.randn(value.shape, generator=rng)
    return network.eval()


@pytest.fixture
def stylegan():
    torch.manual_seed(0)
    return seeded(StyleGANGenerator(STYLEGAN))


@pytest.fixture
def progressive():
    torch.manual_seed(0)
    return seeded(ProgressiveGenerator(PROGRESSIVE))


def assert_parity(actual, expected, bound=1e-5):
    assert actual.shape == expected.shape
    assert float((actual.detach() - expected).abs().max() / expected.abs().max()) < bound


# Recorded vectors


@torch.no_grad()
@pytest.mark.parametrize("file", FILES)
def test_recorded_images_of_stylegan(data, file):
    io, network = vectors(data / "stylegan32_io.npz"), stylegan2.load(data / f"stylegan32_{file}")
    ws = network.mapping(io["z"])
    assert_parity(ws[:, 0], io["w"])
    assert_parity(ws, io["ws"])
    assert_parity(network(io["z"]), io["img"])
    assert_parity(network.mapping(io["z"], psi=0.7, cutoff=4), io["ws_psi07_cut4"])
    assert_parity(network(io["z"], psi=0.7, cutoff=4), io["img_psi07_cut4"])
    mixed = style_mix(ws[0:1], ws[1:2], [k for k in range(8) if torch.equal(io["ws_mix"][0, k], io["ws"][1, k])])
    assert_parity(network.synthesis(io["ws_mix"]), io["img_mix"])
    assert_parity(mixed, io["ws_mix"][:1])
    for k, (name, style) in enumerate(network.synthesis.styles(ws).items()):
        assert_parity(style, io[f"style{k:02d}"])
        assert name == f"b{4 << k // 2}.conv{k % 2}"
    network.lod = 0.5
    assert_parity(network(io["z"]), io["img_lod05"])


@torch.no_grad()
@pytest.mark.parametrize("file", FILES)
def test_recorded_images_of_progressive_gan(data, file):
    io, network = vectors(data / "pggan32_io.npz"), stylegan2.load(data / f"pggan32_{file}")
    for lod, name in ((0, "img"), (0.5, "img_lod05"), (1, "img_lod1"), (1.5, "img_lod15")):
        network.lod = lod
        assert_parity(network(io["z"]), io[name])


# Plain operations


@torch.no_grad()
@pytest.mark.parametrize("lod", [0, 0.25, 1, 2.5, 3])
def test_levels_of_detail_are_what_the_plain_operations_give(tmp_path, lod):
    z = z_from_seeds(range(2), files.Z)
    state = files.stylegan(32) | {"synthesis.lod": torch.tensor(float(lod))}
    torch.save({"generator_smooth": state}, tmp_path / "x.pth")
    network = stylegan2.load(tmp_path / "x.pth")
    assert network.lod == lod
    ws = files.map_stylegan(state, z)[:, None].repeat(1, 8, 1)
    assert_parity(network(z), files.render_stylegan(state, ws, 128, lod))
    state = files.progressive(32, False) | {"lod": torch.tensor(float(lod))}
    torch.save({"generator_smooth": state}, tmp_path / "x.pth")
    assert_parity(stylegan2.load(tmp_path / "x.pth")(z), files.render_progressive(state, z, False, lod))


@torch.no_grad()
@pytest.mark.parametrize("blur", [False, True])
@pytest.mark.parametrize("lod", [0, 0.25, 1, 1.5, 2])
def test_discriminators_are_what_the_plain_operations_give(tmp_path, blur, lod):
    state = files.discriminator(16, blur) | {"lod": torch.tensor(float(lod))}
    torch.save({"discriminator": state}, tmp_path / "x.pth")
    network = stylegan2.load(tmp_path / "x.pth", "D")
    assert network.config.blur is blur and network.lod == lod
    images = torch.randn(6, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    with pytest.raises(ValueError, match="batch of 6 does not divide"):
        network(images)
    assert_parity(network(images[:3]), files.score(state, images[:3], blur, 3, lod))
    images = torch.cat([images, images[:2] + 1])
    assert_parity(network(images), files.score(state, images, blur, 4, lod))


@pytest.mark.parametrize("lod", [0.0, 0.5])
def test_gradients_are_those_of_finite_differences(stylegan, progressive, lod):
    z = z_from_seeds(range(2), 6).double().requires_grad_()
    for network in (stylegan.double(), progressive.double()):
        network.lod = lod
        assert torch.autograd.gradcheck(network, (z,), fast_mode=True)
        assert torch.autograd.gradgradcheck(network, (z,), fast_mode=True)
    ws = stylegan.mapping(z).detach().requires_grad_()
    assert torch.autograd.gradcheck(stylegan.synthesis, (ws,), fast_mode=True)


@pytest.mark.parametrize("blur", [False, True])
def test_gradients_of_discriminators_are_those_of_finite_differences(blur):
    torch.manual_seed(0)
    config = GrowingDiscriminatorConfig(8, blur, channel_base=32, channel_max=4, lod=0.5)
    network = seeded(GrowingDiscriminator(config)).double()
    images = torch.randn(3, 3, 8, 8, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(network, (images,), fast_mode=True)
    assert torch.autograd.gradgradcheck(network, (images,), fast_mode=True)


# Contracts


@torch.no_grad()
def test_noise_modes_of_stylegan(stylegan):
    z = z_from_seeds(range(2), 6)
    const, none = stylegan(z), stylegan(z, noise_mode="none")
    random = stylegan(z, noise_mode="random", rng=0)
    assert torch.equal(random, stylegan(z, noise_mode="random", rng=0))
    assert not torch.allclose(random, stylegan(z, noise_mode="random", rng=1))
    assert not torch.allclose(random, const) and not torch.allclose(none, const)
    with pytest.raises(ValueError, match="noise_mode must be"):
        stylegan(z, noise_mode="some")


@torch.no_grad()
def test_stylegan_renders_styles(stylegan):
    ws = stylegan.mapping(z_from_seeds(range(2), 6))
    styles = stylegan.synthesis.styles(ws)
    assert_parity(stylegan.synthesis.from_styles(styles), stylegan.synthesis(ws))
    assert {name: style.shape[1] for name, style in styles.items()}["b16.conv1"] == 2 * STYLEGAN.channels(16)
    del styles["b8.conv0"]
    with pytest.raises(ValueError, match=r"missing or unknown: b8\.conv0"):
        stylegan.synthesis.from_styles(styles)
    with pytest.raises(ValueError, match=r"ws must be float of shape \(batch, 6, 5\)"):
        stylegan.synthesis(ws[:, :4])


@torch.no_grad()
def test_a_progressive_gan_has_no_w(progressive):
    z = z_from_seeds(range(2), 6)
    assert (progressive.num_ws, progressive.w_dim, progressive.w_avg.shape) == (0, 0, (0,))
    assert torch.equal(progressive.mapping(z), z)
    assert torch.equal(progressive.synthesis(z), progressive(z))
    assert_parity(progressive(3 * z), progressive(z))  # z is normalised
    assert torch.equal(progressive(z, noise_mode="none"), progressive(z))  # it has no noise
    for refused in ({"psi": 0.7}, {"cutoff": 2}, {"truncation_psi": 0.5}):
        with pytest.raises(ValueError, match="a Progressive GAN has no W: its codes are z"):
            progressive(z, **refused)
    with pytest.raises(ValueError, match=r"z must be float of shape \(batch, 6\)"):
        progressive.synthesis(z[:, :4])
    with pytest.raises(ValueError, match="not conditional"):
        progressive(z, torch.ones(2, 3))


@torch.no_grad()
def test_half_precision_keeps_the_image(stylegan, progressive):
    z = z_from_seeds(range(2), 6)
    for network in (stylegan, progressive):
        expected = network(z)
        network.synthesis.compute_dtype = torch.bfloat16
        image = network(z)
        assert image.dtype == torch.float32 and not torch.equal(image, expected)
        assert_parity(image, expected, 0.1)


@torch.no_grad()
def test_growing_changes_fingerprint_and_image(stylegan, progressive):
    z = z_from_seeds(range(2), 6)
    for network in (stylegan, progressive):
        before, image = network.fingerprint, network(z)
        network.lod = 1
        assert network.fingerprint != before and network(z).shape == image.shape
        assert torch.equal(network(z)[:, :, ::2, ::2], network(z)[:, :, 1::2, 1::2])  # of half the resolution
        with pytest.raises(ValueError, match=r"lod must be a finite number from 0 to 2"):
            network.lod = 2.5
        network.lod = 0
        assert network.fingerprint == before and torch.equal(network(z), image)


@pytest.mark.parametrize("config", [STYLEGAN, PROGRESSIVE, GrowingDiscriminatorConfig(16, True)])
@pytest.mark.parametrize("change", [{"resolution": 12}, {"lod": -0.5}, {"img_channels": 0}, {"channel_base": 8}])
def test_impossible_configurations_are_named(config, change):
    with pytest.raises(ValueError, match=next(iter(change))):
        dataclasses.replace(config, **change)


@torch.no_grad()
def test_optimizing_keeps_image_and_spaces(stylegan, progressive):
    z = z_from_seeds(range(2), 6)
    for network in (stylegan, progressive):
        optimized = stylegan2.optimize(network)
        assert torch.equal(optimized(z), network(z)) and optimized.fingerprint == network.fingerprint
        assert hasattr(optimized.synthesis, "from_styles") == (network is stylegan)
