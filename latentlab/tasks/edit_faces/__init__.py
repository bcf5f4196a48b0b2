"""Editing an attribute of faces: latent methods against translators."""

from latentlab.tasks.edit_faces.faces import RealFaces
from latentlab.tasks.edit_faces.lab import EditLab
from latentlab.tasks.edit_faces.latent import FLOOR, Latent, Projector
from latentlab.tasks.edit_faces.methods import edit_methods
from latentlab.tasks.edit_faces.pasting import paste_edits
from latentlab.tasks.edit_faces.settings import LATENT, METHODS, OF_THE_MOUTH, PRESETS, TRANSLATORS, EditSettings
from latentlab.tasks.edit_faces.strengths import Strengths, strengths_of
from latentlab.tasks.edit_faces.task import EditTask, check_inputs, make_edit_task
from latentlab.tasks.edit_faces.telling import edit_sections

__all__ = [
    "FLOOR",
    "LATENT",
    "METHODS",
    "OF_THE_MOUTH",
    "PRESETS",
    "TRANSLATORS",
    "EditLab",
    "EditSettings",
    "EditTask",
    "Latent",
    "Projector",
    "RealFaces",
    "Strengths",
    "check_inputs",
    "edit_methods",
    "edit_sections",
    "make_edit_task",
    "paste_edits",
    "strengths_of",
]
