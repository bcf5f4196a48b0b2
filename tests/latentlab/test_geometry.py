"""Geometry and light of faces: known landmarks, known pictures, generated faces."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

import stylegan2
from latentlab import faces
from latentlab.errors import UserError
from latentlab.faces.means import mean_landmarks
from latentlab.scorers import FaceGeometry, Lighting, load_scorer
from latentlab.scorers.geometry import measure

NAMES = FaceGeometry.names


def of(landmarks):
    return dict(zip(NAMES, measure(landmarks), strict=True))


@given(st.floats(-0.5, 0.5), st.floats(0.1, 10), st.floats(-500, 500))
def test_lengths_do_not_depend_on_tilt_size_and_place(tilt, scale, shift):
    turn = np.array([[np.cos(tilt), np.sin(tilt)], [-np.sin(tilt), np.cos(tilt)]])
    before, after = of(100 * mean_landmarks()), of(100 * mean_landmarks() @ turn * scale + shift)
    assert after == pytest.approx(before, abs=0.05)  # degrees are fitted, lengths are exact


def test_each_quantity_follows_its_landmarks():
    mean = mean_landmarks()
    plain = of(mean)
    assert abs(plain["yaw"]) < 5
    closed = mean.copy()
    for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46)):
        closed[upper] = closed[lower]
    assert of(closed)["eye_opening"] == 0 < plain["eye_opening"]
    wide = mean.copy()
    middle = (wide[1] + wide[15]) / 2
    wide[[1, 15]] = middle + 1.2 * (wide[[1, 15]] - middle)
    assert of(wide)["face_width"] == pytest.approx(1.2 * plain["face_width"])
    solid = np.column_stack([mean - mean.mean(0), np.exp(-((mean - mean[30]) ** 2).sum(1) / 0.02) * 0.1])
    turned = Rotation.from_euler("y", 20, degrees=True).apply(solid)[:, :2]
    assert of(turned)["yaw"] > plain["yaw"] + 10, "turned to the right of the image"


def test_light_from_a_side():
    image = torch.zeros(1, 3, 64, 64)
    image[..., 32:] = 0.5
    side, light = Lighting()(image)[0].tolist()
    assert side == pytest.approx(0.5, abs=0.02) and light == pytest.approx(0.25, abs=0.02)
    assert Lighting()(image.flip(3))[0, 0].item() == pytest.approx(-0.5, abs=0.02)
    with pytest.raises(UserError, match="square"):
        Lighting()(torch.zeros(1, 3, 64, 32))


@pytest.mark.weights
def test_faces_in_the_crop_need_no_search():
    """Landmarks of a generated face without a search lie where those with one do."""
    generator = stylegan2.load("mobile-ffhq")
    with torch.no_grad():
        image = generator(stylegan2.z_from_seeds([101], generator.z_dim), psi=0.7).clamp(-1, 1)
    image = torch.nn.functional.interpolate(image, (256, 256), mode="area")
    searched, known = (faces.load_detector(name)(image)[0].landmarks for name in ("dlib68", "dlib68-aligned"))
    assert np.linalg.norm(searched - known, axis=1).mean() < 0.01 * 256
    scores = load_scorer("geometry,lighting")(image)
    assert scores.isfinite().all() and scores.shape == (1, 8)


@pytest.mark.weights
def test_two_classifiers_agree_but_are_two():
    """What one teaches, the other judges."""
    one, other = load_scorer("attributes"), load_scorer("attributes-judge")
    assert one.names == other.names and one.fingerprint != other.fingerprint
    generator = stylegan2.load("mobile-ffhq")
    with torch.no_grad():
        faces_ = generator.synthesis(
            generator.mapping(stylegan2.z_from_seeds(range(8), generator.z_dim), psi=0.7), resolution=256
        )
        male = one.names.index("male")
        a, b = one.logits(faces_)[:, male], other.logits(faces_)[:, male]
    assert np.corrcoef(a, b)[0, 1] > 0.8
