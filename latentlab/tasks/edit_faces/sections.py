"""Sections of the report that only comparisons of edits have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from latentlab import plots
from latentlab.comparison.conclusions import scaled_title
from latentlab.comparison.definition import Job
from latentlab.comparison.protocol import Method
from latentlab.comparison.report import DECIMALS, ReportSection
from latentlab.comparison.run import Comparison
from latentlab.metrics import Interval, format_interval
from latentlab.tasks.edit_faces.definition import PROJECTION, EditInputs
from latentlab.tasks.edit_faces.pasting import paste_edits
from latentlab.tasks.edit_faces.search import target_of
from latentlab.tasks.edit_faces.strengths import CurvePoint, Strengths, strengths_of
from latentlab.tasks.edit_faces.task import EditTask

_REPORTED = ("judge_reached", "judge", "identity", "lpips_outside", "l1_outside")
_REASONS = 3  # reasons that a line on the terminal names
_AT = ("share of the strength", "mean strength, σ", "labelling scorer, mean")
_LOST = ("identity", "lpips_outside", "l1_outside")


def sections_from_inputs(
    comparison: Comparison, methods: Sequence[Method], inputs: EditInputs, job: Job
) -> list[ReportSection]:
    """Return the sections of `latentlab compare edit`; put the edits back into the photos where that was asked for."""
    if inputs.paste and inputs.photos is not None:
        paste_edits(comparison, inputs.photos, job.progress)
    return edit_sections(comparison, strengths_of(comparison, methods, job.progress))


def edit_sections(comparison: Comparison, strengths: Strengths) -> list[ReportSection]:
    """Return the sections on curves, equal responses and losses; draw the curve into the comparison's folder.

    Parameters
    ----------
    comparison
        A comparison of an `EditTask`.
    strengths
        What `strengths_of` found.
    """
    task = comparison.task
    assert isinstance(task, EditTask)
    titles = {measure.name: scaled_title(measure) for measure in task.measures}
    sections = [_left_out(task)] if task.left_out else []
    if strengths.curve:
        image = "tradeoff.png" if _draw(comparison, strengths) else None
        sections.append(
            ReportSection(
                "What is gained against what is kept",
                _on_strengths(task, strengths),
                ("method", *_AT, *(titles[name] for name in _REPORTED)),
                tuple(_table_row(point, ()) for point in strengths.curve),
                image,
            )
        )
    if strengths.responses:
        sections.append(_even(comparison, strengths, titles))
    if strengths.losses:
        sections.append(_lost(strengths, titles))
    return sections


def _on_strengths(task: EditTask, strengths: Strengths) -> str:
    """Say how far photos are moved, and how many do not get to the target."""
    missed = [f"{count} with {name}" for name, count in strengths.unreached.items() if count]
    reached = (
        f"Within the cap of strengths some photos do not get there: {', '.join(missed)}."
        if missed
        else "All get there."
    )
    return (
        "Latent methods move each photo until its score by the labelling scorer is "
        f"{target_of(task).value:.2f}, which three in four training faces of the target reach. {reached} Here they are "
        "at half, all and one and a half of each photo's strength; translators have none."
    )


def _draw(comparison: Comparison, strengths: Strengths) -> bool:
    """Draw the curve; return whether there was anything to draw, as no identity may be known."""
    curves: dict[str, list[tuple[float, float]]] = {}
    for point in strengths.curve:
        curves.setdefault(point.method, []).append((point.intervals["judge"].mean, point.intervals["identity"].mean))
    points = {
        one.name: (one.intervals["judge"].mean, one.intervals["identity"].mean)
        for one in comparison.done
        if one.name not in curves
    }
    if not np.isfinite([*points.values(), *(point for line in curves.values() for point in line)]).all(axis=1).any():
        return False
    labels = ("probability of the target (mean)", "identity kept (mean)")
    figure = plots.tradeoff_figure(curves, points, labels)
    plots.save_figure(figure, comparison.task.folder / "tradeoff.png")
    return True


def _table_row(point: CurvePoint, before: Sequence[str]) -> tuple[str, ...]:
    cells = (_cell(point.intervals[name]) for name in _REPORTED)
    return (*before, point.method, f"{point.share:.2f}", f"{point.sigmas:.2f}", f"{point.score:.3f}", *cells)


def _cell(value: Interval) -> str:
    return format_interval(value, most_decimals=DECIMALS)


def _even(comparison: Comparison, strengths: Strengths, titles: Mapping[str, str]) -> ReportSection:
    """A row for each translator, and below it the latent methods at its response."""
    results = {one.name: one for one in comparison.done}
    table: list[tuple[str, ...]] = []
    for name, response in strengths.responses.items():
        own = (_cell(results[name].intervals[measure]) for measure in _REPORTED)
        table.append((name, "itself", "", "", f"{response:.3f}", *own))
        table += [_table_row(point, (name,)) for point in strengths.even if point.against == name]
        table += [(name, method, "not reached") for translator, method in strengths.unmatched if translator == name]
    return ReportSection(
        "At the same response",
        "Each latent method at the share of each photo's strength at which the labelling scorer's mean score is about "
        "the translator's: what an edit costs that achieves as much.",
        ("translator", "method", *_AT, *(titles[name] for name in _REPORTED)),
        tuple(table),
    )


def _lost(strengths: Strengths, titles: Mapping[str, str]) -> ReportSection:
    rows = tuple(
        (
            loss.method,
            titles[name],
            *(_cell(part[name]) for part in (loss.projecting, loss.editing, loss.both)),
        )
        for loss in strengths.losses
        for name in _LOST
    )
    return ReportSection(
        "Where latent methods lose",
        f"The photo against its projection ('{PROJECTION}'), that against its edit, and the photo against the edit.",
        ("method", "", "by projecting", "by editing", "by both"),
        rows,
    )


def _left_out(task: EditTask) -> ReportSection:
    left, given = len(task.left_out), len(task.names) + len(task.left_out)
    note = f"{len(task.names)} of {given} photos were edited; {left} could not be"
    rows = tuple(task.left_out.items())
    reasons = "; ".join(f"{name}: {why}" for name, why in rows[:_REASONS]) + ("; …" if left > _REASONS else "")
    return ReportSection("Photos left out", f"{note}.", ("photo", "why"), rows, note=f"{note} ({reasons})")
