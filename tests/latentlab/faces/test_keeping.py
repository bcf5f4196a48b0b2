"""What a photo keeps of its own under an edit, and photos without colours."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from latentlab.faces import CropGeometry, paste_back
from latentlab.faces.keeping import before_edit
from latentlab.faces.tone import tone_of
from latentlab.images import luma

SIZE = 256


def noise(seed, sigma=0.1, size=SIZE):
    return sigma * torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def faces():
    """A smooth rendering, the grainy crop of a photo that it renders, and an edit of its lower middle."""
    ramp = torch.linspace(-0.5, 0.5, SIZE).expand(1, 3, SIZE, SIZE)
    edited = ramp.clone()
    edited[:, :, 160:200, 90:170] += 0.6
    return ramp, (ramp + noise(0)).clamp(-1, 1), edited


def pasted(edited, original, crop):
    quad = torch.tensor([[0, 0], [0, SIZE], [SIZE, SIZE], [SIZE, 0]], dtype=torch.float64).numpy()
    geometry = CropGeometry.plan(quad, SIZE, (SIZE, SIZE))
    return paste_back(edited, geometry, crop, match_colour=False, original=original)


def test_a_face_that_is_not_edited_leaves_the_photo_to_the_bit(faces):
    rendered, crop, _ = faces
    assert torch.equal(pasted(rendered, before_edit(rendered, rendered, crop), crop), crop)


def test_the_photo_keeps_its_grain_but_where_the_edit_shows_something_else(faces):
    rendered, crop, edited = faces
    made = pasted(edited, before_edit(rendered, edited, crop), crop)
    assert torch.equal(made[..., :120, :], crop[..., :120, :])
    middle = (..., slice(172, 188), slice(110, 150))
    torch.testing.assert_close(made[middle], edited[middle], atol=1e-5, rtol=0)


def test_what_changes_apart_from_the_face_is_not_carried_over(faces):
    """A background that the projection made up, and the edit makes up anew."""
    rendered, crop, edited = faces
    edited[:, :, 224:256, 216:256] -= 0.8
    made = pasted(edited, before_edit(rendered, edited, crop), crop)
    torch.testing.assert_close(made[..., 232:, 226:], crop[..., 232:, 226:], atol=1e-6, rtol=0)
    middle = (..., slice(172, 188), slice(110, 150))
    torch.testing.assert_close(made[middle], edited[middle], atol=1e-5, rtol=0)


def test_a_faint_edit_of_the_face_is_kept_beside_a_strong_one_of_the_background(faces):
    rendered, crop, _ = faces
    edited = rendered.clone()
    edited[:, :, 160:200, 90:170] += 0.15  # 19 levels
    edited[:, :, 224:256, 216:256] -= 0.8
    made = pasted(edited, before_edit(rendered, edited, crop), crop)
    middle = (..., slice(172, 188), slice(110, 150))
    assert (made - crop)[middle].mean() > 0.1


def test_what_reaches_from_the_face_into_the_background_is(faces):
    """Hair, say."""
    rendered, crop, edited = faces
    edited[:, :, 20:200, 90:170] += 0.6
    made = pasted(edited, before_edit(rendered, edited, crop), crop)
    middle = (..., slice(40, 60), slice(110, 150))
    torch.testing.assert_close(made[middle], edited.clamp(-1, 1)[middle], atol=1e-5, rtol=0)


def test_a_tone_that_shifts_everywhere_is_carried_over_with_the_grain_kept(faces):
    rendered, crop, _ = faces
    made = pasted(rendered + 0.05, before_edit(rendered, rendered + 0.05, crop), crop)
    middle = (..., slice(60, 200), slice(60, 200))
    torch.testing.assert_close(made[middle], (crop + 0.05).clamp(-1, 1)[middle], atol=1e-4, rtol=0)


# --- tone ---------------------------------------------------------------------------------------------------


def sepia(grey):
    return torch.cat([grey + 0.12 * (1 - grey**2), grey, grey - 0.15 * (1 - grey**2)], dim=1).clamp(-1, 1)


@given(st.floats(-0.2, 0.2), st.floats(-0.2, 0.2))
def test_an_image_of_one_tint_gives_its_tint_to_others(red, blue):
    grey = torch.linspace(-0.9, 0.9, 64 * 64).view(1, 1, 64, 64)
    toned = torch.cat([grey + red * (1 - grey**2), grey, grey + blue * (1 - grey**2)], dim=1)
    found = tone_of(toned)
    assert found is not None
    torch.testing.assert_close(found.apply(toned), toned.clamp(-1, 1), atol=0.01, rtol=0)


def test_a_grey_photo_makes_a_coloured_edit_grey():
    photo = noise(0, 0.3)[:, :1].expand(-1, 3, -1, -1) + noise(1, 0.004)  # as compression leaves it
    found = tone_of(photo)
    edited = found.apply(noise(2, 0.3))
    assert (edited - luma(edited)).abs().max() < 0.01
    torch.testing.assert_close(luma(edited), luma(noise(2, 0.3)).clamp(-1, 1), atol=0.01, rtol=0)


def test_sepia_stays_sepia():
    photo = sepia(noise(0, 0.4)[:, :1].clamp(-0.9, 0.9))
    edited = tone_of(photo).apply(noise(2, 0.3))
    assert edited[:, 0].mean() > edited[:, 1].mean() > edited[:, 2].mean()


def patches(side, strength):
    """Soft patches of grey, with patches of colours of some strength on them."""
    soft = F.interpolate(noise(0, 0.3)[:, :1, :8, :8], (side, side), mode="bicubic")
    return soft + strength * F.interpolate(noise(1, 0.3)[:, :, :8, :8], (side, side), mode="bicubic")


@pytest.mark.parametrize("side", [200, 512])
def test_a_grey_photo_with_noise_in_its_colours_stays_grey(side):
    grey = patches(side, 0.0).expand(-1, 3, -1, -1)
    grain = torch.randn(grey.shape, generator=torch.Generator().manual_seed(0))
    found = tone_of((grey + grain * 8 / 127.5).clamp(-1, 1))
    assert found is not None
    assert (found.apply(grey) - grey).abs().max() < 3 / 127.5


@pytest.mark.parametrize("grain", [0.0, 8.0])
def test_weak_colours_are_colours(grain):
    pale = patches(256, 0.2) + noise(2, grain / 127.5)
    assert 2 < 127.5 * (pale - luma(pale)).std() < 12
    assert tone_of(pale.clamp(-1, 1)) is None


def test_a_photo_with_colours_has_no_tone():
    assert tone_of(noise(0, 0.3)) is None
    assert tone_of(torch.zeros(1, 3, 8, 8)) is not None, "one colour is a tint"
