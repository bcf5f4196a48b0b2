"""The mouth's geometry: known mouths, however the head is turned in the picture, and generated faces that smile."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import stylegan2
from latentlab import faces
from latentlab.directions import load_direction
from latentlab.editing import move, strength_range
from latentlab.errors import UserError
from latentlab.rendering import Renderer
from latentlab.scorers import MouthGeometry
from latentlab.scorers.mouth import measure


def face(lift=0.0, width=40.0, opening=0.0):
    """Landmarks of a face 100 pixels between the eyes, the mouth in the middle below."""
    points = np.zeros((68, 2))
    turn = np.linspace(0, 2 * np.pi, 6, endpoint=False)
    eye = np.stack([8 * np.cos(turn), 4 * np.sin(turn)], axis=1)
    points[36:42], points[42:48] = eye + [-50, 0], eye + [50, 0]
    points[48], points[54] = [-width / 2, 100 - lift], [width / 2, 100 - lift]
    points[51], points[57] = [0, 90 - opening / 2], [0, 110 + opening / 2]
    points[62], points[66] = [0, 100 - opening / 2], [0, 100 + opening / 2]
    return points


@given(
    st.floats(-10, 10), st.floats(20, 80), st.floats(0, 30), st.floats(-1, 1), st.floats(0.1, 10), st.floats(-500, 500)
)
def test_lengths_are_in_eye_distances_whatever_the_tilt_and_size(lift, width, opening, tilt, scale, shift):
    cos, sin = np.cos(tilt), np.sin(tilt)
    points = face(lift, width, opening) @ np.array([[cos, sin], [-sin, cos]]) * scale + shift
    assert measure(points) == pytest.approx([lift / 100, width / 100, opening / 100], abs=1e-9)


@pytest.mark.weights
def test_a_smile_lifts_the_corners_and_widens_the_mouth():
    """Generated persons along the smile direction, and an image without a face."""
    generator = stylegan2.load("mobile-ffhq")
    render = Renderer(generator, generator.resolutions[0])
    scorer = MouthGeometry(faces.load_detector("dlib68"))
    smile = load_direction("smile")
    with torch.no_grad():
        ws = generator.mapping(stylegan2.z_from_seeds([600, 601, 602], generator.z_dim), psi=0.7)
        serious, smiling = (
            scorer(render(move(ws, [(smile, s)], generator)).clamp(-1, 1)) for s in strength_range(smile)
        )
    assert serious.shape == (3, 3) and smiling.isfinite().all()
    assert (smiling[:, 0] > serious[:, 0] + 0.03).all() and (smiling[:, 1] > serious[:, 1]).all()
    assert scorer(torch.zeros(1, 3, 128, 128)).isnan().all()


def test_five_landmarks_have_no_mouth():
    class Five:
        name = "five"

        def __call__(self, photo):
            return [faces.FaceFound((0, 0, 1, 1), np.zeros((5, 2)), 1.0)]

    with pytest.raises(UserError, match="68 landmarks; five finds 5"):
        MouthGeometry(Five())(torch.zeros(1, 3, 8, 8))
