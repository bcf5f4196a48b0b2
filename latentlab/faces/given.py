"""Faces that are known already: crops in FFHQ's framing, and landmarks or boxes from a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from latentlab.csv_files import read_rows
from latentlab.errors import UserError
from latentlab.faces.cropping import crop
from latentlab.faces.detectors import ALIGNED_BOX, BOX_PIXELS, Dlib68, FaceDetector, FaceFound
from latentlab.faces.geometry import Points, quad_of
from latentlab.files import read_json
from latentlab.reprs import ShortRepr
from stylegan2.describing import describe
from stylegan2.errors import MALFORMED

_POINTS = (5, 68)
_MOST = 1 << 28  # bytes; a face takes three thousand


@dataclass(frozen=True, eq=False, repr=False)
class GivenFace(ShortRepr):
    """What is known of a face, in pixels of its photo.

    Attributes
    ----------
    points
        `(68, 2)` in the order of iBUG 300-W, or `(5, 2)`: the centres of the eye on the image's left and on its right,
        the tip of the nose, the mouth's corners on the image's left and right. None where only the box is known.
    box
        Left, top, right, bottom as a detector of faces gives them; None where points are known.
    """

    points: NDArray[np.float64] | None = None
    box: tuple[float, float, float, float] | None = None

    @property
    def quad(self) -> NDArray[np.float64] | None:
        """Corners `(4, 2)` of FFHQ's crop; None where they are to be computed from landmarks that are not known."""
        if self.points is None:
            return None
        if len(self.points) == 68:
            return quad_of(Points.of(self.points))
        left, right, _, *mouth = self.points
        return quad_of(Points(left, right, np.mean(mouth, axis=0)))


class GivenFaces:
    """Faces of photos from a file instead of a detector.

    The file is JSON or CSV. JSON has, by the name of the photo's file, a list of faces or a single one: a list of 5 or
    68 points (x, y), `{"landmarks": [...]}`, `{"box": [left, top, right, bottom]}`, or the file that `latentlab align`
    writes beside a face. CSV has a line for each face: the photo's name and 4, 10 or 136 numbers, which are a box or
    points; a heading is passed over. Points that a face lacks are predicted by dlib, for the mask of the face and its
    pose; the crop is that of the points that are given.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    UserError
        The file is none of these; says which face is wrong.
    """

    name = "given"

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._faces = _read_csv(self.path) if self.path.suffix.lower() == ".csv" else _read_json(self.path)
        self._predict = Dlib68()

    def for_photo(self, photo: Path) -> FaceDetector:
        """Return a detector that gives the faces of this photo.

        Raises
        ------
        UserError
            The file has none of this photo.
        """
        given = self._faces.get(photo.name, self._faces.get(photo.stem))
        if given is None:
            names = ", ".join(describe(name) for name in sorted(self._faces)[:5]) + (
                ", …" if len(self._faces) > 5 else ""
            )
            raise UserError(f"{self.path} has no face of {photo.name}; it has those of {names or 'no photo'}")
        return _OfOnePhoto(self.name, given, self._predict.face_in)


