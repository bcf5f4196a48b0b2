"""From an image to the latent that renders it, and from there to a generator that renders it faithfully."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from latentlab.projection.deltas import TunedGenerator, WeightDelta
    from latentlab.projection.inputs import MaskedImages
    from latentlab.projection.latents import WStatistics, w_statistics
    from latentlab.projection.projector import ProjectionStep, Projector, project
    from latentlab.projection.result import Projection
    from latentlab.projection.settings import (
        DEFAULTS,
        PTI,
        PUBLISHED,
        PUBLISHED_W,
        PUBLISHED_W_PLUS,
        Phase,
        ProjectionSettings,
        ProjectionSpace,
        Start,
        TuningSettings,
    )
    from latentlab.projection.starts import starting_points
    from latentlab.projection.tuning import Tuned, Tuner, TuningStep, tune

__all__ = [
    "DEFAULTS",
    "PTI",
    "PUBLISHED",
    "PUBLISHED_W",
    "PUBLISHED_W_PLUS",
    "MaskedImages",
    "Phase",
    "Projection",
    "ProjectionSettings",
    "ProjectionSpace",
    "ProjectionStep",
    "Projector",
    "Start",
    "Tuned",
    "TunedGenerator",
    "Tuner",
    "TuningSettings",
    "TuningStep",
    "WStatistics",
    "WeightDelta",
    "project",
    "starting_points",
    "tune",
    "w_statistics",
]

# Imported at their first use: the settings, which a command's help needs, do without torch.
_LATER = {
    **dict.fromkeys(("TunedGenerator", "WeightDelta"), "deltas"),
    **dict.fromkeys(("PTI", "TuningSettings"), "settings"),
    "MaskedImages": "inputs",
    **dict.fromkeys(("WStatistics", "w_statistics"), "latents"),
    **dict.fromkeys(("ProjectionStep", "Projector", "project"), "projector"),
    "Projection": "result",
    **dict.fromkeys(("DEFAULTS", "PUBLISHED", "PUBLISHED_W", "PUBLISHED_W_PLUS"), "settings"),
    **dict.fromkeys(("Phase", "ProjectionSettings", "ProjectionSpace", "Start"), "settings"),
    "starting_points": "starts",
    **dict.fromkeys(("Tuned", "Tuner", "TuningStep", "tune"), "tuning"),
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
