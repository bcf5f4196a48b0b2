"""Photos: align, check, project, tune, edit, paste back, and say how far to trust the result."""

from typing import TYPE_CHECKING

from stylegan2.lazy import lazy_names

if TYPE_CHECKING:
    from latentlab.pipelines.photos.aligning import CheckedPhoto, OnChecks, check_photos
    from latentlab.pipelines.photos.edits import PhotoEdit, edit_portrait
    from latentlab.pipelines.photos.groups import PhotoResult
    from latentlab.pipelines.photos.job import edit_photo, edit_photos, project_photos
    from latentlab.pipelines.photos.portraits import Portrait, make_portrait
    from latentlab.pipelines.photos.quick import QuickResult, edit_photos_quickly, has_editor
    from latentlab.pipelines.photos.settings import (
        PHOTO_TARGETS,
        Mask,
        Pasting,
        PhotoEditSettings,
        PhotoRecipe,
        PhotoSettings,
        photo_recipe,
    )

__all__ = [
    "PHOTO_TARGETS",
    "CheckedPhoto",
    "Mask",
    "Pasting",
    "OnChecks",
    "PhotoEdit",
    "PhotoEditSettings",
    "PhotoRecipe",
    "PhotoResult",
    "PhotoSettings",
    "Portrait",
    "QuickResult",
    "check_photos",
    "edit_photo",
    "edit_photos",
    "edit_photos_quickly",
    "edit_portrait",
    "has_editor",
    "make_portrait",
    "photo_recipe",
    "project_photos",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "aligning": ("CheckedPhoto", "OnChecks", "check_photos"),
            "edits": ("PhotoEdit", "edit_portrait"),
            "groups": ("PhotoResult",),
            "job": ("edit_photo", "edit_photos", "project_photos"),
            "portraits": ("Portrait", "make_portrait"),
            "quick": ("QuickResult", "edit_photos_quickly", "has_editor"),
            "settings": (
                "PHOTO_TARGETS",
                "Mask",
                "Pasting",
                "PhotoEditSettings",
                "PhotoRecipe",
                "PhotoSettings",
                "photo_recipe",
            ),
        },
    )
