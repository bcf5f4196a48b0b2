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
from latentlab.samples import EditTable
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
    positive = study.table.is_positive(attribute)
    lines = [f"{positive.mean():.1%} of {len(positive)} samples are {attribute}"]
    for method, fit in study.fits.items():
        held_out, edits = _held_out(fit), study.edits[method]
        lines.append(
            f"{method}: held-out accuracy {held_out.accuracy:.3f}, AUC {held_out.auc:.3f} "
            f"[{held_out.auc_low:.3f}, {held_out.auc_high:.3f}]; {_changed(edits.towards, attribute, True)} "
            f"became {attribute}, {_changed(edits.away, attribute, False)} stopped being {attribute}"
        )
    return lines


def share(successes: NDArray[np.bool_]) -> str:
    """Format a share with its 95 % interval (Wilson 1927)."""
    k, n = int(successes.sum()), len(successes)
    low, high = binomtest(k, n).proportion_ci(method="wilson")
    return f"{k}/{n} = {k / n:.1%} [{low:.1%}, {high:.1%}]"


def _changed(table: EditTable, attribute: str, towards: bool) -> str:
    """Share of the faces with the new label at the last strength."""
    return share(table.is_positive(attribute)[:, -1] == towards)


def _held_out(fit: Fit) -> DirectionStatistics:
    """Statistics of a fit on the samples that a study always holds out."""
    assert fit.held_out is not None
    return fit.held_out


def _table(header: list[str], lines: list[list[str]]) -> str:
    cells = [header, ["---"] * len(header), *lines]
    return "\n".join("| " + " | ".join(line) + " |" for line in cells)


def _samples(context: StudyContext, study: Study) -> str:
    settings, attribute = context.settings, context.settings.attribute
    positive = study.table.is_positive(attribute)
    resolution = context.renderer.resolution
    full = resolution == context.components.generator.resolution
    names = study.table.names
    rule = "that is its largest score" if len(names) > 1 else "that score is above one half"
    lines = []
    for name in names:
        labelled = study.table.is_positive(name)
        lines.append([name, str(int(labelled.sum())), f"{labelled.mean():.1%}"])
    last = settings.seed_start + settings.samples - 1
    return (
        "## Samples\n\n"
        f"Seeds {settings.seed_start} … {last} at psi {settings.psi:g}, rendered "
        f"{'at the full resolution' if full else 'as previews'} ({resolution}×{resolution}) and "
        f"scored by `{settings.scorer}`. A face is *{attribute}* where {rule}: {share(positive)} are. "
        f"Directions are learnt on {int(study.train.sum())} samples; {int(study.test.sum())} are held out. "
        "The seed alone decides which of the two a sample belongs to.\n\n"
        + _table(["label", "samples", "share"], lines)
    )


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
        f"Faces without the label are moved towards {name}, faces with it away from it: w + strength · n. "
        "The strengths were calibrated on training faces, along the svm direction; the mean direction is compared "
        "with it at the largest strengths. The edited images are scored, rendered as the samples were.",
    ]
    header = ["edit", "strength", "changed label [95 %]", f"mean {name} score"]
    for method, edits in study.edits.items():
        direction = study.fits[method].direction
        lines = [*_edit_lines(edits.towards, name, True, direction), *_edit_lines(edits.away, name, False, direction)]
        parts.append(f"### {method}\n\n" + _table(header, lines))
    return "\n\n".join(parts)


def _edit_lines(table: EditTable, name: str, towards: bool, direction: Direction) -> Iterator[list[str]]:
    """The cells of each strength but 0, which all others are compared with."""
    changed = table.is_positive(name) == towards
    scores = table.column(name)
    for k, strength in enumerate(table.strengths):
        if strength != 0:
            yield [
                f"{'towards' if towards else 'away from'} {name}",
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
        ["scorer", f"`{settings.scorer}`, fingerprint `{components.scorer.fingerprint}`"],
        ["device", str(components.generator.w_avg.device)],
    ]
    return "## How to reproduce it\n\n" + _table(["what", "value"], lines)
