"""The shape of a face from its landmarks: pose, eyes, width, mouth. Nothing is trained but the landmarks."""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from numpy.typing import NDArray

from latentlab.faces.detectors import FaceDetector, load_detector
from latentlab.faces.pose import pose_of
from latentlab.scorers import mouth
from latentlab.scorers.landmarks import LandmarkScorer
from latentlab.scorers.threshold import Threshold

# Landmarks of iBUG 300-W: pairs of the upper and lower lid, the corners of each eye, the jaw at the ears' height,
# and the brow's middle and chin.
_LIDS = ((37, 41), (38, 40), (43, 47), (44, 46))
_EYES = ((36, 39), (42, 45))
_JAW = (1, 15)
_HEIGHT = (27, 8)


class FaceGeometry(LandmarkScorer):
    """Angles and lengths of a face, from 68 landmarks.

    'yaw' and 'pitch' are in degrees (see `latentlab.faces.pose`). 'eye_opening' is the height of the eyes over their
    width. 'face_width' is the width of the face at the cheekbones over its height from the brow to the chin.
    'mouth_opening' and 'mouth_width' are in distances of the eyes (see `MouthGeometry`). They are not probabilities:
    samples are labelled at the median of each, and directions are learnt from degrees or from these labels.

    Parameters
    ----------
    detector
        Face detector that finds 68 landmarks.
    """

    names = ("yaw", "pitch", "eye_opening", "face_width", "mouth_opening", "mouth_width")
    threshold = Threshold.parse("median")

    def __init__(self, detector: FaceDetector) -> None:
        super().__init__(detector)
        version = f"face geometry 1, {detector.name}"
        self.fingerprint = hashlib.sha256(version.encode()).hexdigest()

    def measure(self, landmarks: NDArray[np.float64]) -> NDArray[np.float64]:
        """See `measure`."""
        return measure(landmarks)


def measure(landmarks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Measure what `FaceGeometry` names, `(6,)`, from `landmarks (68, 2)`, (x, y) in pixels."""

    def length(one: int, other: int) -> float:
        return float(np.linalg.norm(landmarks[one] - landmarks[other]))

    pose = pose_of(landmarks)
    opening = np.mean([length(*lids) for lids in _LIDS]) / np.mean([length(*eye) for eye in _EYES])
    _, width, gap = mouth.measure(landmarks)
    return np.array([pose.yaw, pose.pitch, opening, length(*_JAW) / length(*_HEIGHT), gap, width])


def load_geometry(device: torch.device | str = "cpu") -> FaceGeometry:
    """Load it with dlib's landmarks of faces in FFHQ's crop, such as generated ones; dlib works on the CPU."""
    return FaceGeometry(load_detector("dlib68-aligned"))
