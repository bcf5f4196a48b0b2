"""Command-line jobs as functions: study attributes, edit and project photos, edit videos, label samples, walk, measure.

Every pipeline takes its networks as `Components`, writes into a folder, and resumes there if it was stopped.
"""

from typing import TYPE_CHECKING

from stylegan2.lazy import lazy_names

if TYPE_CHECKING:
    from latentlab.pipelines.calibration import Reach, calibrate_reach
    from latentlab.pipelines.checks import QualityCheck, check_photo, check_projection, format_checks
    from latentlab.pipelines.components import Components
    from latentlab.pipelines.dragging import DragFiles, drag_image
    from latentlab.pipelines.equal_strengths import EqualSettings, EqualStrength, calibrate_equal
    from latentlab.pipelines.fitting import fit_samples
    from latentlab.pipelines.healthy import HealthyRegion
    from latentlab.pipelines.importing import ImportedDirection, import_direction
    from latentlab.pipelines.interpolation import InterpolationSettings, interpolate
    from latentlab.pipelines.keyframes import Keyframe, keyframes_of
    from latentlab.pipelines.measuring import MeasuredAttribute, Measurement, MeasureSettings, measure_directions
    from latentlab.pipelines.metrics import (
        FolderMetricSettings,
        GeneratorMetricSettings,
        measure_folders,
        measure_generator,
    )
    from latentlab.pipelines.naming import name_directions
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
    from latentlab.pipelines.seeds import (
        SeedSettings,
        edit_latents,
        edit_seeds,
        generate_images,
        walk_latents,
        walk_seeds,
    )
    from latentlab.pipelines.stability import Stability, measure_stability
    from latentlab.pipelines.strengths import FaceStrengths, StrengthSettings, strength_for
    from latentlab.pipelines.study import Study, StudySettings, study_attribute
    from latentlab.pipelines.targets import ScoreTarget
    from latentlab.pipelines.videos import VideoEditSettings, VideoResult, edit_video
    from latentlab.pipelines.walks import Walk

__all__ = [
    "Components",
    "DragFiles",
    "EqualSettings",
    "EqualStrength",
    "FaceStrengths",
    "HealthyRegion",
    "FolderMetricSettings",
    "GeneratorMetricSettings",
    "ImportedDirection",
    "InterpolationSettings",
    "Keyframe",
    "LabelSettings",
    "MeasureSettings",
    "MeasuredAttribute",
    "Measurement",
    "PhotoEditSettings",
    "PhotoResult",
    "PhotoSettings",
    "QualityCheck",
    "Reach",
    "ScoreTarget",
    "SeedSettings",
    "Stability",
    "StrengthSettings",
    "Study",
    "StudySettings",
    "VideoEditSettings",
    "VideoResult",
    "Walk",
    "calibrate_equal",
    "calibrate_reach",
    "check_photo",
    "check_photos",
    "check_projection",
    "drag_image",
    "edit_latents",
    "edit_photo",
    "edit_photos",
    "edit_seeds",
    "edit_video",
    "fit_samples",
    "format_checks",
    "generate_images",
    "import_direction",
    "interpolate",
    "keyframes_of",
    "label_samples",
    "measure_directions",
    "measure_folders",
    "measure_generator",
    "measure_stability",
    "name_directions",
    "project_photos",
    "strength_for",
    "study_attribute",
    "walk_latents",
    "walk_seeds",
]

# Each pipeline loads what it needs, and no more.
if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "calibration": ("Reach", "calibrate_reach"),
            "checks": ("QualityCheck", "check_photo", "check_projection", "format_checks"),
            "components": ("Components",),
            "dragging": ("DragFiles", "drag_image"),
            "fitting": ("fit_samples",),
            "equal_strengths": ("EqualSettings", "EqualStrength", "calibrate_equal"),
            "healthy": ("HealthyRegion",),
            "metrics": (
                "FolderMetricSettings",
                "GeneratorMetricSettings",
                "measure_folders",
                "measure_generator",
            ),
            "interpolation": ("InterpolationSettings", "interpolate"),
            "keyframes": ("Keyframe", "keyframes_of"),
            "importing": ("ImportedDirection", "import_direction"),
            "measuring": ("MeasureSettings", "MeasuredAttribute", "Measurement", "measure_directions"),
            "naming": ("name_directions",),
            "photos": (
                "PhotoEditSettings",
                "PhotoResult",
                "PhotoSettings",
                "check_photos",
                "edit_photo",
                "edit_photos",
                "project_photos",
            ),
            "sampling": ("LabelSettings", "label_samples"),
            "seeds": ("SeedSettings", "edit_latents", "edit_seeds", "generate_images", "walk_latents", "walk_seeds"),
            "stability": ("Stability", "measure_stability"),
            "strengths": ("FaceStrengths", "StrengthSettings", "strength_for"),
            "study": ("Study", "StudySettings", "study_attribute"),
            "targets": ("ScoreTarget",),
            "videos": ("VideoEditSettings", "VideoResult", "edit_video"),
            "walks": ("Walk",),
        },
    )
