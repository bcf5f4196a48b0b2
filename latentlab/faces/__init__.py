"""Faces in photos: found, cut out as the generators of FFHQ frame them, and put back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stylegan2.lazy import lazy_names

if TYPE_CHECKING:
    from latentlab.faces.alignment import AlignedFace, NoFace, align, align_files
    from latentlab.faces.cropping import crop
    from latentlab.faces.detectors import Dlib5, Dlib68, FaceDetector, FaceFound, load_detector
    from latentlab.faces.geometry import CropGeometry, Points, quad_of
    from latentlab.faces.given import GivenFaces
    from latentlab.faces.identity import FaceDescriptor
    from latentlab.faces.keeping import before_edit
    from latentlab.faces.paste import face_outline, paste_back
    from latentlab.faces.pose import Pose, pose_of
    from latentlab.faces.regions import REGIONS, face_region, mean_region

__all__ = [
    "REGIONS",
    "AlignedFace",
    "CropGeometry",
    "Dlib5",
    "Dlib68",
    "FaceDescriptor",
    "FaceDetector",
    "FaceFound",
    "GivenFaces",
    "NoFace",
    "Points",
    "Pose",
    "align",
    "align_files",
    "before_edit",
    "crop",
    "face_outline",
    "face_region",
    "load_detector",
    "mean_region",
    "paste_back",
    "pose_of",
    "quad_of",
]

# Imported on first use: a command's help does without torch and dlib.
if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "alignment": ("AlignedFace", "NoFace", "align", "align_files"),
            "cropping": ("crop",),
            "detectors": ("Dlib5", "Dlib68", "FaceDetector", "FaceFound", "load_detector"),
            "geometry": ("CropGeometry", "Points", "quad_of"),
            "given": ("GivenFaces",),
            "identity": ("FaceDescriptor",),
            "keeping": ("before_edit",),
            "paste": ("face_outline", "paste_back"),
            "pose": ("Pose", "pose_of"),
            "regions": ("REGIONS", "face_region", "mean_region"),
        },
    )
