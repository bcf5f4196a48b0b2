"""Finding faces and their landmarks in a photo: the protocol, and dlib's detector with its two predictors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from latentlab import weights
from latentlab.errors import UserError
from latentlab.faces.dlib_models import import_dlib, load_predictor, to_array
from latentlab.faces.geometry import frame_of
from latentlab.images import as_batch
from latentlab.reprs import ShortRepr
from latentlab.schemas import checked

# Faces are searched for on a copy of the photo of about this many pixels. dlib's detector looks for faces of 80
# pixels and more, here a seventeenth of the width of a square photo, however large or small the photo is.
SEARCH_PIXELS = 1400**2
# Landmarks are predicted on a copy of the face's surroundings in which its box is this many pixels wide: the
# predictor answers in whole pixels, which on a small photo would be coarse.
BOX_PIXELS = 600

# Below this score there are mostly no faces: such a find counts only where there is no better one.
DOUBTFUL = 0.25


@dataclass(frozen=True, eq=False, repr=False)
class FaceFound(ShortRepr):
    """One face in an upright photo. Positions are continuous: pixel (i, j) covers [j, j + 1) × [i, i + 1).

    Attributes
    ----------
    box
        Left, top, right, bottom in pixels of the photo; it may reach beyond it.
    landmarks
        `(68, 2)` or `(5, 2)` float64, (x, y) in pixels of the photo; they may lie beyond it.
    score
        Confidence of the detector, unbounded; higher is surer.
    quad
        Corners `(4, 2)` of FFHQ's crop, see `latentlab.faces.geometry`, where it is known; None where it is that of the
        landmarks.
    """

    box: tuple[float, float, float, float]
    landmarks: NDArray[np.float64]
    score: float
    quad: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        if self.landmarks.shape not in ((68, 2), (5, 2)) or not np.isfinite(self.landmarks).all():
            raise ValueError(f"landmarks are (68, 2) or (5, 2) finite numbers, not {self.landmarks.shape}")

    @property
    def area(self) -> float:
        """Area of the box in pixels of the photo."""
        left, top, right, bottom = self.box
        return (right - left) * (bottom - top)

    def to_dict(self) -> dict[str, Any]:
        """Return the face as JSON holds it."""
        quad = {} if self.quad is None else {"quad": self.quad.tolist()}
        return {"box": list(self.box), "landmarks": self.landmarks.tolist(), "score": self.score, **quad}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> FaceFound:
        """Make a face from what `to_dict` gave; UserError if it is not one."""
        stored = checked(data, _Stored, "this is no face")
        if len(stored.landmarks) not in (5, 68):
            raise UserError(f"a face has 68 or 5 landmarks, not {len(stored.landmarks)}")
        quad = None if stored.quad is None else np.array(stored.quad, dtype=np.float64)
        return cls(stored.box, np.array(stored.landmarks, dtype=np.float64), stored.score, quad)


_Point = tuple[float, float]


@dataclass(frozen=True)
class _Stored:
    """A face as JSON holds it; fields as in `FaceFound`."""

    box: tuple[float, float, float, float]
    landmarks: list[_Point]
    score: float
    quad: tuple[_Point, _Point, _Point, _Point] | None = None


class FaceDetector(Protocol):
    """Detects the faces in a photo, and their landmarks."""

    @property
    def name(self) -> str:
        """Name of the detector in files and messages."""
        ...

    def __call__(self, photo: Tensor) -> list[FaceFound]:
        """Find the faces in `photo (1, 3, h, w)` in [-1, 1], the largest first; an empty list if there is none.

        Landmarks are 68 in the order of iBUG 300-W, or 5: the outer and inner corner of the eye on the
        image's right, the outer and inner corner of the one on its left, and the base of the nose.
        """
        ...


class _Dlib:
    """dlib's detector (histograms of oriented gradients, faces from the front) and one of its predictors.

    The models are fetched on first use, see `latentlab.weights`.

    Raises
    ------
    UserError
        If dlib is not installed, or the models cannot be fetched.
    """

    name: str
    _model: str

    def __init__(self) -> None:
        dlib = import_dlib()
        self._rectangle = dlib.rectangle
        self._detect = dlib.get_frontal_face_detector()
        self._predict = load_predictor(weights.get("face-landmarks") / self._model)

    def __reduce__(self) -> tuple[type[_Dlib], tuple[()]]:
        """What it is in another process: dlib's models cannot be sent, and are loaded there."""
        return type(self), ()

    def __call__(self, photo: Tensor) -> list[FaceFound]:
        """Find the faces in `photo (1, 3, h, w)` or `(3, h, w)` in [-1, 1], the largest first."""
        photo = as_batch(photo, "a photo")
        if len(photo) != 1:
            raise ValueError(f"a photo is (1, 3, height, width), not {tuple(photo.shape)}")
        height, width = photo.shape[2:]
        scale = (SEARCH_PIXELS / (height * width)) ** 0.5
        copy, step = _resized(photo, scale)
        boxes, scores, _ = self._detect.run(to_array(copy), 0, 0.0)
        faces = []
        for box, score in zip(boxes, scores, strict=True):
            if score < min(DOUBTFUL, max(scores)):
                continue
            # dlib's rectangles hold their last column and row.
            corners = np.array([[box.left(), box.top()], [box.right() + 1, box.bottom() + 1]]) * step
            faces.append(self.face_in(photo, corners, score))
        return sorted(faces, key=lambda face: -face.area)

    def face_in(self, photo: Tensor, corners: NDArray[np.float64], score: float = 1.0) -> FaceFound:
        """Find the landmarks of the face between two `corners (2, 2)` of its box: upper left, lower right."""
        (left, top), (right, bottom) = corners
        reach = (right - left) / 2
        x0, y0 = max(int(left - reach), 0), max(int(top - reach), 0)
        surroundings = photo[:, :, y0 : int(bottom + reach) + 1, x0 : int(right + reach) + 1]
        copy, step = _resized(surroundings, BOX_PIXELS / (right - left))
        origin = np.array([x0, y0])
        shape = self._predict(to_array(copy), self._rectangle(*np.rint((corners - origin) / step).astype(int).ravel()))
        # The predictor names pixels; their centres lie half a pixel further.
        landmarks = np.array([[point.x + 0.5, point.y + 0.5] for point in shape.parts()]) * step + origin
        return FaceFound((float(left), float(top), float(right), float(bottom)), landmarks, float(score))


