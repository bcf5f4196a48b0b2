"""FFHQ's crop: its formulas, the way there and back, and the padding."""

import math

import numpy as np
import pytest
import torch
from generated import face, psnr
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import gaussian_filter

from latentlab import images
from latentlab.errors import UserError
from latentlab.faces import CropGeometry, Points, crop, quad_of
from latentlab.faces.cropping import _blurred, cut

angles = st.floats(-180, 180)


def square(centre: tuple[float, float], length: float, angle: float = 0) -> np.ndarray:
    """The corners of a turned square, in the order of a quad."""
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    corners = np.array([[-1, -1], [-1, 1], [1, 1], [1, -1]]) * length / 2
    return corners @ np.array([[c, s], [-s, c]]) + centre


def points(eye_left, eye_right, mouth) -> Points:
    return Points(*(np.array(point, dtype=np.float64) for point in (eye_left, eye_right, mouth)))


@pytest.mark.parametrize(("mouth", "side"), [(100, 400), (150, 540)])
def test_the_quad_of_an_upright_face(mouth, side):
    quad = quad_of(points((0, 0), (100, 0), (50, mouth)))
    assert quad == pytest.approx(square((50, 0.1 * mouth), side))


@given(angles, st.floats(0.1, 50), st.floats(-1e3, 1e3))
def test_the_quad_turns_grows_and_moves_with_the_face(angle, scale, shift):
    anchors = np.array([[3.0, 1.0], [12.0, 2.0], [8.0, 11.0]])
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    move = np.array([[c, s], [-s, c]]) * scale
    moved = quad_of(Points(*(anchors @ move + shift)))
    assert moved == pytest.approx(quad_of(Points(*anchors)) @ move + shift, abs=1e-7 * scale)


def test_landmarks_of_one_point_are_refused():
    with pytest.raises(ValueError, match="coincide"):
        quad_of(points((1, 1), (1, 1), (1, 1)))


@given(angles, st.floats(20, 5000), st.integers(16, 1024), st.floats(-500, 6000), st.floats(-500, 6000))
def test_crop_to_photo_to_crop_is_the_identity(angle, length, side, x, y):
    geometry = CropGeometry.plan(square((x, y), length, angle), side, (6000, 4000))
    pixels = np.random.default_rng(0).uniform(0, side, (50, 2))
    assert np.abs(geometry.to_crop(geometry.to_photo(pixels)) - pixels).max() < 1e-9
    again = CropGeometry.from_dict(geometry.to_dict())
    assert np.array_equal(again.homography(), geometry.homography())
    assert again.to_dict() == geometry.to_dict()
    assert geometry.to_photo(np.array([[0, 0], [0, side], [side, side], [side, 0]])) == pytest.approx(
        geometry.quad, abs=1e-8
    )


def test_the_plan_by_hand():
    inside = CropGeometry.plan(square((150, 150), 100), 64, (400, 300))
    # Indices 99.5 … 199.5, rounded outwards, and a border of 10.
    assert (inside.shrink, inside.crop, inside.pad) == (1, (89, 89, 210, 210), (0, 0, 0, 0))
    beyond = CropGeometry.plan(square((30, 150), 100), 64, (400, 300))
    # From −21 on, with the border −31: padded by that on the left, by 30 % of the side elsewhere.
    assert (beyond.crop, beyond.pad) == ((0, 89, 90, 210), (31, 30, 30, 30))


@pytest.mark.parametrize(("length", "shrink"), [(100, 1), (511, 1), (512, 2), (767, 2), (768, 3)])
def test_large_faces_are_reduced_first(length, shrink):
    assert CropGeometry.plan(square((1000, 1000), length + 1e-6), 128, (2000, 2000)).shrink == shrink


@pytest.mark.parametrize("broken", [{}, {"quad": [[0, 0]]}, {"quad": [[0, 0], [0, 1], [3, 1], [1, 0]]}])
def test_a_broken_geometry_is_refused(broken):
    whole = CropGeometry.plan(square((50, 50), 40), 16, (100, 100)).to_dict()
    with pytest.raises(UserError, match="geometry"):
        CropGeometry.from_dict({**whole, **broken} if broken else {})


