"""Conclusions that follow from the numbers by rule, never written by hand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from latentlab.comparison.protocol import Measure
from latentlab.comparison.run import MethodResult
from latentlab.metrics.intervals import LEAST_IMAGES, format_interval, paired_difference, power_of_ten

__all__ = ["RULE", "WorstImage", "best_methods", "draw_conclusions", "scaled_title", "worst_images"]

RULE = (
    f"By rule: a method is best where it differs from every other on the same images, {LEAST_IMAGES} at least: the "
    "95 % interval of the difference, made wider for the number of others (Bonferroni), excludes 0. By measures that "
    "only a set of images has, the two intervals may not overlap."
)


def scaled_title(measure: Measure, power: int = 0) -> str:
    """Return a measure's title as a heading, with the unit that its values are written in, such as 'L1, in 10⁻³'."""
    title = measure.title[:1].upper() + measure.title[1:]
    superscript = str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{title}, in 10{superscript}" if power else title


def draw_conclusions(
    results: Sequence[MethodResult], measures: Sequence[Measure], excluded: Sequence[str] = ()
) -> list[str]:
    """Write a sentence for each measure that has a better and a worse, and one for all that have too few images.

    It names the method with the best mean, and the methods that cannot be told apart from it, by `RULE`.

    Parameters
    ----------
    results
        Results of the methods that did not fail.
    measures
        What is measured.
    excluded
        Names of baselines and oracles, which do not compete.
    """
    sentences, too_few = [], []
    for measure in measures:
        ranked = _ranked(results, measure, excluded)
        if len(ranked) < 2:
            continue
        if min(one.intervals[measure.name].n for one in ranked) < LEAST_IMAGES:
            too_few.append(measure)
        else:
            sentences.append(_verdict(ranked, measure))
    if too_few:
        sentences.append(_say_too_few(results, too_few, everything=not sentences))
    return sentences


def best_methods(
    results: Sequence[MethodResult], measures: Sequence[Measure], excluded: Sequence[str] = ()
) -> dict[str, str]:
    """Return the method that is best by `RULE`, by the name of the measure; measures without one are left out."""
    found = {}
    for measure in measures:
        ranked = _ranked(results, measure, excluded)
        if len(ranked) >= 2 and not _close(ranked, measure):
            found[measure.name] = ranked[0].name
    return found


def _ranked(results: Iterable[MethodResult], measure: Measure, excluded: Sequence[str]) -> list[MethodResult]:
    """Results that compete by a measure, the best mean first; none where there is no better and worse."""
    if measure.better == "neither":
        return []
    known = [one for one in results if one.name not in excluded and one.intervals[measure.name].known]
    return sorted(known, key=lambda one: one.intervals[measure.name].mean, reverse=measure.better == "more")


def _verdict(ranked: Sequence[MethodResult], measure: Measure) -> str:
    """Say whether the first of at least two methods is ahead of the others."""
    best, *rest = ranked
    power = power_of_ten(one.intervals[measure.name] for one in ranked)
    title, number = scaled_title(measure, power), format_interval(best.intervals[measure.name], power)
    close = _close(ranked, measure)
    if not close:
        return f"{title}: {best.name} is best, {number}."
    others = "any other method" if len(close) == len(rest) else ", ".join(close)
    return f"{title}: {best.name} has the best mean, {number}, but cannot be told from {others}."


def _close(ranked: Sequence[MethodResult], measure: Measure) -> list[str]:
    """Names of the methods that cannot be told apart from the first."""
    best, *rest = ranked
    return [other.name for other in rest if not _differ(best, other, measure, 1 - 0.05 / len(rest))]


def _differ(one: MethodResult, other: MethodResult, measure: Measure, level: float) -> bool:
    """Whether two methods differ by a measure beyond chance."""
    if measure.name in one.columns and measure.name in other.columns:
        found = paired_difference(one.columns[measure.name], other.columns[measure.name], measure.share, level)
        return found.n >= LEAST_IMAGES and (found.low > 0 or found.high < 0)
    a, b = one.intervals[measure.name], other.intervals[measure.name]
    return min(a.n, b.n) >= LEAST_IMAGES and not a.overlaps(b)


def _say_too_few(results: Sequence[MethodResult], measures: Sequence[Measure], everything: bool) -> str:
    most = max(one.intervals[measure.name].n for measure in measures for one in results)
    by = "" if everything else f" by {'; '.join(scaled_title(measure) for measure in measures)}"
    return f"No method is called best{by}: {most} held-out images are too few, it takes {LEAST_IMAGES}."


@dataclass(frozen=True)
class WorstImage:
    """The image on which a method does worst by a measure.

    Attributes
    ----------
    measure
        Measure by which it is the worst.
    method
        Name of the method.
    index
        Index among the held-out images.
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
