"""The report of a study; every figure in it comes from the study's tables."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from latentlab.directions import Direction, DirectionStatistics, Fit, cosine
from latentlab.editing import in_sigmas
from latentlab.files import atomic_path
from latentlab.pipelines.study.context import StudyContext
from latentlab.pipelines.study.results import Study
from latentlab.samples import EditTable, SampleTable
from latentlab.scorers.threshold import NEGATIVE, POSITIVE
from latentlab.versions import describe_versions

_PACKAGES = ("torch", "numpy", "scikit-learn")


def write_report(context: StudyContext, study: Study, command: str) -> None:
    """Write `report.md`. It has no dates and no timings, so that the same run gives the same report."""
    settings = context.settings
    sections = [
        f"# {settings.name.capitalize()} in W of `{settings.network}`",
        _samples(context, study),
        _directions(study),
        _edits(study),
        _IMAGES,
        _reproduction(context, command),
    ]
    with atomic_path(context.folder / "report.md") as temporary:
        temporary.write_text("\n\n".join(sections) + "\n", encoding="utf-8")


def summary(study: Study) -> list[str]:
    """The main figures in a few lines, for the terminal."""
    attribute = study.settings.attribute
    counts, samples = study.counts["all"], len(study.table)
    lines = [f"{counts.positive / samples:.1%} of {samples} samples are labelled {attribute}: {counts}"]
    for method, fit in study.fits.items():
        held_out, edits = _held_out(fit), study.edits[method]
        lines.append(
            f"{method}: held-out accuracy {held_out.accuracy:.3f}, AUC {held_out.auc:.3f} "
            f"[{held_out.auc_low:.3f}, {held_out.auc_high:.3f}]; {_changed(edits.towards, attribute, POSITIVE)} "
            f"became {attribute}, {_changed(edits.away, attribute, NEGATIVE)} stopped being {attribute}"
        )
    return lines


def share(successes: NDArray[np.bool_]) -> str:
    """Format a share with its 95 % interval (Wilson 1927)."""
    k, n = int(successes.sum()), len(successes)
    low, high = binomtest(k, n).proportion_ci(method="wilson")
    return f"{k}/{n} = {k / n:.1%} [{low:.1%}, {high:.1%}]"


def _changed(table: EditTable, attribute: str, wanted: int) -> str:
    """Share of the faces with the label that they are edited towards, at the last strength."""
    return share(table.labels(attribute)[:, -1] == wanted)


def _held_out(fit: Fit) -> DirectionStatistics:
    """Statistics of a fit on the samples that a study always holds out."""
    assert fit.held_out is not None
    return fit.held_out


def _table(header: list[str], lines: list[list[str]]) -> str:
    cells = [header, ["---"] * len(header), *lines]
    return "\n".join("| " + " | ".join(line) + " |" for line in cells)


def _samples(context: StudyContext, study: Study) -> str:
    settings = context.settings
    resolution = context.renderer.resolution
    full = resolution == context.components.generator.resolution
    last = settings.seed_start + settings.samples - 1
    parts = [
        "## Samples",
        f"Seeds {settings.seed_start} … {last} at psi {settings.psi:g}, rendered "
        f"{'at the full resolution' if full else 'as previews'} ({resolution}×{resolution}) and "
        f"scored by `{settings.scorer}`. {_rule(study)} That are {share(study.labels == POSITIVE)} of the samples. "
        f"Directions are learnt on {int(study.train.sum())} samples; {int(study.test.sum())} are held out. "
        "The seed alone decides which of the two a sample belongs to.",
        _counts(study),
    ]
    if study.table.threshold is None and len(study.table.names) > 1:
        parts.append(_largest_scores(study.table))
    return "\n\n".join(parts)


def _rule(study: Study) -> str:
    """Describe when a face has the attribute."""
    threshold, asked, name = study.table.threshold, study.settings.threshold, study.settings.attribute
    if threshold is None:
        rule = "is its largest score" if len(study.table.names) > 1 else "score is above one half"
        return f"A face is *{name}* where that {rule}."
    origin = "" if asked == str(threshold) else f" ({asked} of the training samples)"
    above = f"A face is *{name}* where that score is above {threshold.high:.4g}"
    if threshold.low == threshold.high:
        return f"{above}{origin}."
    return (
        f"{above}, and *not {name}* where it is below {threshold.low:.4g}{origin}; between them it is neither, "
        "and no direction is learnt from it or judged by it."
    )


def _counts(study: Study) -> str:
    """Table of how many samples have the attribute, lack it, or do neither."""
    name = study.settings.attribute
    counts = study.counts
    columns = {name: "positive", f"not {name}": "negative"}
    if counts["all"].neither:
        columns["neither"] = "neither"
    lines = [[part, *(str(getattr(found, field)) for field in columns.values())] for part, found in counts.items()]
    return _table(["samples", *columns], lines)


def _largest_scores(table: SampleTable) -> str:
    """How often each score is the largest."""
    lines = []
    for name in table.names:
        labelled = table.is_positive(name)
        lines.append([name, str(int(labelled.sum())), f"{labelled.mean():.1%}"])
    return _table(["largest score", "samples", "share"], lines)


def _directions(study: Study) -> str:
    lines = []
    for method, fit in study.fits.items():
        figures = _held_out(fit)
        interval = f"{figures.auc:.3f} [{figures.auc_low:.3f}, {figures.auc_high:.3f}]"
        lines.append([method, f"{figures.accuracy:.3f}", interval, f"{figures.n} ({figures.n_positive} positive)"])
    first, second = (fit.direction for fit in study.fits.values())
    names = list(study.fits)
    return (
        "## Directions\n\n"
        "Learnt on the training samples and evaluated on the held-out ones. `mean` is the mean of w over the "
        "samples with the label minus the mean over all samples; `svm` is the normal of a linear support vector "
        "machine, whose C was chosen by cross-validation on the training samples.\n\n"
        + _table(["method", "held-out accuracy", "held-out AUC [95 %]", "n"], lines)
        + f"\n\nCosine between {names[0]} and {names[1]}: {cosine(first, second):.3f}."
    )


def _edits(study: Study) -> str:
    name = study.settings.attribute
    parts = [
        "## Edits of held-out faces",
        f"Faces that are not {name} are moved towards it, faces that are away from it: w + strength · n. "
        "The strengths were calibrated on training faces, along the svm direction; the mean direction is compared "
        "with it at the largest strengths. The edited images are scored, rendered as the samples were.",
    ]
    header = ["edit", "strength", "changed label [95 %]", f"mean {name} score"]
    for method, edits in study.edits.items():
        direction = study.fits[method].direction
        lines = [*_edit_lines(edits.towards, name, POSITIVE, direction)]
        lines += _edit_lines(edits.away, name, NEGATIVE, direction)
        parts.append(f"### {method}\n\n" + _table(header, lines))
    return "\n\n".join(parts)


def _edit_lines(table: EditTable, name: str, wanted: int, direction: Direction) -> Iterator[list[str]]:
    """The cells of each strength but 0, which all others are compared with."""
    changed = table.labels(name) == wanted
    scores = table.column(name)
    for k, strength in enumerate(table.strengths):
        if strength != 0:
            yield [
                f"{'towards' if wanted == POSITIVE else 'away from'} {name}",
                f"{strength:+.2f} ({in_sigmas(direction, strength):+.1f} σ)",
                share(changed[:, k]),
                f"{scores[:, 0].mean():.3f} → {scores[:, k].mean():.3f}",
            ]


_IMAGES = """## Images

Rendered at the full resolution; the score under each image is that of the full image.

![walk: a row per face, a column per strength](walk.png)

![score against strength](response.png)

![animation of the walk](walk.gif)"""


def _reproduction(context: StudyContext, command: str) -> str:
    settings, components = context.settings, context.components
    lines = [
        ["command", f"`{command}`"],
        ["versions", describe_versions(*_PACKAGES)],
        ["generator", f"`{settings.network}`, fingerprint `{components.generator.fingerprint}`"],
        *([] if settings.class_label is None else [["class", str(settings.class_label)]]),
        ["scorer", f"`{settings.scorer}`, fingerprint `{components.scorer.fingerprint}`"],
        ["device", str(components.generator.w_avg.device)],
    ]
    return "## How to reproduce it\n\n" + _table(["what", "value"], lines)
