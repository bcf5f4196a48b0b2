"""A study of one attribute, end to end; `latentlab smile` runs it."""

from typing import TYPE_CHECKING

from stylegan2.lazy import lazy_names

if TYPE_CHECKING:
    from latentlab.pipelines.study.report import summary
    from latentlab.pipelines.study.results import HeldOutEdits, Study
    from latentlab.pipelines.study.settings import StudySettings
    from latentlab.pipelines.study.study import study_attribute

__all__ = ["HeldOutEdits", "Study", "StudySettings", "study_attribute", "summary"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "report": ("summary",),
            "results": ("HeldOutEdits", "Study"),
            "settings": ("StudySettings",),
            "study": ("study_attribute",),
        },
    )
