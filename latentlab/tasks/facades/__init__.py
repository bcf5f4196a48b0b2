"""Building facades from their labels: pix2pix, its variants without some part, and CycleGAN."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stylegan2.lazy import lazy_names

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

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "definition": ("FACADES", "METHODS", "PRESETS", "FacadesInputs", "FacadesSettings"),
            "task": ("FacadesTask", "facades_methods", "make_facades_task"),
        },
    )
