"""Photos: align, check, project, tune, edit, paste back, and say how far to trust the result."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from latentlab.pipelines.photos.aligning import CheckedPhoto, OnChecks, check_photos
    from latentlab.pipelines.photos.edits import PhotoEdit, edit_portrait
    from latentlab.pipelines.photos.job import PhotoResult, edit_photo, edit_photos, project_photos
    from latentlab.pipelines.photos.portraits import Portrait, make_portrait
    from latentlab.pipelines.photos.settings import Mask, PhotoEditSettings, PhotoSettings

__all__ = [
    "CheckedPhoto",
    "Mask",
    "OnChecks",
    "PhotoEdit",
    "PhotoEditSettings",
    "PhotoResult",
    "PhotoSettings",
    "Portrait",
    "check_photos",
    "edit_photo",
    "edit_photos",
    "edit_portrait",
    "make_portrait",
    "project_photos",
]

_LATER = {
    **dict.fromkeys(("CheckedPhoto", "OnChecks", "check_photos"), "aligning"),
    **dict.fromkeys(("PhotoEdit", "edit_portrait"), "edits"),
    **dict.fromkeys(("PhotoResult", "edit_photo", "edit_photos", "project_photos"), "job"),
    **dict.fromkeys(("Portrait", "make_portrait"), "portraits"),
    **dict.fromkeys(("Mask", "PhotoEditSettings", "PhotoSettings"), "settings"),
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
