"""A study of one attribute, end to end; `latentlab smile` runs it."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from latentlab.pipelines.study.report import summary
    from latentlab.pipelines.study.results import HeldOutEdits, Study
    from latentlab.pipelines.study.settings import StudySettings
    from latentlab.pipelines.study.study import study_attribute

__all__ = ["HeldOutEdits", "Study", "StudySettings", "study_attribute", "summary"]

_LATER = {
    "HeldOutEdits": "results",
    "Study": "results",
    "StudySettings": "settings",
    "study_attribute": "study",
    "summary": "report",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
