"""Augmentation of what a discriminator sees: each change alone against what it should be, all of them as functions."""

import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from stylegan2.training.augmentation import PIPELINES, AugmentPipeline
from stylegan2.training.augmentation.chances import Chances
from stylegan2.training.augmentation.colours import _hue, recoloured
from stylegan2.training.augmentation.corruption import cut_out, noisy
from stylegan2.training.augmentation.filters import filtered
from stylegan2.training.augmentation.geometry import blit, move, warp
from stylegan2.training.augmentation.padding import reflect
from stylegan2.training.augmentation.wavelets import SYM2, SYM6, band_filters
from tests.pretended import check_alike, on_cuda


def sources(count, first=0):
    return [torch.Generator().manual_seed(first + k) for k in range(count)]


def smooth(count=2, side=32, channels=3):
    """Images without frequencies that a filter would change."""
    rng = np.random.default_rng(0)
    drawn = ndimage.gaussian_filter(
        rng.standard_normal((count, channels, side, side)), (0, 0, 2.5, 2.5), mode="reflect"
    )
    return torch.from_numpy(drawn / np.abs(drawn).max()).float()


def matrix(rows, count=2):
    return torch.tensor(rows, dtype=torch.float32).expand(count, 3, 3)


def test_wavelets_lose_nothing():
    for taps in (SYM2, SYM6):
        h = np.array(taps)
        for shift in range(0, len(h), 2):
            assert np.dot(h[: len(h) - shift], h[shift:]) == pytest.approx(float(shift == 0), abs=1e-9)
    identity = torch.zeros(43)
    identity[21] = 1
    torch.testing.assert_close(band_filters().sum(dim=0), identity, atol=1e-6, rtol=0)


def test_bands_are_octaves():
    gains = torch.fft.rfft(band_filters(), n=512).abs()  # 257 frequencies
    centres = gains.argmax(dim=1)
    assert centres[0] == 0 and (centres[1:].diff() > 0).all() and centres[3] > 250


@pytest.mark.parametrize("more", [0, 3, 20])
def test_reflection_is_that_of_numpy(more):
    x = torch.arange(24.0).reshape(1, 1, 4, 6)
    wanted = np.pad(x.numpy(), ((0, 0), (0, 0), (more, more), (2, 2)), mode="reflect")
    np.testing.assert_array_equal(reflect(x, more, 2), wanted)


@pytest.mark.parametrize("name", PIPELINES)
def test_nothing_happens_without_a_chance(name):
    images = torch.randn(3, 3, 16, 24)
    assert torch.equal(AugmentPipeline(name)(images, 0.0, sources(3)), images)


@pytest.mark.parametrize("name", PIPELINES)
def test_an_image_is_augmented_alike_in_every_batch(name):
    images, pipeline = smooth(4), AugmentPipeline(name)
    whole = pipeline(images, 0.8, sources(4))
    parts = torch.cat([pipeline(images[k : k + 1], torch.tensor(0.8), sources(1, k)) for k in range(4)])
    torch.testing.assert_close(whole, parts, atol=1e-5, rtol=0)
    assert not torch.equal(whole, images)


def test_the_identity_looked_up_is_the_image():
    """Enlarged, looked up and reduced, though the matrix says that something is moved: by next to nothing."""
    images = torch.randn(2, 3, 20, 28)
    almost = matrix([[1, 0, 1e-7], [0, 1, 0], [0, 0, 1]])
    torch.testing.assert_close(warp(images, almost)[..., 3:-3, 3:-3], images[..., 3:-3, 3:-3], atol=1e-4, rtol=0)
    torch.testing.assert_close(warp(smooth(), almost), smooth(), atol=2e-2, rtol=0)


def test_quarter_turns_flips_and_whole_shifts_move_pixels():
    images = smooth(side=48)
    inner = (..., slice(6, -6), slice(6, -6))
    for rows, wanted in (
        ([[-1, 0, 0], [0, 1, 0], [0, 0, 1]], images.flip(3)),
        ([[0, 1, 0], [-1, 0, 0], [0, 0, 1]], images.rot90(1, (3, 2))),
        ([[1, 0, -3], [0, 1, 2], [0, 0, 1]], images.roll((3, -2), (3, 2))),
    ):
        torch.testing.assert_close(warp(images, matrix(rows))[inner], wanted[inner], atol=1e-2, rtol=0)


def test_a_turn_is_that_of_scipy():
    images, angle = smooth(1), 0.5
    rows = [[math.cos(angle), -math.sin(angle), 0], [math.sin(angle), math.cos(angle), 0], [0, 0, 1]]
    found = warp(images, matrix(rows, 1))[0, 0].numpy()
    there, back = (
        ndimage.rotate(images[0, 0].numpy(), sign * math.degrees(angle), reshape=False, order=3, mode="mirror")
        for sign in (1, -1)
    )
    inner = slice(8, -8), slice(8, -8)
    assert np.abs(found - there)[inner].max() < 0.01 < np.abs(found - back)[inner].max()


