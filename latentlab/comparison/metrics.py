"""Metrics beyond a task's own: built-in ones by name, those of other packages, or objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from latentlab import registry
from latentlab.comparison.protocol import Columns, Measure, Task
from latentlab.errors import UserError
from latentlab.metrics import Interval, unknown_because

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["ExtraMetric", "extra_measures", "load_metrics", "measure_with"]


class ExtraMetric(Protocol):
    """What the comparison needs of a metric; `latentlab.metrics.Metric` meets it, as does any class with these methods.

    The comparison also reads the attributes `title`, `higher_is_better`, `unknown` and `values` (value of each image,
    `(n,)`) if the metric has them.
    """

    def update(self, before: Tensor, after: Tensor) -> None:
        """Add images `(n, 3, h, w)` in [-1, 1]: what is compared against, and what was made."""

    def compute(self) -> Interval:
        """Return the value over all images so far, with its interval."""

    def reset(self) -> None:
        """Forget all images."""


def load_metrics(names: Sequence[str]) -> dict[str, ExtraMetric]:
    """Construct metrics by the names under which they are registered.

    Parameters
    ----------
    names
        Names from `latentlab.registry.metrics`.

    Returns
    -------
    dict
        Metrics by their column names: 'kernel-distance' becomes 'kernel_distance'.

    Raises
    ------
    UserError
        If a name is unknown.
    """
    return {name.replace("-", "_"): registry.metrics.load(name)() for name in names}


def extra_measures(task: Task, metrics: Mapping[str, ExtraMetric]) -> tuple[Measure, ...]:
    """Describe metrics as measures of the table.

    Raises
    ------
    UserError
        If the task already has a measure of such a name.
    """
    known = {measure.name for measure in task.measures}
    for name in metrics:
        if name in known:
            raise UserError(f"the task measures {name} already; leave it out of the metrics")
    words = {True: "more", False: "less", None: "neither"}
    return tuple(
        Measure(
            name,
            getattr(metric, "title", name),
            words[getattr(metric, "higher_is_better", None)],  # type: ignore[arg-type]
            unknown=getattr(metric, "unknown", ""),
        )
        for name, metric in metrics.items()
    )


def measure_with(metrics: Mapping[str, ExtraMetric], task: Task, made: Tensor) -> tuple[Columns, dict[str, Interval]]:
    """Compute metrics of what a method made, against the true answers or, where there are none, the inputs.

    Returns
    -------
    dict
        Values of each image, of the metrics that have them.
    dict
        Values over all images; unknown, with the reason, where a metric raises a UserError.

    Raises
    ------
    TypeError
        If a metric's `compute` does not return an Interval.
    """
    truth = task.truth()
    before = task.shown() if truth is None else truth
    columns: Columns = {}
    intervals = {}
    for name, metric in metrics.items():
        try:
            metric.reset()
            metric.update(before, made)
            found = metric.compute()
        except UserError as error:  # such as images too small for it: what was made is not lost because of that
            intervals[name] = unknown_because(str(error))
            continue
        if not isinstance(found, Interval):
            raise TypeError(f"compute of the metric {name} returns {type(found).__name__}, not a latentlab Interval")
        intervals[name] = found
        values = getattr(metric, "values", None)
        if values is not None and len(values) == len(made):
            columns[name] = values
    return columns, intervals
