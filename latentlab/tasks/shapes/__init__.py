"""Turning squares into circles: every mask is known, so success is counted and no network judges."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stylegan2.lazy import lazy_names

if TYPE_CHECKING:
    from latentlab.tasks.shapes.definition import METHODS, PRESETS, SHAPES, ShapesSettings
    from latentlab.tasks.shapes.task import ShapesTask, make_shapes_task, shapes_methods

__all__ = [
    "METHODS",
    "PRESETS",
    "SHAPES",
    "ShapesSettings",
    "ShapesTask",
    "make_shapes_task",
    "shapes_methods",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "definition": ("METHODS", "PRESETS", "SHAPES", "ShapesSettings"),
            "task": ("ShapesTask", "make_shapes_task", "shapes_methods"),
        },
    )
