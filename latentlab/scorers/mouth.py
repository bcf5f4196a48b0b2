"""The mouth's shape from landmarks: how far its corners rise, how wide and how far open it is; nothing is trained."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from latentlab.faces.detectors import FaceDetector
from latentlab.scorers.landmarks import LandmarkScorer

# Landmarks of iBUG 300-W: the eyes, the corners of the mouth, and the middles of the lips' outer and inner edges.
_RIGHT_EYE, _LEFT_EYE = slice(36, 42), slice(42, 48)
_CORNERS = (48, 54)
_OUTER_LIPS = (51, 57)
_INNER_LIPS = (62, 66)


class MouthGeometry(LandmarkScorer):
    """Three lengths of the mouth, in units of the distance between the eyes' centres, corrected for the head's tilt.

    'corner_lift' is how far the corners lie above the point halfway between the lips' outer edges, 'width' the
    distance between the corners, 'opening' that between the lips' inner edges. A turned head shortens the distance
    of the eyes, which makes everything else longer. They are not probabilities: a threshold must be chosen for each.

    Parameters
    ----------
    detector
        A face detector that finds 68 landmarks.
    """

    names = ("corner_lift", "width", "opening")

    def __init__(self, detector: FaceDetector) -> None:
        super().__init__(detector)
        version = f"mouth geometry 1, {detector.name}"
        self.fingerprint = hashlib.sha256(version.encode()).hexdigest()[:16]

    def measure(self, landmarks: NDArray[np.float64]) -> NDArray[np.float64]:
        """See `measure`."""
        return measure(landmarks)


def measure(landmarks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Measure corner lift, width and opening, `(3,)`, from `landmarks (68, 2)`, (x, y) in pixels."""
    across = landmarks[_LEFT_EYE].mean(axis=0) - landmarks[_RIGHT_EYE].mean(axis=0)
    unit = float(np.linalg.norm(across))
    right = across / unit
    down = np.array([-right[1], right[0]])
    corners = landmarks[list(_CORNERS)]
    outer, inner = landmarks[list(_OUTER_LIPS)], landmarks[list(_INNER_LIPS)]
    lift = (outer.mean(axis=0) - corners.mean(axis=0)) @ down
    width = (corners[1] - corners[0]) @ right
    opening = (inner[1] - inner[0]) @ down
    return np.array([lift, width, opening]) / unit
