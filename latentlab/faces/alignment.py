"""Photos to aligned faces: find the faces, cut them out as FFHQ does, and name doubts about them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from torch import Tensor

from latentlab import images
from latentlab.errors import UserError
from latentlab.faces.cropping import crop
from latentlab.faces.detectors import FaceDetector, FaceFound
from latentlab.faces.geometry import CropGeometry, Points, quad_of
from latentlab.faces.given import GivenFaces
from latentlab.faces.pose import Pose, pose_of

Which = Literal["largest", "all"]

# A face counts as turned away from this yaw on, in degrees.
TURNED = 35.0
# A face counts as small where the crop enlarges it by more than this.
ENLARGED = 2.0
# The photo counts as too tight where more than this part of the crop lies beyond it.
BEYOND = 0.1


class NoFace(UserError):
    """A photo in which no face was found."""


@dataclass(frozen=True, eq=False)
class AlignedFace:
    """A face as the generators of FFHQ frame it.

    Attributes
    ----------
    image
        `(1, 3, resolution, resolution)` in [-1, 1].
    geometry
        Place of the crop in the upright photo.
    face
        Box and landmarks of the face in the photo.
    warnings
        Doubts about the face, one sentence each: other faces in the photo, turned away, cut by the photo's
        border, small.
    """

    image: Tensor
    geometry: CropGeometry
    face: FaceFound
    warnings: tuple[str, ...]

    def __repr__(self) -> str:
        width, height = self.geometry.photo_size
        doubts = f", {len(self.warnings)} warnings" if self.warnings else ""
        return f"AlignedFace({self.geometry.resolution} pixels, out of a photo of {width}x{height}{doubts})"

    @property
    def pose(self) -> Pose:
        """Pose of the head."""
        return pose_of(self.face.landmarks)

    def describe(self) -> str:
        """Say in one line how large the face is and how the head is turned."""
        pose, degrees = self.pose, "\N{DEGREE SIGN}"
        turned = ", ".join(f"{name} {getattr(pose, name):+.0f}{degrees}" for name in ("yaw", "pitch", "roll"))
        return f"{self.geometry.length:.0f} pixels wide in the photo, {turned}"

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the image, as JSON holds it."""
        return {
            "geometry": self.geometry.to_dict(),
            "face": self.face.to_dict(),
            "pose": asdict(self.pose),
            "warnings": list(self.warnings),
        }


def align(
    photo: Tensor, detector: FaceDetector, resolution: int = 1024, which: Which = "largest", name: str = "photo"
) -> list[AlignedFace]:
    """Cut the faces out of a photo in FFHQ's framing.

    Parameters
    ----------
    photo
        `(1, 3, h, w)` or `(3, h, w)` in [-1, 1], upright, of any size.
    detector
        Detector of faces and landmarks, see `load_detector`.
    resolution
        Resolution of the aligned faces in pixels.
    which
        'largest' or 'all', the largest first.
    name
        Name of the photo in messages.

    Returns
    -------
    list of AlignedFace
        One face or more.

    Raises
    ------
    NoFace
        If no face was found.
    UserError
        If the photo is not one image, or none that the detector takes.
    """
    photo = images.as_batch(photo, "a photo")
    if len(photo) > 1:
        raise UserError(f"align takes one photo at a time, not a batch of {len(photo)}")
    try:
        faces = detector(photo)
    except UserError as error:  # such as that an aligned face is no square
        raise UserError(f"{name}: {error}") from error
    if not faces:
        raise NoFace(
            f"{name}: {detector.name} finds no face; it looks for upright faces seen from the front or "
            "half turned, a tenth of the photo wide or more; turn the photo upright, cut it closer to the face, or say "
            "where it is (--landmarks)"
        )
    chosen = faces if which == "all" else faces[:1]
    aligned = []
    for face in chosen:
        quad = quad_of(Points.of(face.landmarks)) if face.quad is None else face.quad
        image, geometry = crop(photo, quad, resolution)
        left_out = len(faces) - len(chosen)
        aligned.append(AlignedFace(image, geometry, face, tuple(_warnings(face, geometry, left_out))))
    return aligned


def align_files(
    paths: Iterable[str | Path],
    detector: FaceDetector | GivenFaces,
    resolution: int = 1024,
    which: Which = "largest",
) -> Iterator[tuple[Path, list[AlignedFace] | UserError]]:
    """Cut the faces out of photos in files, one file after the other; a bad one never ends the batch.

    Parameters are those of `align`; files of known faces can replace a detector, see `latentlab.faces.given`.

    Yields
    ------
    Path
        The file.
    list of AlignedFace, or UserError
        Its faces as `align` gives them, or the error of that file, whose message names it.
    """
    for path in map(Path, paths):
        try:
            own = detector.for_photo(path) if isinstance(detector, GivenFaces) else detector
            yield path, align(images.load_image(path), own, resolution, which, str(path))
        except UserError as error:
            yield path, error


def one_face(path: Path, faces: Sequence[AlignedFace], number: int) -> list[AlignedFace] | UserError:
    """The face of a photo with a number, from 1, the largest; or the error that there are not so many."""
    if number <= len(faces):
        return [faces[number - 1]]
    noun = "face" if len(faces) == 1 else "faces"
    return UserError(f"{path} has {len(faces)} {noun}, and the face {number} is asked for")


def _warnings(face: FaceFound, geometry: CropGeometry, left_out: int) -> Iterator[str]:
    """Doubts about a face, one sentence each."""
    if left_out:
        yield f"{left_out + 1} faces; the largest was taken"
    yaw = pose_of(face.landmarks).yaw
    if abs(yaw) > TURNED:
        yield f"the face is turned away by about {abs(yaw):.0f} degrees; FFHQ has few such faces"
    if ((face.landmarks < 0) | (face.landmarks > geometry.photo_size)).any():
        yield "the face is cut by the photo's border"
    beyond = beyond_photo(geometry)
    if beyond > BEYOND:
        yield f"{beyond:.0%} of the crop lie beyond the photo and are made up"
    if geometry.resolution > ENLARGED * geometry.length:
        yield f"the face is small: {geometry.length:.0f} pixels were enlarged to {geometry.resolution}"


def beyond_photo(geometry: CropGeometry) -> float:
    """Measure the part of the crop that lies beyond the photo, 0 … 1, on a grid of 64 × 64."""
    line = (np.arange(64) + 0.5) / 64 * geometry.resolution
    points = geometry.to_photo(np.stack(np.meshgrid(line, line), axis=-1))
    return float(((points < 0) | (points > geometry.photo_size)).any(-1).mean())
