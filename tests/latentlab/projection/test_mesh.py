"""The mesh: what it sees, what it does not, and that a search no longer leaves one."""

import pytest
import torch

from latentlab.images import reduce
from latentlab.projection.mesh import chroma_mesh_levels, mesh, mesh_levels


def repeated(cell, size=70):
    """A grey image that repeats a cell `(p, p)`."""
    times = -(-size // len(cell))
    return cell.repeat(times, times)[None, None, :size, :size].expand(1, 3, -1, -1).contiguous()


def cell_of(period, seed=0):
    """A cell whose mean is 0, so that an average over it is blind to it."""
    cell = 0.1 * torch.randn(period, period, generator=torch.Generator().manual_seed(seed))
    return cell - cell.mean()


@pytest.mark.parametrize("period", [2, 4, 8])
def test_a_pattern_that_averages_hide_is_measured_whole(period):
    cell = cell_of(period)
    image = repeated(cell, 8 * 20)
    assert reduce(image, 8 * 20 // period).abs().max() < 1e-6, "the comparison sees nothing"
    torch.testing.assert_close(mesh(image, period), cell.square().mean()[None], rtol=1e-4, atol=0)
    torch.testing.assert_close(mesh_levels(image, period), 127.5 * cell.square().mean().sqrt()[None], rtol=1e-4, atol=0)


def test_a_wave_counts_with_half_the_square_of_its_amplitude_at_its_period_and_at_multiples():
    wave = 0.1 * torch.sin(torch.arange(256) * (2 * torch.pi / 4) + 0.3).expand(1, 3, 256, 256)
    for period in (4, 8):
        torch.testing.assert_close(mesh(wave, period), torch.tensor([0.1**2 / 2]), rtol=1e-4, atol=0)
    longer = 0.1 * torch.sin(torch.arange(256) * (2 * torch.pi / 8) + 0.3).expand(1, 3, 256, 256)
    torch.testing.assert_close(mesh(longer, 8), torch.tensor([0.1**2 / 2]), rtol=1e-4, atol=0)
    assert mesh(longer, 4) < 1e-10, "it is no pattern of half its period"


def test_a_pattern_in_colours_counts_by_the_mean_of_the_channels_and_not_in_the_luma():
    wave = 0.1 * torch.sin(torch.arange(128) * (2 * torch.pi / 8) + 0.3).expand(1, 3, 128, 128)
    tinted = wave * torch.tensor([0.587, -0.299, 0.0])[:, None, None]  # which the luma, .299 R + .587 G, does not have
    expected = torch.tensor([(0.587**2 + 0.299**2) / 3 * 0.1**2 / 2])
    torch.testing.assert_close(mesh(tinted, 8), expected, rtol=1e-3, atol=0)
    assert mesh_levels(tinted, 8) < 1e-3
    torch.testing.assert_close(chroma_mesh_levels(tinted, 8), 127.5 * mesh(tinted, 8).sqrt(), rtol=1e-3, atol=0)
    assert chroma_mesh_levels(tinted[:, :1], 8) == 0, "one channel has no colours"


def test_a_slope_is_no_mesh():
    ramp = torch.linspace(-1, 1, 128).expand(1, 3, 128, 128)
    assert mesh(ramp, 4) < 1e-10


def test_a_mesh_that_changes_from_place_to_place_is_seen_as_one():
    cell, size = cell_of(4), 256
    image = repeated(cell, size)
    image[..., size // 2 :] = repeated(-cell, size)[..., size // 2 :]
    assert mesh(image, 4) > 0.8 * cell.square().mean()


def test_noise_counts_little_and_another_period_hardly():
    noise = 0.1 * torch.randn(1, 1, 256, 256, generator=torch.Generator().manual_seed(0)).expand(1, 3, -1, -1)
    assert mesh(noise, 4) < 0.03 * noise.square().mean()
    assert mesh(noise, 8) < 0.03 * noise.square().mean()
    other = repeated(cell_of(3), 256)
    assert mesh(other, 4) < 0.03 * other.square().mean()


def test_images_of_a_batch_are_measured_one_by_one_and_with_gradients():
    images = torch.cat([repeated(cell_of(4, seed), 64) for seed in (0, 1)]).requires_grad_()
    found = mesh(images, 4)
    torch.testing.assert_close(found, torch.cat([mesh(one, 4) for one in images.split(1)]))
    (gradient,) = torch.autograd.grad(found[0], images)
    assert gradient[0].abs().max() > 0 and not gradient[1].any()


def test_without_an_average_nothing_is_hidden():
    assert mesh(torch.rand(1, 3, 32, 32), 1) == 0
