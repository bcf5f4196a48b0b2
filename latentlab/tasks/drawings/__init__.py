"""Painting faces from line drawings: pix2pix against projections into a generator."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

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

_MODULES = {
    **dict.fromkeys(
        (
            "METHODS",
            "PRESETS",
            "DRAWINGS",
            "DrawingsInputs",
            "DrawingsSettings",
        ),
        "definition",
    ),
    **dict.fromkeys(
        (
            "DrawingsTask",
            "make_drawings_task",
            "drawings_methods",
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
