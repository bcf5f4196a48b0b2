"""Where the FFHQ crop lies in a photo, and how the pixels of both map to each other.

Positions are (x, y) in float64 and continuous: pixel (i, j) covers [j, j + 1) × [i, i + 1), its centre lies
at +0.5. FFHQ's own program names pixels by their index and adds the half pixel at its last step; here it is
in the landmarks from the start, so that every step below is plain arithmetic on positions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentlab.errors import UserError

Array = NDArray[np.float64]
Sides = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class Points:
    """Anchors of a face; left and right are those of the image.

    Attributes
    ----------
    eye_left, eye_right
        Centres of the eyes, `(2,)` each.
    mouth
        Midpoint of the mouth's corners, `(2,)`.
    """

    eye_left: Array
    eye_right: Array
    mouth: Array

    @classmethod
    def of(cls, landmarks: Array) -> Points:
        """Take the anchors from 68 landmarks, or from dlib's 5, for which the mouth is estimated from the nose."""
        if landmarks.shape == (68, 2):
            left, right = landmarks[36:42].mean(0), landmarks[42:48].mean(0)
            return cls(left, right, (landmarks[48] + landmarks[54]) / 2)
        if landmarks.shape == (5, 2):
            return _of_five(landmarks)
        raise ValueError(f"landmarks are (68, 2) or (5, 2), not {landmarks.shape}")


# Measured on generated faces by benchmarks/five_landmarks.py, in the frame of the corners of the eyes
# (`in_eye_frame`): how far the mean of an eye's six landmarks lies above the midpoint of its corners, and the
# mouth (MOUTH_ACROSS · x, MOUTH_DOWN · y + MOUTH_OFFSET) of a nose with its base at (x, y).
EYES_ABOVE = 0.014
MOUTH_ACROSS, MOUTH_DOWN, MOUTH_OFFSET = 0.168, 0.854, 0.364


def in_eye_frame(eye_left: Array, eye_right: Array, point: Array) -> Array:
    """Express a position `(2,)` from the eyes' midpoint, along their line and perpendicular to it, in eye distances."""
    e = eye_right - eye_left
    along, square = e / (e @ e), e[::-1] * [-1, 1] / (e @ e)
    return np.stack([along, square]) @ (point - (eye_left + eye_right) / 2)


def _of_five(landmarks: Array) -> Points:
    """The anchors of dlib's 5 landmarks: the mouth, and the eyes' height, are estimates."""
    left, right, nose = landmarks[2:4].mean(0), landmarks[:2].mean(0), landmarks[4]
    e = right - left
    square = e[::-1] * [-1, 1]
    x, y = in_eye_frame(left, right, nose)
    mouth = (left + right) / 2 + MOUTH_ACROSS * x * e + (MOUTH_DOWN * y + MOUTH_OFFSET) * square
    return Points(left - EYES_ABOVE * square, right - EYES_ABOVE * square, mouth)


def quad_of(points: Points) -> Array:
    r"""Compute the corners `(4, 2)` of FFHQ's crop: upper left, lower left, lower right, upper right.

    e leads from eye to eye, m from between them to between the mouth's corners. The half axis x is e + m
    turned a quarter anticlockwise, scaled to :math:`\max(2\,\lVert e\rVert, 1.8\,\lVert m\rVert)`; y is x turned a
    quarter clockwise; the centre lies 0.1 · m below the eyes.

    Source: the alignment of FFHQ (Karras et al. 2019).
    """
    e = points.eye_right - points.eye_left
    eyes = (points.eye_left + points.eye_right) / 2
    m = points.mouth - eyes
    x = e - m[::-1] * [-1, 1]
    if not np.hypot(*x) > 0:
        raise ValueError("the landmarks of a face do not coincide")
    x = x / np.hypot(*x) * max(2 * np.hypot(*e), 1.8 * np.hypot(*m))
    y = x[::-1] * [-1, 1]
    c = eyes + 0.1 * m
    return np.stack([c - x - y, c - x + y, c + x + y, c + x - y])


def frame_of(width: float, height: float) -> Array:
    """Corners `(4, 2)` of a whole photo, in the order of a crop's."""
    return np.array([[0, 0], [0, height], [width, height], [width, 0]], dtype=np.float64)


