"""The mesh: what it sees, what it does not, and that a search no longer leaves one."""

import pytest
import torch

from latentlab.images import reduce
from latentlab.projection.mesh import mesh, mesh_levels


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
