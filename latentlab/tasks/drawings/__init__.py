"""Painting faces from line drawings: pix2pix against projections into a generator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stylegan2.lazy import lazy_names

if TYPE_CHECKING:
    from latentlab.tasks.drawings.definition import DRAWINGS, METHODS, PRESETS, DrawingsInputs, DrawingsSettings
    from latentlab.tasks.drawings.task import DrawingsTask, drawings_methods, make_drawings_task

__all__ = [
    "DRAWINGS",
    "METHODS",
    "PRESETS",
    "DrawingsInputs",
    "DrawingsSettings",
    "DrawingsTask",
    "drawings_methods",
    "make_drawings_task",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "definition": ("DRAWINGS", "METHODS", "PRESETS", "DrawingsInputs", "DrawingsSettings"),
            "task": ("DrawingsTask", "drawings_methods", "make_drawings_task"),
        },
    )
