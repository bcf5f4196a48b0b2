"""The truth about directions: what they change when all have the same effect; `latentlab directions measure`."""

from typing import TYPE_CHECKING

from stylegan2.lazy import lazy_names

if TYPE_CHECKING:
    from latentlab.pipelines.measuring.measure import measure_directions
    from latentlab.pipelines.measuring.results import Facts, Measurement, Role, Row
    from latentlab.pipelines.measuring.settings import MeasuredAttribute, MeasureSettings

__all__ = [
    "Facts",
    "MeasureSettings",
    "MeasuredAttribute",
    "Measurement",
    "Role",
    "Row",
    "measure_directions",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "measure": ("measure_directions",),
            "results": ("Facts", "Measurement", "Role", "Row"),
            "settings": ("MeasureSettings", "MeasuredAttribute"),
        },
    )
