"""Metrics of edits in torchmetrics' manner: `update`, `compute` (a value with its 95 % interval), `reset`.

Metrics of single images (`Identity`, `LPIPS`, `OutsideChange`, `Sharpness`) also keep the value of each image;
`Leakage`, `KernelDistance` and `FrechetDistance` are properties of a whole set. The arithmetic beneath them is in
`latentlab.metrics.functional`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from latentlab.metrics.base import ImageMetric, Metric
    from latentlab.metrics.features import FeatureExtractor, VGG16Features
    from latentlab.metrics.frechet_distance import FrechetDistance
    from latentlab.metrics.identity import Identity
    from latentlab.metrics.intervals import UNKNOWN, Interval, mean_interval, share_interval, statistic_interval
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
    "mean_interval",
    "share_interval",
    "statistic_interval",
]

_MODULES = {
    **dict.fromkeys(("ImageMetric", "Metric"), "base"),
    **dict.fromkeys(("FeatureExtractor", "VGG16Features"), "features"),
    **dict.fromkeys(("UNKNOWN", "Interval", "mean_interval", "share_interval", "statistic_interval"), "intervals"),
    "FrechetDistance": "frechet_distance",
    "Identity": "identity",
    "KernelDistance": "kernel_distance",
    "LPIPS": "lpips",
    "Leakage": "leakage",
    "OutsideChange": "outside_change",
    "Sharpness": "sharpness",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
