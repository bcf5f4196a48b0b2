"""Pose of a head: a rough estimate from a few landmarks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from latentlab.faces.geometry import Array


@dataclass(frozen=True)
class Pose:
    """Angles of a head in degrees; all are 0 for a face that looks straight into the camera.

    Attributes
    ----------
    yaw
        Positive where the face looks to the right of the image.
    pitch
        Positive where it looks up.
    roll
        Positive where the head is tilted clockwise in the image.
    """

    yaw: float
    pitch: float
    roll: float


# An average face by the numbers of its landmarks among the 68: x to the right, y down, z towards the camera,
# in units of the distance of the eyes. The one rigid shape that, turned and projected, comes nearest to the
# landmarks of 158 generated faces; a coordinate of a landmark is off by 0.03 on average.
FACE = {
    36: (-0.70, -0.01, -0.03),  # outer corner of the left eye
    39: (-0.30, 0.01, 0.03),  # inner corner of the left eye
    42: (0.30, 0.01, 0.03),  # inner corner of the right eye
    45: (0.70, -0.01, -0.03),  # outer corner of the right eye
    30: (0.00, 0.51, 0.53),  # tip of the nose
    33: (0.00, 0.73, 0.37),  # base of the nose
    48: (-0.48, 1.00, 0.02),  # left corner of the mouth
    54: (0.48, 1.00, 0.02),  # right corner of the mouth
    8: (0.00, 1.81, 0.12),  # chin
}
# What dlib's 5 landmarks are among the 68.
_FIVE = (45, 42, 36, 39, 33)


def pose_of(landmarks: Array) -> Pose:
    """Estimate the pose of a face with `landmarks (68, 2)` or `(5, 2)`.

    An average face is turned until its scaled orthographic projection comes nearest to the landmarks. Faces
    and expressions differ: take the angles as right to some 10 degrees, the pitch from 5 landmarks to 15.
    They serve to tell a face seen from the front from one that is turned away.
    """
    # They take half a second to import, and whoever pastes or detects does without them.
    from scipy.optimize import least_squares
    from scipy.spatial.transform import Rotation

    numbers = list(FACE) if landmarks.shape == (68, 2) else list(_FIVE)
    model = np.array([FACE[number] for number in numbers])  # (n, 3)
    seen = landmarks[numbers] if landmarks.shape == (68, 2) else landmarks  # (n, 2)
    model = model - model.mean(0)
    seen = (seen - seen.mean(0)) / np.linalg.norm(seen - seen.mean(0)) * np.linalg.norm(model[:, :2])

    def residual(unknown: Array) -> Array:
        turned = Rotation.from_euler("yxz", unknown[:3]).apply(model)
        return np.asarray((unknown[3] * turned[:, :2] - seen).ravel())

    eyes = seen[numbers.index(45)] - seen[numbers.index(36)]
    begin = [0.0, 0.0, np.arctan2(eyes[1], eyes[0]), 1.0]
    yaw, pitch, roll = np.degrees(least_squares(residual, begin).x[:3])
    return Pose(float(yaw), float(pitch), float(roll))