@dataclass(frozen=True, eq=False)
class CropGeometry:
    """Geometry of a square crop in a photo; `CropGeometry.plan` makes it.

    Attributes
    ----------
    quad
        `(4, 2)`: the crop's corners in pixels of the photo: upper left, lower left, lower right, upper right.
    shrink
        Factor by which the photo is reduced first.
    crop
        Left, top, right, bottom of the part that is cut out of the reduced photo, in its pixels.
    pad
        Pixels put around that: left, top, right, bottom.
    resolution
        Resolution of the crop in pixels.
    photo_size
        Width and height of the photo.
    """

    quad: Array
    shrink: int
    crop: Sides
    pad: Sides
    resolution: int
    photo_size: tuple[int, int]

    def __post_init__(self) -> None:
        q = self.quad
        if q.shape != (4, 2) or not np.allclose(q[0] + q[2], q[1] + q[3], rtol=1e-9, atol=1e-6):
            raise ValueError(f"a quad is the four corners of a parallelogram, not {q.tolist()}")

    @classmethod
    def plan(cls, quad: Array, resolution: int, photo_size: tuple[int, int]) -> CropGeometry:
        """Plan FFHQ's crop for `quad (4, 2)` in a photo of `photo_size` (width, height).

        Reduce by floor(length / resolution / 2) where that is above 1, length being the quad's side; cut out the
        quad with a border of 10 % of the length, 3 pixels at least; where the quad comes within 4 pixels of
        the photo's edge, pad every side to 30 % of the length at least. A quad that is the whole photo, as for a face
        that is aligned already, lacks nothing beyond it: no padding.
        """
        length = float(np.hypot(*(quad[3] - quad[0])))
        shrink = max(int(length / resolution / 2), 1)
        size = np.array([round(extent / shrink) for extent in photo_size])
        within = quad * (size / photo_size) - 0.5  # pixel indices, which FFHQ rounds
        length /= shrink
        border = max(round(length * 0.1), 3)
        low, high = np.floor(within.min(0)) - border, np.ceil(within.max(0)) + border
        start, end = np.maximum(low, 0), np.minimum(high, size)
        pad = np.maximum(np.concatenate([start - low, high - end]), 0)
        if np.array_equal(quad, frame_of(*photo_size)):
            pad[:] = 0
        elif pad.max() > border - 4:
            pad = np.maximum(pad, round(length * 0.3))
        else:
            pad[:] = 0
        return cls(quad, shrink, _sides([*start, *end]), _sides(pad), resolution, photo_size)

    @property
    def length(self) -> float:
        """Width of the quad in pixels of the photo."""
        return float(np.hypot(*(self.quad[3] - self.quad[0])))

    @property
    def reduced_size(self) -> tuple[int, int]:
        """Width and height of the reduced photo."""
        width, height = self.photo_size
        return round(width / self.shrink), round(height / self.shrink)

    def homography(self) -> Array:
        """Return the matrix `(3, 3)` from the crop's pixels to the photo's."""
        matrix = np.eye(3)
        matrix[:2, 0] = (self.quad[3] - self.quad[0]) / self.resolution
        matrix[:2, 1] = (self.quad[1] - self.quad[0]) / self.resolution
        matrix[:2, 2] = self.quad[0]
        return matrix

    def inverse(self) -> Array:
        """Return the matrix `(3, 3)` from the photo's pixels to the crop's."""
        return np.asarray(np.linalg.inv(self.homography()), dtype=np.float64)

    def to_photo(self, points: Array) -> Array:
        """Map positions `(…, 2)` in the crop to the photo."""
        return apply(self.homography(), points)

    def to_crop(self, points: Array) -> Array:
        """Map positions `(…, 2)` in the photo to the crop."""
        return apply(self.inverse(), points)

    def to_padded(self) -> Array:
        """Return the matrix `(3, 3)` from the photo's pixels to those of the reduced, cut out and padded photo."""
        matrix = np.diag([*(np.array(self.reduced_size) / self.photo_size), 1.0])
        matrix[:2, 2] = np.array(self.pad[:2]) - np.array(self.crop[:2])
        return matrix

    def towards_edge(self, x: Array, y: Array) -> Array:
        """Measure how far positions of the padded photo are in the padding: 1 at its outer edge, 0 at the photo's own.

        Negative inside the photo, falling by 1 for a padding's width. −inf where nothing is padded.
        """
        left, top, right, bottom = self.pad
        if not any(self.pad):
            return np.full(np.broadcast_shapes(x.shape, y.shape), -np.inf)
        width = self.crop[2] - self.crop[0] + left + right
        height = self.crop[3] - self.crop[1] + top + bottom
        # Indices, as in FFHQ's program: 1 is reached at the centre of the outermost pixel.
        across = np.minimum((x - 0.5) / left, (width - 0.5 - x) / right)
        down = np.minimum((y - 0.5) / top, (height - 0.5 - y) / bottom)
        return np.asarray(1 - np.minimum(across, down))

    def to_dict(self) -> dict[str, Any]:
        """Return the geometry as JSON holds it; `from_dict` takes it back without loss."""
        return {
            "quad": self.quad.tolist(),
            "shrink": self.shrink,
            "crop": list(self.crop),
            "pad": list(self.pad),
            "side": self.resolution,  # the name in files
            "photo_size": list(self.photo_size),
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> CropGeometry:
        """Make a geometry from what `to_dict` gave; UserError if it is something else."""
        try:
            quad = np.array(data["quad"], dtype=np.float64)
            width, height = data["photo_size"]
            size = int(width), int(height)
            return cls(quad, int(data["shrink"]), _sides(data["crop"]), _sides(data["pad"]), int(data["side"]), size)
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"this is no geometry of a crop: {error!r}") from error


def apply(matrix: Array, points: Array) -> Array:
    """Move positions `(…, 2)` by an affine `matrix (3, 3)`."""
    return np.asarray(points @ matrix[:2, :2].T + matrix[:2, 2])


def _sides(values: Any) -> Sides:
    left, top, right, bottom = (int(value) for value in values)
    return left, top, right, bottom
