"""Figures about edits: how sure a mean is, what changed beside what was to change, how alike two sets are."""

from latentlab.metrics.changes import difference_outside, leakage, sharpness
from latentlab.metrics.distributions import frechet_distance, kernel_distance
from latentlab.metrics.intervals import UNKNOWN, Interval, mean_interval, share_interval, statistic_interval

__all__ = [
    "UNKNOWN",
    "Interval",
    "difference_outside",
    "frechet_distance",
    "kernel_distance",
    "leakage",
    "mean_interval",
    "share_interval",
    "sharpness",
    "statistic_interval",
]
