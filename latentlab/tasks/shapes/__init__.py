"""Turning squares into circles: every mask is known, so success is counted and no network judges."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

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

_MODULES = {
    **dict.fromkeys(
        (
            "METHODS",
            "PRESETS",
            "SHAPES",
            "ShapesSettings",
        ),
        "definition",
    ),
    **dict.fromkeys(
        (
            "ShapesTask",
            "make_shapes_task",
            "shapes_methods",
        ),
        "task",
    ),
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