@dataclass(frozen=True)
class _OfOnePhoto:
    name: str
    given: Sequence[GivenFace]
    predict: Callable[[Tensor, NDArray[np.float64]], FaceFound]

    def __call__(self, photo: Tensor) -> list[FaceFound]:
        """Return the faces, the largest first."""
        return sorted((self._found(photo, one) for one in self.given), key=lambda face: -face.area)

    def _found(self, photo: Tensor, given: GivenFace) -> FaceFound:
        quad = given.quad
        if quad is None:
            assert given.box is not None  # one of the two is known
            return self.predict(photo, np.array(given.box).reshape(2, 2))
        # In the crop the face is upright and its box known.
        image, geometry = crop(photo, quad, BOX_PIXELS)
        found = self.predict(image, np.array(ALIGNED_BOX) * BOX_PIXELS)
        landmarks = given.points
        if landmarks is None or len(landmarks) == 5:
            landmarks = geometry.to_photo(found.landmarks)
        corners = geometry.to_photo(np.array(found.box).reshape(2, 2))
        (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
        return FaceFound((float(left), float(top), float(right), float(bottom)), landmarks, found.score, quad)


def _read_json(path: Path) -> dict[str, tuple[GivenFace, ...]]:
    data = read_json(path, dict[str, Any], most=_MOST)
    if isinstance(data.get("photo"), str) and "face" in data:
        data = {Path(data["photo"]).name: data["face"]}
    if not data:
        raise UserError(f"{path} has no faces by the names of their photos")
    return {name: tuple(_faces_of(value, f"{path}, {describe(name)}")) for name, value in data.items()}


def _faces_of(value: Any, where: str) -> list[GivenFace]:
    """Read a face, or a list of them."""
    if isinstance(value, list) and value and not _is_points(value):
        return [_face_of(one, where) for one in value]
    return [_face_of(value, where)]


def _is_points(value: list[Any]) -> bool:
    first = value[0]
    return isinstance(first, list) and len(first) == 2 and not isinstance(first[0], list)


def _face_of(value: Any, where: str) -> GivenFace:
    if isinstance(value, Mapping):
        if "landmarks" in value:
            return _with_points(value["landmarks"], where)
        if "box" in value:
            return _with_box(value["box"], where)
    if isinstance(value, list):
        return _with_points(value, where)
    raise UserError(f"{where}: a face has landmarks or a box, unlike {describe(value)}")


def _read_csv(path: Path) -> dict[str, tuple[GivenFace, ...]]:
    found: dict[str, list[GivenFace]] = {}
    for place, (number, row) in enumerate(read_rows(path)):
        name, *cells = (cell.strip() for cell in row)
        if not name or (place == 0 and not _are_numbers(cells)):
            continue
        where = f"{path}, line {number}"
        if not _are_numbers(cells) or len(cells) not in (4, *(2 * n for n in _POINTS)):
            raise UserError(f"{where}: a face has 4, 10 or 136 numbers after the photo's name, not {len(cells)} cells")
        values = [float(cell) for cell in cells]
        face = _with_box(values, where) if len(values) == 4 else _with_points(np.reshape(values, (-1, 2)), where)
        found.setdefault(name, []).append(face)
    if not found:
        raise UserError(f"{path} has no faces")
    return {name: tuple(faces) for name, faces in found.items()}


def _are_numbers(cells: Sequence[str]) -> bool:
    try:
        return bool(cells) and all(np.isfinite(float(cell)) for cell in cells)
    except ValueError:
        return False


def _with_points(value: Any, where: str) -> GivenFace:
    points = _array(value, where)
    if points.shape not in [(n, 2) for n in _POINTS]:
        raise UserError(f"{where}: landmarks are 5 or 68 points (x, y), not {points.shape}")
    eyes, mouth = (points[:2], points[3:]) if len(points) == 5 else (points[36:48], points[48:68])
    across = np.ptp(eyes[:, 0]) + np.ptp(eyes[:, 1])
    if not across or np.hypot(*(mouth.mean(0) - eyes.mean(0))) < 0.1 * across:
        raise UserError(
            f"{where}: mouth and eyes lie in one place; 5 points are the eyes, the nose and the mouth's corners"
        )
    return GivenFace(points=points)


def _with_box(value: Any, where: str) -> GivenFace:
    box = _array(value, where)
    if box.shape != (4,) or not (box[0] < box[2] and box[1] < box[3]):
        told = box.tolist() if box.size <= 4 else f"{box.size} numbers"
        raise UserError(f"{where}: a box is left, top, right, bottom in pixels, not {told}")
    left, top, right, bottom = box.tolist()
    return GivenFace(box=(left, top, right, bottom))


def _array(value: Any, where: str) -> NDArray[np.float64]:
    try:
        found = np.array(value, dtype=np.float64)
    except MALFORMED as error:
        raise UserError(f"{where}: these are no numbers: {describe(value)}") from error
    if not np.isfinite(found).all():
        raise UserError(f"{where}: positions are finite numbers")
    return found
