"""From a picture to its code, and from there to a generator that renders it faithfully."""

from __future__ import annotations

from latentlab.projection.canvas import Canvas, WStatistics, w_statistics, with_noise
from latentlab.projection.deltas import TunedGenerator, WeightDelta
from latentlab.projection.descent import PTI, TuningSettings
from latentlab.projection.project import Report, project
from latentlab.projection.result import Projection
from latentlab.projection.settings import (
    DEFAULTS,
    PUBLISHED,
    PUBLISHED_W,
    PUBLISHED_W_PLUS,
    Phase,
    ProjectionSettings,
    Space,
)
from latentlab.projection.starts import Start, starting_points
from latentlab.projection.tuning import Tuned, tune

__all__ = [
    "DEFAULTS",
    "PTI",
    "PUBLISHED",
    "PUBLISHED_W",
    "PUBLISHED_W_PLUS",
    "Canvas",
    "Phase",
    "Projection",
    "ProjectionSettings",
    "Report",
    "Space",
    "Start",
    "Tuned",
    "TunedGenerator",
    "TuningSettings",
    "WStatistics",
    "WeightDelta",
    "project",
    "starting_points",
    "tune",
    "w_statistics",
    "with_noise",
]