def test_borders_are_mirrored():
    far = warp(torch.full((1, 3, 16, 16), 0.7), matrix([[1.5, 0.3, 20], [0, 1.7, -9], [0, 0, 1]], 1))
    torch.testing.assert_close(far, torch.full_like(far, 0.7), atol=1e-4, rtol=0)


@pytest.mark.parametrize("group", [blit, move])
def test_matrices_are_drawn_with_the_probability(group):
    eye = torch.eye(3).expand(3000, 3, 3)
    shares = []
    for probability in (0.0, 0.2, 1.0):
        found = group(Chances(probability, sources(3000), torch.device("cpu")), eye, 64, 64)
        shares.append(float((found != torch.eye(3)).any(dim=2).any(dim=1).float().mean()))
    # Of blit a flip is none half of the time, a turn a quarter of the time, and a shift about one time in a hundred.
    kept = (0.9 * 0.85 * 0.8) if group is blit else 0.8**4
    assert shares[0] == 0 and shares[1] == pytest.approx(1 - kept, abs=0.03) and shares[2] > 0.95


def test_colours_are_changed_as_the_paper_has_it():
    images, device = smooth(64), torch.device("cpu")
    changed = recoloured(images, Chances(1.0, sources(64), device))
    assert changed.shape == images.shape
    # Any of it is affine in the colours of a pixel, the same for all pixels of an image.
    flat = torch.cat([images.flatten(2), torch.ones(64, 1, 32 * 32)], dim=1).transpose(1, 2)
    fitted = torch.linalg.lstsq(flat, changed.flatten(2).transpose(1, 2)).solution
    torch.testing.assert_close(flat @ fitted, changed.flatten(2).transpose(1, 2), atol=1e-3, rtol=0)
    grey = recoloured(images[:, :1], Chances(1.0, sources(64), device))
    assert grey.shape == (64, 1, 32, 32) and not torch.equal(grey, images[:, :1])
    with pytest.raises(ValueError, match="1 or 3 channels, not 4"):
        recoloured(torch.zeros(1, 4, 8, 8), Chances(1.0, sources(1), device))


def test_hue_turns_leave_grey_and_a_third_of_a_turn_permutes_colours():
    along = torch.zeros(4, 4)
    along[:3, :3] = 1 / 3
    turn = _hue(torch.tensor([2 * math.pi / 3]), along, torch.eye(4))[0, :3, :3]
    torch.testing.assert_close(turn, torch.tensor([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]]), atol=1e-6, rtol=0)


def test_filters_keep_means_and_change_bands():
    images = torch.randn(2, 3, 64, 64) * 0.2 + 0.5
    changed = filtered(images, Chances(1.0, sources(2), torch.device("cpu")))
    assert changed.shape == images.shape and (changed - images).abs().max() > 0.05
    small = filtered(torch.randn(2, 3, 8, 8), Chances(1.0, sources(2), torch.device("cpu")))
    assert small.isfinite().all()


def test_noise_has_the_strength_of_a_half_normal():
    images, rngs = torch.zeros(400, 1, 16, 16), sources(400)
    chances = Chances(1.0, rngs, torch.device("cpu"))
    deviations = noisy(images, chances, rngs).flatten(1).std(dim=1)
    assert float(deviations.square().mean().sqrt()) == pytest.approx(0.1, rel=0.15)


def test_a_quarter_at_most_is_cut_out():
    cut = cut_out(torch.ones(200, 1, 16, 24), Chances(1.0, sources(200), torch.device("cpu")))
    shares = (cut == 0).float().mean(dim=(1, 2, 3))
    assert shares.max() == pytest.approx(0.25, abs=0.03) and shares.min() > 0.02
    half = cut_out(torch.ones(400, 1, 16, 16), Chances(0.5, sources(400), torch.device("cpu")))
    assert float((half == 0).flatten(1).any(dim=1).float().mean()) == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize("name", PIPELINES)
def test_gradients_of_both_orders_are_those_of_differences(name):
    pipeline = AugmentPipeline(name)
    images = torch.randn(2, 3, 6, 9, dtype=torch.float64, requires_grad=True)

    def augmented(x):
        return pipeline(x, 0.8, sources(2)).tanh()  # what is affine has no second derivative

    assert torch.autograd.gradcheck(augmented, images, fast_mode=True)
    assert torch.autograd.gradgradcheck(augmented, images, fast_mode=True)


def test_unknown_pipelines_are_refused():
    for name in ("bgx", None, ["bgc"]):
        with pytest.raises(ValueError, match="the augmentations are blit, geom"):
            AugmentPipeline(name)


@pytest.mark.usefixtures("cuda")
def test_a_gpu_augments_alike():
    images, pipeline = smooth(3), AugmentPipeline("bgcfnc")
    here = pipeline(images, torch.tensor(0.8), sources(3))
    there = pipeline(on_cuda(images), on_cuda(torch.tensor(0.8)), sources(3))
    check_alike(there, here)
