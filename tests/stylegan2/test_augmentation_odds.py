"""How strong augmentations are, and how often: what is drawn, held against the paper's distributions."""

import math

import pytest
import torch

from stylegan2.training.augmentation import AugmentPipeline
from stylegan2.training.augmentation.chances import Chances
from stylegan2.training.augmentation.colours import recoloured
from stylegan2.training.augmentation.corruption import cut_out, noisy
from stylegan2.training.augmentation.filters import filtered
from stylegan2.training.augmentation.geometry import blit, move
from stylegan2.training.augmentation.wavelets import band_filters

COUNT = 3000
CPU = torch.device("cpu")


def chances(probability, count=COUNT):
    return Chances(probability, [torch.Generator().manual_seed(k) for k in range(count)], CPU)


def matrices(group, probability=1.0, height=64, width=128):
    return group(chances(probability), torch.eye(3).expand(COUNT, 3, 3), height, width).double()


def rms(x):
    return float(x.square().mean().sqrt())


def moved_by(inverse):
    """Where the centre goes, from the matrix that looks up."""
    return -torch.linalg.solve(inverse[:, :2, :2], inverse[:, :2, 2])


def test_pixels_are_moved_whole():
    found = matrices(blit)
    linear = found[:, :2, :2]
    assert torch.equal(linear.abs().sum(dim=1), torch.ones(COUNT, 2).double())  # flips and quarter turns alone
    kinds, counts = torch.unique(linear, dim=0, return_counts=True)
    assert len(kinds) == 8 and float(counts.min()) > 0.8 * COUNT / 8
    moved = moved_by(found)
    assert torch.equal(moved, moved.round()) and moved.abs().amax(dim=0).tolist() == [16, 8]
    assert rms(moved[:, 0] / 128) == pytest.approx(0.125 / math.sqrt(3), rel=0.05)


def test_scales_and_shifts_have_the_deviations_of_the_paper():
    found = matrices(move)
    linear = found[:, :2, :2]
    assert rms(linear.det().log2() / 2) == pytest.approx(0.2, rel=0.05)  # alike along both sides
    large, small = torch.linalg.svdvals(linear).unbind(dim=1)
    assert rms((large / small).log2() / 2) == pytest.approx(0.2, rel=0.05)  # one against the other
    moved = moved_by(found) / torch.tensor([128.0, 64.0])
    assert [rms(side) for side in moved.unbind(dim=1)] == pytest.approx([0.125, 0.125], rel=0.05)


@pytest.mark.parametrize("probability", [0.2, 0.7])
def test_one_turn_at_least_has_the_probability(probability):
    """Of two; those that are turned alone keep lengths: the rest shows in how the axes lie."""
    found = matrices(move, probability)[:, :2, :2]
    straight = ((found[:, 0, 1] == 0) & (found[:, 1, 0] == 0)).double().mean()
    assert float(straight) == pytest.approx(1 - probability, abs=0.03)


def colour_maps(probability=1.0):
    """The maps of colours, `(n, 3, 3)` and `(n, 3)`, from what they make of black and of the three primaries."""
    corners = torch.cat([torch.zeros(3, 1), torch.eye(3)], dim=1)[:, None].expand(COUNT, 3, 1, 4)
    made = recoloured(corners, chances(probability))[:, :, 0].double()
    return made[:, :, 1:] - made[:, :, :1], made[:, :, 0]


def test_colours_have_the_deviations_of_the_paper():
    linear, shift = colour_maps()
    grey = torch.ones(3).double() / math.sqrt(3)
    luma = (linear @ grey) @ grey
    torch.testing.assert_close(linear @ grey, luma[:, None] * grey, atol=1e-5, rtol=0)  # greys stay greys
    assert rms(luma.abs().log2()) == pytest.approx(0.5, rel=0.05)  # contrast
    assert float((luma < 0).double().mean()) == pytest.approx(0.5, abs=0.03)
    assert rms(shift.mean(dim=1) / luma) == pytest.approx(0.2, rel=0.05)  # brightness, before contrast
    first = torch.tensor([1.0, -1.0, 0.0]).double() / math.sqrt(2)
    second = torch.linalg.cross(grey, first)
    along, across = ((linear @ first) @ axis for axis in (first, second))
    chroma = (along.square() + across.square()).sqrt() / luma.abs()
    assert rms(chroma.log2()) == pytest.approx(1, rel=0.05)  # saturation
    hue = torch.atan2(across, along)
    assert rms(hue) == pytest.approx(math.pi / math.sqrt(3), rel=0.05) and float(hue.mean().abs()) < 0.1