class Dlib68(_Dlib):
    """dlib's detector with its predictor of 68 landmarks (Kazemi & Sullivan 2014)."""

    name = "dlib68"
    _model = "shape_predictor_68_face_landmarks.dat"


class Dlib5(_Dlib):
    """dlib's detector with its predictor of 5 landmarks."""

    name = "dlib5"
    _model = "shape_predictor_5_face_landmarks.dat"


# Where the detector finds the face in generated faces of FFHQ's crop, in fractions of the width: the mean box of the
# seeds 100 to 115 of `mobile-ffhq` at psi 0.7; its edges vary by 0.01 to 0.04.
ALIGNED_BOX = ((0.227, 0.324), (0.799, 0.896))


class Aligned68(_Dlib):
    """dlib's predictor of 68 landmarks for faces that are known to be in FFHQ's crop; they are not searched for.

    Several times faster than `Dlib68`. Every image is taken to show a face.
    """

    name = "dlib68-aligned"
    _model = "shape_predictor_68_face_landmarks.dat"

    def __call__(self, photo: Tensor) -> list[FaceFound]:
        """Find the landmarks of the face in `photo (1, 3, h, h)` or `(3, h, h)` in [-1, 1]."""
        photo = as_batch(photo, "a photo")
        if len(photo) != 1:
            raise ValueError(f"a photo is (1, 3, height, width), not {tuple(photo.shape)}")
        height, width = photo.shape[2:]
        if height != width:
            raise UserError(
                f"an aligned face is a square in FFHQ's framing, not {width}x{height}; `latentlab align` cuts them out "
                "of photos"
            )
        return [replace(self.face_in(photo, np.array(ALIGNED_BOX) * width), quad=frame_of(width, height))]


DETECTORS: dict[str, type[_Dlib]] = {detector.name: detector for detector in (Dlib68, Dlib5, Aligned68)}


def load_detector(name: str = "dlib68") -> FaceDetector:
    """Load the detector 'dlib68' or 'dlib5', or 'dlib68-aligned' for faces that are in FFHQ's crop already.

    Raises
    ------
    UserError
        If there is no such detector, dlib is not installed, or its models cannot be fetched.
    """
    if name not in DETECTORS:
        raise UserError(f"no detector is called {name!r}; there are {', '.join(DETECTORS)}")
    return DETECTORS[name]()


def _resized(photo: Tensor, scale: float) -> tuple[Tensor, NDArray[np.float64]]:
    """A copy of `photo` scaled to whole pixels, and how many of the photo's pixels one of the copy's is, (x, y)."""
    height, width = photo.shape[2:]
    size = max(round(height * scale), 1), max(round(width * scale), 1)
    copy = F.interpolate(photo.float().cpu(), size, mode="bicubic", antialias=True)
    return copy, np.array([width / size[1], height / size[0]])
