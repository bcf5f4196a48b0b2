"""Editing an attribute of faces: latent methods against translators."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from latentlab.datasets.labelled_photos import RealFaces
    from latentlab.tasks.edit_faces.definition import EDIT, METHODS, PRESETS, PROJECTION, EditInputs, EditSettings
    from latentlab.tasks.edit_faces.evaluator import EditEvaluator
    from latentlab.tasks.edit_faces.methods import edit_methods
    from latentlab.tasks.edit_faces.pasting import paste_edits
    from latentlab.tasks.edit_faces.sections import edit_sections
    from latentlab.tasks.edit_faces.strengths import Strengths, strengths_of
    from latentlab.tasks.edit_faces.task import EditTask, check_inputs, make_edit_task

__all__ = [
    "EDIT",
    "METHODS",
    "PRESETS",
    "PROJECTION",
    "EditEvaluator",
    "EditInputs",
    "EditSettings",
    "EditTask",
    "RealFaces",
    "Strengths",
    "check_inputs",
    "edit_methods",
    "edit_sections",
    "make_edit_task",
    "paste_edits",
    "strengths_of",
]

_HERE = "latentlab.tasks.edit_faces"
_MODULES = {
    **dict.fromkeys(("EDIT", "METHODS", "PRESETS", "PROJECTION", "EditInputs", "EditSettings"), f"{_HERE}.definition"),
    **dict.fromkeys(("EditTask", "check_inputs", "make_edit_task"), f"{_HERE}.task"),
    **dict.fromkeys(("Strengths", "strengths_of"), f"{_HERE}.strengths"),
    "EditEvaluator": f"{_HERE}.evaluator",
    "RealFaces": "latentlab.datasets.labelled_photos",
    "edit_methods": f"{_HERE}.methods",
    "edit_sections": f"{_HERE}.sections",
    "paste_edits": f"{_HERE}.pasting",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
