"""The job on photos: align, project, tune, edit, paste back, and say how far to trust it."""

from __future__ import annotations

from latentlab.pipelines.photos.edits import PhotoEdit, edit_portrait
from latentlab.pipelines.photos.portrait import Lab, PhotoSettings, Portrait, embed
from latentlab.pipelines.photos.results import write_edits, write_portrait

__all__ = [
    "Lab",
    "PhotoEdit",
    "PhotoSettings",
    "Portrait",
    "edit_portrait",
    "embed",
    "write_edits",
    "write_portrait",
]
