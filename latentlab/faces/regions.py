"""Regions of a face by its landmarks, and those that edits of an attribute may change."""

from __future__ import annotations

import json
from collections.abc import Sequence
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

REGIONS: dict[str, tuple[range, ...]] = {
    "mouth": (range(48, 60),),
    "eyes": (range(36, 42), range(42, 48)),
    "glasses": (range(17, 48),),
    "nose": (range(27, 36),),
    "lower face": (range(3, 14),),
    "face": (range(68),),
}
"""Landmarks around the parts of each region, among the 68; glasses cover brows, eyes and nose."""


def region_of(attribute: str) -> str | None:
    """Name the region that edits of an attribute may change, from the package's data, such as 'mouth' for 'smiling'.

    None for an attribute of the whole image, such as 'young' or 'male', and for one that is not in the data.
    """
    return _shipped().get(attribute)


def face_region(landmarks: Array, name: str, resolution: int, grow: float = 1.5) -> Tensor:
    """Mark a region of a face in a square image: `(1, 1, resolution, resolution)`, 1 within, else 0.

    Parameters
    ----------
    landmarks
        `(68, 2)`, in pixels.
    name
        One of `REGIONS`. A region is the convex hull of its landmarks, part by part.
    resolution
        Height and width of the image.
    grow
        How much larger each part is made about the middle of its landmarks.

    Raises
    ------
    UserError
        If there is no such region.
    """
    if name not in REGIONS:
        raise UserError(f"no region is called {name!r}; there are {', '.join(REGIONS)}")
    parts = [landmarks[list(part)] for part in REGIONS[name]]
    return _mark([part[ConvexHull(part).vertices] for part in parts], parts, resolution, grow)


def mean_region(name: str, resolution: int, grow: float = 1.5) -> Tensor:
    """Mark a region of the mean face, for images that are framed as FFHQ is; see `face_region`.

    Eyes and mouth lie at the same place in all of these, within a few hundredths of the width, so that no detector is
    needed: `grow` makes up for the rest.
    """
    return face_region(mean_landmarks() * resolution, name, resolution, grow)


def find_region(image: Tensor, name: str, detector: FaceDetector, resolution: int) -> Tensor | None:
    """Find a region of the face in `image (1, 3, h, h)`.

    Returns
    -------
    Tensor or None
        `(1, 1, resolution, resolution)` as `face_region` marks it; None where no face is found, or not by 68 landmarks.
    """
    landmarks = find_landmarks(image, detector)
    return None if landmarks is None else face_region(landmarks * resolution / image.shape[3], name, resolution)


def find_landmarks(image: Tensor, detector: FaceDetector) -> Array | None:
    """Landmarks `(68, 2)` of the largest face in `image (1, 3, h, w)`; None where there is none, or not so many."""
    found = detector(image)
    return found[0].landmarks if found and found[0].landmarks.shape == (68, 2) else None


def mouth_region(landmarks: Array, resolution: int, grow: float = 1.5) -> Tensor:
    """Mark the mouth of `landmarks (68, 2)` in a square image: `(1, 1, resolution, resolution)`, 1 within, else 0.

    The outline of the lips, made larger about its middle by `grow`, so that a mouth that opens or widens stays within.
    """
    lips = landmarks[48:60]  # once around
    return _mark([lips], [lips], resolution, grow)


def _mark(outlines: Sequence[Array], parts: Sequence[Array], resolution: int, grow: float) -> Tensor:
    """Fill polygons, each made larger about the middle of the landmarks of its part."""
    mask = Image.new("1", (resolution, resolution))
    for outline, part in zip(outlines, parts, strict=True):
        middle = part.mean(axis=0)
        ImageDraw.Draw(mask).polygon([tuple(corner) for corner in middle + grow * (outline - middle)], fill=1)
    return torch.from_numpy(np.array(mask, dtype=np.float32))[None, None]


@cache
def _shipped() -> dict[str, str]:
    stored: dict[str, str] = json.loads((resources.files("latentlab") / "data" / "regions.json").read_text("utf-8"))
    return stored