@settings(max_examples=25)
@given(angles, st.floats(20, 420), st.sampled_from([24, 48, 96]))
def test_the_crop_has_the_values_of_the_photo_there(angle, length, side):
    """Also where the photo is reduced first: 420 pixels at 24 are."""
    height, width = 620, 630
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    photo = torch.stack([x / 700, y / 700, torch.sin(x / 90) * torch.cos(y / 70) / 2])[None]
    picture, geometry = crop(photo, square((310, 305), length, angle), side)
    line = np.arange(side) + 0.5
    px, py = np.moveaxis(geometry.to_photo(np.stack(np.meshgrid(line, line), axis=-1)), -1, 0)
    wanted = np.stack([px / 700, py / 700, np.sin(px / 90) * np.cos(py / 70) / 2])
    error = np.abs(picture[0].numpy() - wanted)
    # Bicubic interpolation places values within a twentieth of a pixel; averaging flattens waves a little.
    pixel = max(length / side, 1)
    assert error[:2].max() < 0.06 * pixel / 700
    assert error[2].max() < 0.06 * pixel / 140 + 2e-5 * pixel**2


def test_a_fine_pattern_is_averaged_not_sampled():
    stripes = torch.ones(1, 3, 800, 800)
    stripes[..., ::2] = -1
    for side in (64, 256):
        picture, _ = crop(stripes, square((400, 400), 600, 10), side)
        assert picture.abs().max() < 0.03


def test_a_crop_beside_the_photo_reflects_blurs_and_fades_as_ffhqs_does():
    """Every step of the recipe with the tools it names, a picture of 3 pixels' fineness."""
    rng = np.random.default_rng(0)
    photo = np.stack([gaussian_filter(rng.uniform(-1, 1, (120, 140)), 2) for _ in range(3)]) * 3
    quad, side = square((50, 70), 110, 20), 220
    picture, geometry = crop(torch.from_numpy(photo)[None].float(), quad, side)
    left, top, right, bottom = geometry.crop
    pad = geometry.pad
    assert geometry.shrink == 1 and min(pad) > 0
    padded = np.pad(photo[:, top:bottom, left:right], [(0, 0), (pad[1], pad[3]), (pad[0], pad[2])], mode="reflect")
    h, w = padded.shape[1:]
    y, x = np.ogrid[:h, :w]
    fade = np.maximum(
        1 - np.minimum(x / pad[0], (w - 1 - x) / pad[2]), 1 - np.minimum(y / pad[1], (h - 1 - y) / pad[3])
    )
    padded += (gaussian_filter(padded, (0, 2.2, 2.2)) - padded) * np.clip(3 * fade + 1, 0, 1)
    padded += (np.median(padded, axis=(1, 2))[:, None, None] - padded) * np.clip(fade, 0, 1)
    corners = (quad - (left, top) + pad[:2]).ravel()
    wanted = [
        np.asarray(Image.fromarray(c.astype(np.float32)).transform((side, side), Image.QUAD, corners, Image.BICUBIC))
        for c in padded
    ]
    # What is left is Pillow's other bicubic kernel; without blur or fade it would be 30 dB.
    assert psnr(picture, torch.from_numpy(np.stack(wanted))[None]) > 45


@pytest.mark.parametrize("sigma", [1.5, 7.0, 30.0])
def test_the_blur_is_gaussian(sigma):
    noise = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 1, 500, 610))).float()
    wanted = gaussian_filter(noise.numpy(), (0, 0, sigma, sigma), mode="mirror")
    # A wide blur is made on a coarse grid, which shows in the outermost cells.
    error = (_blurred(noise, sigma).numpy() - wanted)[:, :, 40:-40, 40:-40]
    assert error.std() < 0.05 * wanted.std()


@pytest.mark.weights
def test_close_to_what_pillow_makes_of_the_recipe():
    """FFHQ's program transforms to four times the side by Pillow, bilinearly, and reduces by Lanczos."""
    photo, side = face(), 256
    picture, geometry = crop(photo, square((512, 512), 700, 15), side)
    assert geometry.pad == (0, 0, 0, 0) and geometry.shrink == 1
    image = images.to_pil(photo).transform((1024, 1024), Image.QUAD, geometry.quad.ravel(), Image.BILINEAR)
    assert psnr(images.from_pil(image.resize((side, side), Image.LANCZOS)), picture) > 42


def test_a_photo_of_another_size_is_refused():
    geometry = CropGeometry.plan(square((50, 50), 40), 16, (100, 100))
    with pytest.raises(ValueError, match="100"):
        cut(torch.zeros(1, 3, 100, 90), geometry)
