"""Features in half precision: how near the images stay, and that w and styles keep every digit."""

import pytest
import torch

import stylegan2
from stylegan2.config import GeneratorConfig


def psnr(images, expected):
    return float(10 * (4 / (images - expected).square().mean()).log10())


@pytest.fixture(scope="module")
def generator():
    torch.manual_seed(0)
    config = GeneratorConfig(resolution=64, z_dim=64, w_dim=64, mapping_layers=2, channel_base=2048, channel_max=128)
    return stylegan2.Generator(config).eval().requires_grad_(False)


@pytest.fixture
def z():
    return torch.randn(3, 64, generator=torch.Generator().manual_seed(1))


def test_images_in_bfloat16_are_near(generator, z):
    expected = generator(z)
    with torch.autocast("cpu", torch.bfloat16):
        by_autocast = generator(z)
    generator.synthesis.compute_dtype = torch.bfloat16
    try:
        by_choice = generator(z)
    finally:
        generator.synthesis.compute_dtype = None
    assert by_choice.dtype == by_autocast.dtype == torch.float32
    assert torch.equal(by_choice, by_autocast)
    # As far off as random weights make it: those of a trained network are nearer.
    assert 34 < psnr(by_choice, expected) < 70
    assert torch.equal(generator(z), expected), "float32 is as it was"


def test_w_and_styles_keep_their_digits(generator, z):
    ws = generator.mapping(z)
    styles = generator.synthesis.styles(ws)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(generator.mapping(z), ws)
        assert all(torch.equal(generator.synthesis.styles(ws)[name], style) for name, style in styles.items())


def test_gradients_in_bfloat16_point_the_same_way(generator, z):
    gradients = []
    for dtype in (torch.float32, torch.bfloat16):
        ws = generator.mapping(z).requires_grad_()
        with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            images = generator.synthesis(ws)
        gradients.append(torch.autograd.grad(images.square().sum(), ws)[0].flatten())
    assert torch.cosine_similarity(*gradients, dim=0) > 0.99


def test_the_mobile_generator(tmp_path):
    torch.manual_seed(0)
    config = stylegan2.MobileConfig(
        resolution=32, z_dim=32, w_dim=32, channel_base=512, channel_max=64, preview_resolution=16
    )
    generator = stylegan2.MobileGenerator(config).eval().requires_grad_(False)
    ws = generator.mapping(torch.randn(2, 32))
    for resolution in (16, 32):
        expected = generator.synthesis(ws, resolution=resolution)
        with torch.autocast("cpu", torch.bfloat16):
            found = generator.synthesis(ws, resolution=resolution)
        assert found.dtype == torch.float32
        assert not torch.equal(found, expected) or resolution == 16  # a random preview head is all zeros
        torch.testing.assert_close(found, expected, rtol=0, atol=0.05 * float(expected.abs().max()) + 1e-6)


def test_one_image_alone_is_that_of_a_batch():
    torch.manual_seed(0)
    config = stylegan2.MobileConfig(resolution=32, z_dim=32, w_dim=32, channel_base=512, channel_max=64)
    generator = stylegan2.MobileGenerator(config).eval().requires_grad_(False)
    ws = generator.mapping(torch.randn(2, 32))
    together = generator.synthesis(ws)
    alone = torch.cat([generator.synthesis(row) for row in ws.split(1)])  # its styles are in the weights
    torch.testing.assert_close(alone, together, rtol=1e-4, atol=1e-5)


def test_noise_is_added_alike_in_every_layout():
    x, noise = torch.randn(2, 5, 6, 7).bfloat16(), torch.randn(6, 7).bfloat16()
    expected = x + noise
    for given in (x, x.contiguous(memory_format=torch.channels_last)):
        assert torch.equal(stylegan2.ops.add_noise_(given.clone(memory_format=torch.preserve_format), noise), expected)
    each = torch.randn(2, 1, 6, 7).bfloat16()
    given = x.contiguous(memory_format=torch.channels_last).clone(memory_format=torch.preserve_format)
    assert torch.equal(stylegan2.ops.add_noise_(given, each), x + each)


def test_load_takes_a_dtype(tmp_path, tiny):
    path = tmp_path / "tiny.safetensors"
    stylegan2.save(tiny, path)
    assert stylegan2.load(path).synthesis.compute_dtype is None
    loaded = stylegan2.load(path, dtype="bfloat16")
    assert loaded.synthesis.compute_dtype is torch.bfloat16
    assert loaded.fingerprint == tiny.fingerprint
    with pytest.raises(ValueError, match="float32, bfloat16, float16, not 'half'"):
        stylegan2.load(path, dtype="half")
    with pytest.raises(ValueError, match="take bfloat16"):
        stylegan2.load(path, dtype="float16")
