"""The way back into the photo."""

import numpy as np
import pytest
import torch
from generated import aligned, detector, face, psnr
from matplotlib.path import Path

from latentlab.errors import UserError
from latentlab.faces import CropGeometry, align, face_outline, paste_back
from latentlab.faces.paste import FEATHER


def inside(outline: np.ndarray, photo: torch.Tensor) -> torch.Tensor:
    """Which pixels' centres lie in a polygon of the photo: (h, w)."""
    height, width = photo.shape[2:]
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    found = Path(outline).contains_points(np.stack([x.ravel(), y.ravel()], axis=-1))
    return torch.from_numpy(found.reshape(height, width))


@pytest.mark.weights
def test_unedited_the_photo_comes_back():
    photo, crop = aligned(512)
    back = paste_back(crop.image, crop.geometry, photo)
    assert psnr(back, photo, inside(face_outline(crop.face.landmarks), photo)) > 42
    assert torch.equal(paste_back(crop.image, crop.geometry, photo, original=crop.image), photo)


@pytest.mark.weights
@pytest.mark.parametrize("mask", ["feather", "hull"])
def test_nothing_changes_outside_the_mask(mask):
    photo, crop = aligned()
    edited = torch.rand(crop.image.shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
    back = paste_back(edited, crop.geometry, photo, mask, crop.face.landmarks)
    changed = (back != photo).any(1)[0]
    assert not (changed & ~inside(crop.geometry.quad, photo)).any()
    assert changed[inside(crop.face.landmarks[:27], photo)].float().mean() > 0.99
    if mask == "hull":
        x, y = (crop.geometry.to_crop(np.argwhere(changed.numpy())[:, ::-1] + 0.5) / crop.geometry.resolution).T
        outline = crop.geometry.to_crop(face_outline(crop.face.landmarks)) / crop.geometry.resolution
        reach = FEATHER + 0.01  # a little more at the outline's corners
        assert x.min() > outline[:, 0].min() - reach and x.max() < outline[:, 0].max() + reach
        assert y.min() > outline[:, 1].min() - reach and y.max() < outline[:, 1].max() + reach


@pytest.mark.weights
@pytest.mark.parametrize("mask", ["feather", "hull"])
@pytest.mark.parametrize("with_original", [False, True])
def test_a_cast_goes_if_colours_are_matched(mask, with_original):
    photo, crop = aligned()
    photo = photo * 0.6  # room for the cast
    (crop,) = align(photo, detector(), 256)
    cast = torch.tensor([0.2, -0.1, 0.05])[None, :, None, None]
    original = crop.image if with_original else None
    arguments = (crop.geometry, photo, mask, crop.face.landmarks)
    unedited = paste_back(crop.image, *arguments, original=original)
    matched = paste_back(crop.image + cast, *arguments, original=original)
    assert (matched - unedited).abs().max() < 0.004
    kept = paste_back(crop.image + cast, *arguments, match_colour=False, original=original)
    x, y = crop.face.landmarks[30].astype(int)
    assert (kept - unedited)[0, :, y, x] == pytest.approx(cast.flatten(), abs=0.004)


@pytest.mark.weights
def test_a_cast_that_grows_across_the_face_goes_too():
    photo, crop = aligned()
    (crop,) = align(photo * 0.6, detector(), 256)
    cast = torch.linspace(-0.1, 0.1, 256).expand(1, 3, 256, 256)
    photo = photo * 0.6
    matched = paste_back(crop.image + cast, crop.geometry, photo, original=crop.image)
    assert (matched - photo).abs().max() < 0.02


@pytest.mark.weights
def test_another_background_does_not_colour_the_face():
    photo, crop = aligned()
    wall = crop.image.clone()
    wall[:, :, :, :60] = 1
    back = paste_back(wall, crop.geometry, photo)
    middle = inside(crop.face.landmarks[36:], photo)
    assert (back - paste_back(crop.image, crop.geometry, photo))[0, :, middle].abs().mean() < 0.02


@pytest.mark.weights
def test_only_what_was_edited_is_carried_over():
    """On a photo finer than its crop the rest keeps its detail."""
    photo, crop = aligned(128)
    edited = crop.image.clone()
    edited[:, :, 76:86, 50:78] += 0.3
    back = paste_back(edited, crop.geometry, photo, original=crop.image)
    eyes = inside(crop.face.landmarks[36:48], photo)
    assert torch.equal(back[:, :, eyes], photo[:, :, eyes]) or psnr(back, photo, eyes) > 60
    x, y = crop.geometry.to_photo(np.array([[64.0, 81.0]]))[0].astype(int)
    assert (back - photo)[0, :, y, x].mean() > 0.2


def test_a_crop_finer_than_the_photo_is_averaged():
    geometry = CropGeometry.plan(np.array([[10, 10], [10, 60], [60, 60], [60, 10]]) + 0.25, 512, (70, 70))
    board = (torch.arange(512)[:, None] + torch.arange(512)) % 2 * 2.0 - 1
    back = paste_back(board.expand(1, 3, 512, 512), geometry, torch.zeros(1, 3, 70, 70), match_colour=False)
    assert back.abs().max() < 0.01


@pytest.mark.weights
@pytest.mark.parametrize(("side", "decibels"), [(256, 32), (16, 15)])
def test_an_edited_crop_may_have_another_resolution(side, decibels):
    photo, crop = aligned(512)
    small = torch.nn.functional.interpolate(crop.image, (side, side), mode="area")
    assert psnr(paste_back(small, crop.geometry, photo), photo, inside(crop.geometry.quad, photo)) > decibels


@pytest.mark.weights
def test_what_was_made_up_beside_the_photo_stays_out():
    photo = face()[:, :, :, :800]
    (crop,) = align(photo, detector(), 512)
    back = paste_back(crop.image, crop.geometry, photo)
    assert torch.equal(back[..., -1], photo[..., -1])  # blurred altogether in the crop
    assert psnr(back, photo) > 36


@pytest.mark.weights
def test_what_does_not_fit_is_refused():
    photo, crop = aligned()
    with pytest.raises(UserError, match="68 landmarks"):
        paste_back(crop.image, crop.geometry, photo, mask="hull", landmarks=crop.face.landmarks[:5])
    with pytest.raises(ValueError, match="size"):
        paste_back(crop.image, crop.geometry, photo[:, :, 1:])
    with pytest.raises(ValueError, match="before the edit"):
        paste_back(crop.image, crop.geometry, photo, original=crop.image[:, :, 1:])
    with pytest.raises(ValueError, match="r, r"):
        paste_back(crop.image[:, :, 1:], crop.geometry, photo)
