"""From an image to the latent that renders it, and from there to a generator that renders it faithfully."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stylegan2.lazy import lazy_names

if TYPE_CHECKING:
    from latentlab.projection.deltas import TunedGenerator, WeightDelta
    from latentlab.projection.inputs import MaskedImages
    from latentlab.projection.latents import WStatistics, w_statistics
    from latentlab.projection.projector import ProjectionStep, Projector, project
    from latentlab.projection.result import Projection
    from latentlab.projection.settings import (
        BEFORE_REFINEMENT,
        DEFAULTS,
        FAST,
        FAST_REFINEMENT,
        PTI,
        PUBLISHED,
        PUBLISHED_W,
        PUBLISHED_W_PLUS,
        REFINEMENT,
        Phase,
        ProjectionSettings,
        ProjectionSpace,
        Start,
        TuningSettings,
    )
    from latentlab.projection.starts import starting_points
    from latentlab.projection.tuning import Tuned, Tuner, TuningStep, tune

__all__ = [
    "BEFORE_REFINEMENT",
    "DEFAULTS",
    "FAST",
    "FAST_REFINEMENT",
    "PTI",
    "PUBLISHED",
    "PUBLISHED_W",
    "PUBLISHED_W_PLUS",
    "REFINEMENT",
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

# Imported on first use: the settings, which a command's help needs, do without torch.
if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "deltas": ("TunedGenerator", "WeightDelta"),
            "inputs": ("MaskedImages",),
            "latents": ("WStatistics", "w_statistics"),
            "projector": ("ProjectionStep", "Projector", "project"),
            "result": ("Projection",),
            "settings": (
                "BEFORE_REFINEMENT",
                "DEFAULTS",
                "FAST",
                "FAST_REFINEMENT",
                "PTI",
                "PUBLISHED",
                "PUBLISHED_W",
                "PUBLISHED_W_PLUS",
                "REFINEMENT",
                "Phase",
                "ProjectionSettings",
                "ProjectionSpace",
                "Start",
                "TuningSettings",
            ),
            "starts": ("starting_points",),
            "tuning": ("Tuned", "Tuner", "TuningStep", "tune"),
        },
    )
