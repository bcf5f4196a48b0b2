"""Faces in photos: found, cut out as the generators of FFHQ frame them, and put back."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from latentlab.faces.alignment import AlignedFace, NoFace, align, align_files
    from latentlab.faces.cropping import crop
    from latentlab.faces.detectors import Dlib5, Dlib68, FaceDetector, FaceFound, load_detector
    from latentlab.faces.geometry import CropGeometry, Points, quad_of
    from latentlab.faces.identity import FaceDescriptor
    from latentlab.faces.paste import face_outline, paste_back
    from latentlab.faces.pose import Pose, pose_of

__all__ = [
    "AlignedFace",
    "CropGeometry",
    "Dlib5",
    "Dlib68",
    "FaceDescriptor",
    "FaceDetector",
    "FaceFound",
    "NoFace",
    "Points",
    "Pose",
    "align",
    "align_files",
    "crop",
    "face_outline",
    "load_detector",
    "paste_back",
    "pose_of",
    "quad_of",
]

# Imported at their first use: a command's help does without torch and dlib.
_LATER = {
    **dict.fromkeys(("AlignedFace", "NoFace", "align", "align_files"), "alignment"),
    "crop": "cropping",
    **dict.fromkeys(("Dlib5", "Dlib68", "FaceDetector", "FaceFound", "load_detector"), "detectors"),
    **dict.fromkeys(("CropGeometry", "Points", "quad_of"), "geometry"),
    "FaceDescriptor": "identity",
    **dict.fromkeys(("face_outline", "paste_back"), "paste"),
    **dict.fromkeys(("Pose", "pose_of"), "pose"),
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
