"""The parts of the report that only edits have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from latentlab import plots
from latentlab.comparison.findings import shown
from latentlab.comparison.report import Section
from latentlab.comparison.run import Comparison
from latentlab.tasks.edit_faces.latent import FLOOR
from latentlab.tasks.edit_faces.strengths import Point, Strengths
from latentlab.tasks.edit_faces.task import EditTask

_TOLD = ("judge_reached", "judge", "identity", "lpips_outside", "l1_outside")
_LOST = ("identity", "lpips_outside", "l1_outside")


def edit_sections(comparison: Comparison, strengths: Strengths) -> list[Section]:
    """Curve, even footing, and where quality is lost; the curve is drawn into the comparison's folder."""
    task = comparison.task
    assert isinstance(task, EditTask)
    titles = {figure.name: figure.title for figure in task.figures}
    sections = [_left_out(task)] if task.left_out else []
    if strengths.curve:
        _draw(comparison, strengths)
        sections.append(
            Section(
                "What is gained against what is kept",
                "Latent methods at half, all and one and a half of the calibrated strength; translators have none.",
                ("method", "strength, σ", *(titles[name] for name in _TOLD)),
                tuple(_row(point, ()) for point in strengths.curve),
                "tradeoff.png",
            )
        )
    if strengths.responses:
        sections.append(_even(comparison, strengths, titles))
    if strengths.losses:
        sections.append(_lost(strengths, titles))
    return sections


def _draw(comparison: Comparison, strengths: Strengths) -> None:
    curves: dict[str, list[tuple[float, float]]] = {}
    for point in strengths.curve:
        curves.setdefault(point.method, []).append((point.figures["judge"].mean, point.figures["identity"].mean))
    points = {
        row.name: (row.figures["judge"].mean, row.figures["identity"].mean)
        for row in comparison.done
        if row.name not in curves
    }
    labels = ("probability of the target (mean)", "identity kept (mean)")
    plots.save_figure(plots.tradeoff_figure(curves, points, labels), comparison.task.folder / "tradeoff.png")


def _row(point: Point, before: Sequence[str]) -> tuple[str, ...]:
    figures = (shown(point.figures[name]) for name in _TOLD)
    return (*before, point.method, f"{point.sigmas:.2f}", *figures)


def _even(comparison: Comparison, strengths: Strengths, titles: Mapping[str, str]) -> Section:
    """A translator's row, and below it the latent methods at its response."""
    rows = {row.name: row for row in comparison.done}
    table: list[tuple[str, ...]] = []
    for name, response in strengths.responses.items():
        own = (shown(rows[name].figures[figure]) for figure in _TOLD)
        table.append((f"{name} ({response:.3f})", "itself", "", *own))
        table += [_row(point, (name,)) for point in strengths.even if point.against == name]
        table += [(name, method, "not reached") for translator, method in strengths.unmatched if translator == name]
    return Section(
        "At the same response",
        "Each latent method at the strength at which training faces get the same mean score as those that the "
        "translator edited (in brackets): what the edit costs, where it does as much. Projected photos respond a "
        "little less than the generator's own faces, which the strength is found on.",
        ("translator", "method", "strength, σ", *(titles[name] for name in _TOLD)),
        tuple(table),
    )


def _lost(strengths: Strengths, titles: Mapping[str, str]) -> Section:
    rows = tuple(
        (loss.method, titles[name], *(shown(part[name]) for part in (loss.projecting, loss.editing, loss.both)))
        for loss in strengths.losses
        for name in _LOST
    )
    return Section(
        "Where latent methods lose",
        f"The photo against its projection ('{FLOOR}'), that against its edit, and the photo against the edit.",
        ("method", "", "by projecting", "by editing", "by both"),
        rows,
    )


def _left_out(task: EditTask) -> Section:
    return Section(
        "Photos left out",
        "They could not be edited.",
        ("photo", "why"),
        tuple((k, v) for k, v in task.left_out.items()),
    )
