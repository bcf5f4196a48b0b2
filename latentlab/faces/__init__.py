"""Faces in photos: found, cut out as the generators of FFHQ frame them, and put back."""

from __future__ import annotations

from latentlab.faces.alignment import AlignedFace, NoFace, align, align_files
from latentlab.faces.cropping import crop
from latentlab.faces.detectors import Dlib5, Dlib68, FaceDetector, FaceFound, load_detector
from latentlab.faces.geometry import CropGeometry, Points, quad_of
from latentlab.faces.paste import face_outline, paste_back
from latentlab.faces.pose import Pose, pose_of

__all__ = [
    "AlignedFace",
    "CropGeometry",
    "Dlib5",
    "Dlib68",
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
