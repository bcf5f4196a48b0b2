"""Building facades from their labels: pix2pix, its variants without some part, and CycleGAN."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from latentlab.tasks.facades.definition import FACADES, METHODS, PRESETS, FacadesInputs, FacadesSettings
    from latentlab.tasks.facades.task import FacadesTask, facades_methods, make_facades_task

__all__ = [
    "FACADES",
    "METHODS",
    "PRESETS",
    "FacadesInputs",
    "FacadesSettings",
    "FacadesTask",
    "facades_methods",
    "make_facades_task",
]

_MODULES = {
    **dict.fromkeys(
        (
            "METHODS",
            "PRESETS",
            "FACADES",
            "FacadesInputs",
            "FacadesSettings",
        ),
        "definition",
    ),
    **dict.fromkeys(
        (
            "FacadesTask",
            "make_facades_task",
            "facades_methods",
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