def test_luma_is_inverted_by_a_reflection():
    """The only change of some images: what lies across the axis of greys stays."""
    linear, shift = colour_maps(0.15)
    reflection = torch.eye(3).double() - 2 / 3
    only = ((linear - reflection).abs().amax(dim=(1, 2)) < 1e-5) & (shift == 0).all(dim=1)
    assert float(only.double().mean()) == pytest.approx(0.15 / 2 * 0.85**4, abs=0.015)


def test_an_octave_is_enlarged_and_expected_power_stays():
    impulse = torch.zeros(1, 1, 64, 64)
    impulse[..., 32, 32] = 1
    count = 600
    made = filtered(impulse.expand(count, 1, 64, 64), chances(0.1, count))[:, 0].double()
    row = made[:, 32, 32 - 21 : 32 + 22] / made[:, 32, 32, None].sqrt()  # taps along rows, times the same along columns
    gains = torch.linalg.lstsq(band_filters().double().T, row.T).solution.T
    torch.testing.assert_close(gains @ band_filters().double(), row, atol=1e-4, rtol=0)
    one = torch.stack([(gains - gains[:, [k]]).abs().gt(1e-3).sum(dim=1) == 1 for k in range(4)]).any(dim=0)
    power = torch.tensor([10.0, 1.0, 1.0, 1.0]).double() / 13
    torch.testing.assert_close(gains[one].square() @ power, torch.ones(int(one.sum())).double(), atol=1e-3, rtol=0)
    assert float(one.double().mean()) == pytest.approx(4 * 0.1 * 0.9**3, abs=0.05)


class Faint(Chances):
    """Normal variables are next to nothing, so that images are changed, but not to be seen."""

    def normal(self, deviation=1.0):
        return super().normal(1e-6 * deviation)


def test_octaves_enlarged_by_nothing_leave_the_image():
    images = torch.randn(1, 2, 30, 40)
    changed = filtered(images, Faint(1.0, [torch.Generator().manual_seed(1)], CPU))
    assert not torch.equal(changed, images)
    torch.testing.assert_close(changed, images, atol=1e-4, rtol=0)


def test_noise_is_half_normal_and_independent():
    rngs = [torch.Generator().manual_seed(k) for k in range(1000)]
    made = noisy(torch.zeros(1000, 3, 8, 8), Chances(1.0, rngs, CPU), rngs)
    strength = made.flatten(1).std(dim=1)
    assert float(strength.mean()) == pytest.approx(0.1 * math.sqrt(2 / math.pi), rel=0.08)
    a, b = made[:, 0].flatten(), made[:, 1].flatten()
    assert abs(float((a * b).mean())) < 0.05 * float((a * a).mean())


def test_cuts_have_their_centre_anywhere():
    shares = (cut_out(torch.ones(COUNT, 1, 16, 32), chances(1.0)) == 0).float().mean(dim=(0, 1))
    assert float(shares[6:10, 12:20].mean()) == pytest.approx(0.25, abs=0.02)  # half of the places of each side
    assert float(shares[0, 0]) == pytest.approx(0.0625 * (1 + 2 / 16) * (1 + 2 / 32), abs=0.02)


@pytest.mark.parametrize("group", ["noise", "cutout"])
@pytest.mark.parametrize("probability", [0.1, 0.5])
def test_as_many_images_are_changed_as_the_probability_says(group, probability):
    images, rngs = torch.ones(COUNT, 1, 4, 4), [torch.Generator().manual_seed(k) for k in range(COUNT)]
    changed = (AugmentPipeline(group)(images, probability, rngs) != images).flatten(1).any(dim=1)
    assert float(changed.float().mean()) == pytest.approx(probability, abs=0.03)


def test_images_of_four_channels_are_augmented_but_in_colour():
    images = torch.randn(2, 4, 16, 16)
    for name in ("bg", "filter", "noise", "cutout"):
        rngs = [torch.Generator().manual_seed(k) for k in range(2)]
        assert AugmentPipeline(name)(images, 1.0, rngs).shape == images.shape
