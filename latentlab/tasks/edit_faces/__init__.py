"""Editing an attribute of faces: latent methods against translators."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stylegan2.lazy import lazy_names

if TYPE_CHECKING:
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
    "Strengths",
    "check_inputs",
    "edit_methods",
    "edit_sections",
    "make_edit_task",
    "paste_edits",
    "strengths_of",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "definition": ("EDIT", "METHODS", "PRESETS", "PROJECTION", "EditInputs", "EditSettings"),
            "evaluator": ("EditEvaluator",),
            "methods": ("edit_methods",),
            "pasting": ("paste_edits",),
            "sections": ("edit_sections",),
            "strengths": ("Strengths", "strengths_of"),
            "task": ("EditTask", "check_inputs", "make_edit_task"),
        },
    )
