"""Metrics of edits and generators in torchmetrics' style: `update`, `compute` (a value, its 95 % interval), `reset`.

Metrics of single images (`Identity`, `LPIPS`, `OutsideChange`, `Sharpness`) also keep the value of each image;
`Leakage`, and the distances and manifolds of sets (`KernelDistance`, `FrechetDistance`, `KID`, `FID`, `Precision`,
`Recall`, `Density`, `Coverage`) are properties of a whole set. `PerceptualPathLength` (pairs of images), and
`LinearSeparability` and `DCI` (latents and attributes) are properties of a generator. The arithmetic beneath them is
in `latentlab.metrics.functional`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stylegan2.lazy import lazy_names

if TYPE_CHECKING:
    from latentlab.metrics.base import ImageMetric, Metric
    from latentlab.metrics.dci import DCI, DCIScores
    from latentlab.metrics.features import FeatureExtractor, VGG16Features
    from latentlab.metrics.frechet_distance import FrechetDistance
    from latentlab.metrics.identity import Identity
    from latentlab.metrics.inception import FID, KID, InceptionFeatures
    from latentlab.metrics.intervals import (
        UNKNOWN,
        Interval,
        PairedDifferences,
        format_interval,
        mean_interval,
        paired_bootstrap,
        paired_difference,
        share_interval,
        statistic_interval,
        unknown_because,
    )
    from latentlab.metrics.kernel_distance import KernelDistance
    from latentlab.metrics.leakage import Leakage
    from latentlab.metrics.lpips import LPIPS
    from latentlab.metrics.manifold import Coverage, Density, Precision, Recall
    from latentlab.metrics.outside_change import OutsideChange
    from latentlab.metrics.path_length import PerceptualPathLength
    from latentlab.metrics.separability import LinearSeparability
    from latentlab.metrics.sharpness import Sharpness

__all__ = [
    "DCI",
    "FID",
    "KID",
    "LPIPS",
    "UNKNOWN",
    "Coverage",
    "DCIScores",
    "Density",
    "FeatureExtractor",
    "FrechetDistance",
    "Identity",
    "ImageMetric",
    "InceptionFeatures",
    "Interval",
    "KernelDistance",
    "Leakage",
    "LinearSeparability",
    "Metric",
    "OutsideChange",
    "PairedDifferences",
    "PerceptualPathLength",
    "Precision",
    "Recall",
    "Sharpness",
    "VGG16Features",
    "format_interval",
    "mean_interval",
    "paired_bootstrap",
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
            "dci": ("DCI", "DCIScores"),
            "features": ("FeatureExtractor", "VGG16Features"),
            "frechet_distance": ("FrechetDistance",),
            "identity": ("Identity",),
            "inception": ("FID", "KID", "InceptionFeatures"),
            "intervals": (
                "UNKNOWN",
                "Interval",
                "PairedDifferences",
                "format_interval",
                "mean_interval",
                "paired_bootstrap",
                "paired_difference",
                "share_interval",
                "statistic_interval",
                "unknown_because",
            ),
            "kernel_distance": ("KernelDistance",),
            "leakage": ("Leakage",),
            "lpips": ("LPIPS",),
            "manifold": ("Coverage", "Density", "Precision", "Recall"),
            "outside_change": ("OutsideChange",),
            "path_length": ("PerceptualPathLength",),
            "separability": ("LinearSeparability",),
            "sharpness": ("Sharpness",),
        },
    )
