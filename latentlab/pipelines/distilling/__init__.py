"""Distil directions into an editor that makes their edits in one pass."""

from __future__ import annotations

from latentlab.pipelines.distilling.job import DistilSettings, distil, taught_by
from latentlab.pipelines.distilling.photos import edit_faces, is_face_editor
from latentlab.pipelines.distilling.strips import StripSettings, Taught, make_strips

__all__ = [
    "DistilSettings",
    "StripSettings",
    "Taught",
    "distil",
    "edit_faces",
    "is_face_editor",
    "make_strips",
    "taught_by",
]
