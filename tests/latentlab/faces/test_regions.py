"""Regions of a face by its landmarks."""

import numpy as np
import pytest

from latentlab.errors import UserError
from latentlab.faces import REGIONS, face_region, mean_region
from latentlab.faces.means import mean_landmarks
from latentlab.faces.regions import mouth_region


@pytest.mark.parametrize("name", REGIONS)
def test_a_region_holds_its_landmarks_and_grows_about_them(name):
    landmarks = mean_landmarks() * 128
    mask = mean_region(name, 128)[0, 0].numpy()
    numbers = sorted({number for part in REGIONS[name] for number in part})
    x, y = np.clip(np.round(landmarks[numbers] - 0.5).astype(int), 0, 127).T
    assert mask[y, x].all()
    sizes = [float(face_region(landmarks, name, 128, grow).sum()) for grow in (1.0, 1.2, 1.5)]
    assert 0 < sizes[0] < sizes[1] < sizes[2] < 128**2
    outside = set(range(48, 68)) if name in ("eyes", "glasses", "nose") else set()
    assert not any(mask[int(landmarks[k, 1]), int(landmarks[k, 0])] for k in outside & {48, 54, 57})


def test_the_mouth_is_that_of_the_landmarks():
    """Its outline is convex on the mean face, so that both ways of marking it agree."""
    landmarks = mean_landmarks() * 200
    one, other = face_region(landmarks, "mouth", 200), mouth_region(landmarks, 200)
    assert float((one - other).abs().sum()) < 0.05 * float(one.sum())


def test_an_unknown_region_is_refused_with_those_there_are():
    with pytest.raises(UserError, match="no region is called 'moth'; there are mouth, eyes, glasses, nose"):
        mean_region("moth", 64)
