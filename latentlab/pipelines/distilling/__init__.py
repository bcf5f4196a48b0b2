"""Distil directions into an editor that makes their edits in one pass, and edit photos with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stylegan2.lazy import lazy_names

if TYPE_CHECKING:
    from latentlab.pipelines.distilling.job import DistilSettings, distil, renderer_for, taught_by
    from latentlab.pipelines.distilling.photos import FaceEditor, is_face_editor
    from latentlab.pipelines.distilling.strips import StripSettings, Taught, make_strips

__all__ = [
    "DistilSettings",
    "FaceEditor",
    "StripSettings",
    "Taught",
    "distil",
    "is_face_editor",
    "make_strips",
    "renderer_for",
    "taught_by",
]

# Editing a photo needs no generator.
if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "job": ("DistilSettings", "distil", "renderer_for", "taught_by"),
            "photos": ("FaceEditor", "is_face_editor"),
            "strips": ("StripSettings", "Taught", "make_strips"),
        },
    )
