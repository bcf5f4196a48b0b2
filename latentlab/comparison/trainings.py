"""Sections of a report on how methods were trained, and on how much depends on that."""

from __future__ import annotations

from collections.abc import Sequence

from latentlab.comparison.conclusions import scaled_title
from latentlab.comparison.models import plain_name
from latentlab.comparison.protocol import Method
from latentlab.comparison.report import DECIMALS, ReportSection
from latentlab.comparison.run import Comparison, MethodResult

__all__ = ["training_sections"]


def training_sections(comparison: Comparison, methods: Sequence[Method], short: bool) -> list[ReportSection]:
    """Return the sections on trainings; none if no method is trained.

    Parameters
    ----------
    comparison
        What was compared.
    methods
        Its methods.
    short
        Whether the comparison's own trainings are those of a preset that only checks the machinery.
    """
    told = [(method.name, method.training_note) for method in methods if method.training_note]
    if not told:
        return []
    own = [method.name for method in methods if method.training_note and method.given is None]
    text = "What each of them learnt from is the training set of this task, unless a trained model was given."
    note = ""
    if short and own:
        note = (
            f"{', '.join(own)}: trained for minutes by the quick preset, which checks that everything runs; judge no "
            "method by these rows, and give trained models by --models"
        )
        text = f"{note}. {text}"
    sections = [ReportSection("How they were trained", text, ("method", "training"), tuple(told), note=note)]
    return [*sections, *_over_trainings(comparison)]


def _over_trainings(comparison: Comparison) -> list[ReportSection]:
    """Return how the mean of each measure differs between trainings of one method with other seeds."""
    groups: dict[str, list[MethodResult]] = {}
    for one in comparison.done:
        groups.setdefault(plain_name(one.name), []).append(one)
    rows = []
    for name, results in groups.items():
        if len(results) > 1:
            rows += [
                (name, str(len(values)), scaled_title(measure), _spread(values))
                for measure in comparison.measures
                if (values := [v.mean for one in results if (v := one.intervals[measure.name]).known])
            ]
    if not rows:
        return []
    text = (
        "The mean of each measure over several trainings that differ in their seeds alone, with the smallest and the "
        "largest: an interval over images says nothing of the luck of a training."
    )
    return [
        ReportSection("Over trainings", text, ("method", "trainings", "measure", "mean [least, most]"), tuple(rows))
    ]


def _spread(values: Sequence[float]) -> str:
    mean = sum(values) / len(values)
    return f"{mean:.{DECIMALS}f} [{min(values):.{DECIMALS}f}, {max(values):.{DECIMALS}f}]"
