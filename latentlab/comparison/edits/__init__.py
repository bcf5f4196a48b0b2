"""Editing an attribute of faces: latent methods against translators."""

from latentlab.comparison.edits.faces import RealFaces
from latentlab.comparison.edits.lab import EditLab
from latentlab.comparison.edits.latent import FLOOR, Latent, Projector
from latentlab.comparison.edits.methods import edit_methods
from latentlab.comparison.edits.pasting import paste_edits
from latentlab.comparison.edits.settings import LATENT, METHODS, OF_THE_MOUTH, PRESETS, TRANSLATORS, EditSettings
from latentlab.comparison.edits.strengths import Strengths, strengths_of
from latentlab.comparison.edits.task import EditTask, check_inputs, make_edit_task
from latentlab.comparison.edits.telling import edit_sections

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
