"""Metrics of edits in torchmetrics' manner: `update`, `compute` (a value with its 95 % interval), `reset`.

Metrics of single images (`Identity`, `LPIPS`, `OutsideChange`, `Sharpness`) also keep the value of each image;
`Leakage`, `KernelDistance` and `FrechetDistance` are properties of a whole set. The arithmetic beneath them is in
`latentlab.metrics.functional`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stylegan2.lazy import lazy_names

if TYPE_CHECKING:
    from latentlab.metrics.base import ImageMetric, Metric
    from latentlab.metrics.features import FeatureExtractor, VGG16Features
    from latentlab.metrics.frechet_distance import FrechetDistance
    from latentlab.metrics.identity import Identity
    from latentlab.metrics.intervals import (
        UNKNOWN,
        Interval,
        format_interval,
        mean_interval,
        paired_difference,
        share_interval,
        statistic_interval,
        unknown_because,
    )
    from latentlab.metrics.kernel_distance import KernelDistance
    from latentlab.metrics.leakage import Leakage
    from latentlab.metrics.lpips import LPIPS
    from latentlab.metrics.outside_change import OutsideChange
    from latentlab.metrics.sharpness import Sharpness

__all__ = [
    "LPIPS",
    "UNKNOWN",
    "FeatureExtractor",
    "FrechetDistance",
    "Identity",
    "ImageMetric",
    "Interval",
    "KernelDistance",
    "Leakage",
    "Metric",
    "OutsideChange",
    "Sharpness",
    "VGG16Features",
    "format_interval",
    "mean_interval",
    "paired_difference",
    "share_interval",
    "statistic_interval",
    "unknown_because",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "base": ("ImageMetric", "Metric"),
            "features": ("FeatureExtractor", "VGG16Features"),
            "frechet_distance": ("FrechetDistance",),
            "identity": ("Identity",),
            "intervals": (
                "UNKNOWN",
                "Interval",
                "format_interval",
                "mean_interval",
                "paired_difference",
                "share_interval",
                "statistic_interval",
                "unknown_because",
            ),
            "kernel_distance": ("KernelDistance",),
            "leakage": ("Leakage",),
            "lpips": ("LPIPS",),
            "outside_change": ("OutsideChange",),
            "sharpness": ("Sharpness",),
        },
    )
