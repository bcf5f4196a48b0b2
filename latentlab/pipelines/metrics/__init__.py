"""Metrics in one call: of a generator, and of two folders of images."""

from typing import TYPE_CHECKING

from stylegan2.lazy import lazy_names

if TYPE_CHECKING:
    from latentlab.pipelines.metrics.folders import FolderMetricSettings, measure_folders
    from latentlab.pipelines.metrics.generator import measure_generator
    from latentlab.pipelines.metrics.names import FOLDER_METRICS, GENERATOR_METRICS
    from latentlab.pipelines.metrics.results import MeasuredMetric, MetricReport
    from latentlab.pipelines.metrics.settings import GeneratorMetricSettings

__all__ = [
    "FOLDER_METRICS",
    "GENERATOR_METRICS",
    "FolderMetricSettings",
    "GeneratorMetricSettings",
    "MeasuredMetric",
    "MetricReport",
    "measure_folders",
    "measure_generator",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "folders": ("FolderMetricSettings", "measure_folders"),
            "generator": ("measure_generator",),
            "names": ("FOLDER_METRICS", "GENERATOR_METRICS"),
            "results": ("MeasuredMetric", "MetricReport"),
            "settings": ("GeneratorMetricSettings",),
        },
    )
