"""The mouth's shape from landmarks: how far its corners rise, how wide and how far open it is; nothing is trained."""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab.errors import UserError
from latentlab.faces.detectors import FaceDetector
from latentlab.images import as_batch

# Landmarks of iBUG 300-W: the eyes, the corners of the mouth, and the middles of the lips' outer and inner edges.
_RIGHT_EYE, _LEFT_EYE = slice(36, 42), slice(42, 48)
_CORNERS = (48, 54)
_OUTER_LIPS = (51, 57)
_INNER_LIPS = (62, 66)


class MouthGeometry:
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
    img_channels = 3
    probabilities = False

    def __init__(self, detector: FaceDetector) -> None:
        self.detector = detector
        version = f"mouth geometry 1, {detector.name}"
        self.fingerprint = hashlib.sha256(version.encode()).hexdigest()[:16]

    def __repr__(self) -> str:
        return f"MouthGeometry({', '.join(self.names)}; {self.detector.name})"

    def __call__(self, images: Tensor) -> Tensor:
        """Measure the largest face in each of `images (b, 3, h, w)` in [-1, 1]: `(b, 3)`, NaN where there is none.

        Raises
        ------
        UserError
            If the detector finds other landmarks.
        """
        images = as_batch(images)
        rows = [self._of(image[None]) for image in images.detach()]
        return torch.tensor(np.stack(rows), dtype=torch.float32, device=images.device)

    def _of(self, image: Tensor) -> NDArray[np.float64]:
        landmarks = landmarks_of(self.detector, image)
        return np.full(len(self.names), np.nan) if landmarks is None else measure(landmarks)


def landmarks_of(detector: FaceDetector, image: Tensor) -> NDArray[np.float64] | None:
    """Landmarks `(68, 2)` of the largest face in `image (1, 3, h, w)`, (x, y) in pixels; None if there is none.

    Raises
    ------
    UserError
        If the detector finds other landmarks.
    """
    found = detector(image)
    if not found:
        return None
    if found[0].landmarks.shape != (68, 2):
        raise UserError(f"a face is measured by 68 landmarks; {detector.name} finds {len(found[0].landmarks)}")
    return found[0].landmarks


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
