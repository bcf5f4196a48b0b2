"""Regions of a face by its landmarks, and those that edits of an attribute may change."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cache
from importlib import resources

import numpy as np
import torch
from PIL import Image, ImageDraw
from scipy.spatial import ConvexHull
from torch import Tensor

from latentlab.errors import UserError
from latentlab.faces.detectors import FaceDetector
from latentlab.faces.geometry import Array
from latentlab.faces.means import mean_landmarks
from latentlab.faces.paste import face_outline


def regions_of(attribute: str) -> tuple[str, ...]:
    """Regions of the face that edits of an attribute may change, such as ('mouth',) for 'smiling'.

    Returns
    -------
    tuple of str
        Names as `face_region` takes them; empty for an attribute of the whole image, such as 'young' or 'male', and
        for one that the package has no regions for.
    """
    return _shipped().get(attribute, ())


def face_region(landmarks: Array, resolution: int, names: Sequence[str]) -> Tensor:
    """Mark regions of the face of `landmarks (68, 2)` in a square image: `(1, 1, resolution, resolution)`.

    Parameters
    ----------
    landmarks
        (x, y) in pixels of the image.
    resolution
        Height and width of the image.
    names
        'mouth': see `mouth_region`. 'eyes': from the brows to as far below the eyes, where glasses sit. 'brows',
        'nose'. 'lower face': from the nose to the jaw, where beards grow. 'face': from the jaw to the forehead.

    Returns
    -------
    Tensor
        1 within any of them, else 0; zeros if there are no names.

    Raises
    ------
    UserError
        If a region is unknown (lists them).
    """
    region = torch.zeros(1, 1, resolution, resolution)
    for name in names:
        if name not in _OUTLINES:
            raise UserError(f"no region of a face is called {name!r}; there are {', '.join(_OUTLINES)}")
        for outline in _OUTLINES[name](landmarks):
            region = torch.maximum(region, _filled(outline, resolution))
    return region


def find_region(image: Tensor, names: Sequence[str], detector: FaceDetector, resolution: int) -> Tensor | None:
    """Find regions of the face in `image (1, 3, h, h)`; see `face_region`.

    Returns
    -------
    Tensor or None
        `(1, 1, resolution, resolution)`, 1 within; None where no face is found, or not by 68 landmarks.
    """
    found = detector(image)
    if not found or found[0].landmarks.shape != (68, 2):
        return None
    return face_region(found[0].landmarks * resolution / image.shape[3], resolution, names)


def usual_region(names: Sequence[str], resolution: int) -> Tensor:
    """Mark regions where they mostly lie in FFHQ's crop, `(1, 1, resolution, resolution)`; see `face_region`."""
    return face_region(mean_landmarks() * resolution, resolution, names)


def mouth_region(landmarks: Array, resolution: int, grow: float = 1.5) -> Tensor:
    """Mark the mouth of `landmarks (68, 2)` in a square image: `(1, 1, resolution, resolution)`, 1 within, else 0.

    The outline of the lips, made larger about its middle by `grow`, so that a mouth that opens or widens stays within.
    """
    return _filled(_grown(landmarks[48:60], grow), resolution)  # once around


def _filled(outline: Array, resolution: int) -> Tensor:
    """Mask `(1, 1, resolution, resolution)` of a polygon `(n, 2)`."""
    mask = Image.new("1", (resolution, resolution))
    ImageDraw.Draw(mask).polygon([tuple(corner) for corner in outline], fill=1)
    return torch.from_numpy(np.array(mask, dtype=np.float32))[None, None]


def _grown(points: Array, factor: float) -> Array:
    middle = points.mean(axis=0)
    return np.asarray(middle + factor * (points - middle))


def _hull(points: Array, factor: float = 1.0) -> Array:
    """Corners of the convex hull of `points (n, 2)`, made larger about their middle."""
    return _grown(points[ConvexHull(points).vertices], factor)


def _eyes(landmarks: Array) -> list[Array]:
    brows, eyes = landmarks[17:27], landmarks[36:48]
    below = brows + 2 * (eyes.mean(axis=0) - brows.mean(axis=0))
    return [_hull(np.concatenate([brows, below]), 1.1)]


def _brows(landmarks: Array) -> list[Array]:
    half = (landmarks[36:48].mean(axis=0) - landmarks[17:27].mean(axis=0)) / 2
    sides = (landmarks[17:22], landmarks[22:27])
    return [_hull(np.concatenate([side - half, side + half]), 1.1) for side in sides]


# Outlines by the name of a region, from landmarks (68, 2).
_OUTLINES: dict[str, Callable[[Array], list[Array]]] = {
    "mouth": lambda landmarks: [_grown(landmarks[48:60], 1.5)],
    "eyes": _eyes,
    "brows": _brows,
    "nose": lambda landmarks: [_hull(landmarks[27:36], 1.4)],
    "lower face": lambda landmarks: [_hull(np.concatenate([landmarks[:17], landmarks[31:36]]), 1.1)],
    "face": lambda landmarks: [_hull(face_outline(landmarks))],
}


@cache
def _shipped() -> dict[str, tuple[str, ...]]:
    stored = json.loads((resources.files("latentlab") / "data" / "regions.json").read_text(encoding="utf-8"))
    return {attribute: tuple(names) for attribute, names in stored.items()}
