"""Conclusions that follow from the numbers by rule, never written by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from latentlab.comparison.protocol import Measure
from latentlab.comparison.run import MethodResult
from latentlab.metrics import Interval

__all__ = ["WorstImage", "draw_conclusions", "format_interval", "worst_images"]


def format_interval(value: Interval) -> str:
    """Format a mean with its interval and the number of images without a value."""
    if math.isnan(value.mean):
        return "not measured"
    missing = f", {value.missing} not measured" if value.missing else ""
    return f"{value.mean:.3g} [{value.low:.3g}, {value.high:.3g}]{missing}"


def draw_conclusions(
    results: Sequence[MethodResult], measures: Sequence[Measure], excluded: Sequence[str] = ()
) -> list[str]:
    """Write a sentence for each measure that has a better and a worse.

    It names the method with the best mean, and the methods that the intervals cannot separate from it.

    Parameters
    ----------
    results
        Results of the methods that did not fail.
    measures
        What is measured.
    excluded
        Names of baselines and oracles, which do not compete.
    """
    sentences = []
    for measure in measures:
        if measure.better == "neither":
            continue
        known = [(one.name, one.intervals[measure.name]) for one in results if one.name not in excluded]
        known = [(name, value) for name, value in known if not math.isnan(value.mean)]
        if len(known) >= 2:
            known.sort(key=lambda pair: pair[1].mean, reverse=measure.better == "more")
            sentences.append(f"{measure.title}: {_verdict(known)}.")
    return sentences


def _verdict(ranked: Sequence[tuple[str, Interval]]) -> str:
    """Say how far the first of at least two methods is ahead."""
    (best, value), rest = ranked[0], ranked[1:]
    close = [name for name, other in rest if value.overlaps(other)]
    if not close:
        return f"{best} is best, {format_interval(value)}; its interval overlaps no other method's"
    if len(close) == len(rest):
        others = "any other method"
    else:
        others = ", ".join(close)
    return f"{best} has the best mean, {format_interval(value)}; the intervals cannot separate it from {others}"


@dataclass(frozen=True)
class WorstImage:
    """The image on which a method does worst by a measure.

    Attributes
    ----------
    measure
        By which it is the worst.
    method
        Name of the method.
    index
        Which of the held-out images.
    value
        Value of the measure there.
    """

    measure: Measure
    method: str
    index: int
    value: float


def worst_images(
    results: Sequence[MethodResult], measures: Sequence[Measure], excluded: Sequence[str] = ()
) -> list[WorstImage]:
    """Find where each method does worst, by each measure of single images that is not a share.

    Parameters
    ----------
    results, measures, excluded
        See `draw_conclusions`.
    """
    found = []
    for result in results:
        for measure in measures:
            values = result.columns.get(measure.name)
            if result.name in excluded or measure.share or measure.better == "neither" or values is None:
                continue
            if np.isnan(values).all():
                continue
            k = int(np.nanargmin(values) if measure.better == "more" else np.nanargmax(values))
            found.append(WorstImage(measure, result.name, k, float(values[k])))
    return found
