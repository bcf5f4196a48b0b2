"""The jobs of the command line as functions: study an attribute, edit photos, project photos, label samples, walk.

Every pipeline takes its networks as `Components`, writes into a folder, and resumes there when it was stopped.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from latentlab.pipelines.calibration import Reach, calibrate_reach
    from latentlab.pipelines.checks import QualityCheck, check_photo, check_projection, format_checks
    from latentlab.pipelines.components import Components
    from latentlab.pipelines.photos import (
        PhotoEditSettings,
        PhotoResult,
        PhotoSettings,
        check_photos,
        edit_photo,
        edit_photos,
        project_photos,
    )
    from latentlab.pipelines.sampling import LabelSettings, label_samples
    from latentlab.pipelines.seeds import SeedSettings, edit_seeds, generate_images, walk_seeds
    from latentlab.pipelines.study import Study, StudySettings, study_attribute
    from latentlab.pipelines.walks import Walk

__all__ = [
    "Components",
    "LabelSettings",
    "PhotoEditSettings",
    "PhotoResult",
    "PhotoSettings",
    "QualityCheck",
    "Reach",
    "SeedSettings",
    "Study",
    "StudySettings",
    "Walk",
    "calibrate_reach",
    "check_photo",
    "check_photos",
    "check_projection",
    "edit_photo",
    "edit_photos",
    "edit_seeds",
    "format_checks",
    "generate_images",
    "label_samples",
    "project_photos",
    "study_attribute",
    "walk_seeds",
]

# Each pipeline loads what it needs, and no more.
_LATER = {
    "Components": "components",
    "Walk": "walks",
    **dict.fromkeys(("Reach", "calibrate_reach"), "calibration"),
    **dict.fromkeys(("QualityCheck", "check_photo", "check_projection", "format_checks"), "checks"),
    **dict.fromkeys(("PhotoEditSettings", "PhotoResult", "PhotoSettings"), "photos"),
    **dict.fromkeys(("check_photos", "edit_photo", "edit_photos", "project_photos"), "photos"),
    **dict.fromkeys(("LabelSettings", "label_samples"), "sampling"),
    **dict.fromkeys(("SeedSettings", "edit_seeds", "generate_images", "walk_seeds"), "seeds"),
    **dict.fromkeys(("Study", "StudySettings", "study_attribute"), "study"),
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
