"""The report of a study: every figure in it comes from the study's tables, and the way to make it again."""

from __future__ import annotations

import platform
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from latentlab.directions import DirectionStatistics, cosine
from latentlab.editing import in_sigmas
from latentlab.files import atomic_path
from latentlab.pipelines.study.results import Bench, Study
from latentlab.samples import EditTable

_PACKAGES = ("latentlab", "torch", "numpy", "scikit-learn")


def write_report(bench: Bench, study: Study, command: str) -> None:
    """Write `report.md`. It holds no dates and no timings: the same run gives the same report."""
    settings = bench.settings
    sections = [
        f"# {settings.name.capitalize()} in W of `{settings.network}`",
        _samples(bench, study),
        _directions(bench, study),
        _edits(bench, study),
        _pictures(bench),
        _again(bench, command),
    ]
    with atomic_path(bench.folder / "report.md") as temporary:
        temporary.write_text("\n\n".join(sections) + "\n", encoding="utf-8")


def summary(study: Study, attribute: str) -> list[str]:
    """The figures in a few lines, for the terminal."""
    positive = study.table.is_positive(attribute)
    lines = [f"{positive.mean():.1%} of {len(positive)} samples are {attribute}"]
    for method, fit in study.fits.items():
        held, edits = fit.held_out, study.edits[method]
        lines.append(
            f"{method}: held-out accuracy {held.accuracy:.3f}, AUC {held.auc:.3f} "
            f"[{held.auc_low:.3f}, {held.auc_high:.3f}]; {_changed(edits.towards, attribute, True)} "
            f"turned {attribute}, {_changed(edits.away, attribute, False)} turned from it"
        )
    return lines


def share(successes: NDArray[np.bool_]) -> str:
    """A share with its 95 % interval (Wilson 1927)."""
    k, n = int(successes.sum()), len(successes)
    low, high = binomtest(k, n).proportion_ci(method="wilson")
    return f"{k}/{n} = {k / n:.1%} [{low:.1%}, {high:.1%}]"


def _changed(table: EditTable, attribute: str, towards: bool) -> str:
    """The share of faces with the new label at the last strength."""
    return share(table.is_positive(attribute)[:, -1] == towards)


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _samples(bench: Bench, study: Study) -> str:
    settings, attribute = bench.settings, bench.settings.attribute
    positive = study.table.is_positive(attribute)
    side = bench.renderer.resolution
    how = "in full" if side == bench.generator.resolution else "by preview"
    names = study.table.names
    rule = "that is its largest score" if len(names) > 1 else "that score is above one half"
    rows = []
    for name in names:
        labelled = study.table.is_positive(name)
        rows.append([name, str(int(labelled.sum())), f"{labelled.mean():.1%}"])
    last = settings.seed_start + settings.samples - 1
    return (
        "## Samples\n\n"
        f"Seeds {settings.seed_start} … {last} at psi {settings.psi:g}, rendered {how} ({side}×{side}) and "
        f"scored by `{settings.scorer}`. A face is *{attribute}* where {rule}: {share(positive)} are. "
        f"{int(study.train.sum())} samples are learnt on, {int(study.test.sum())} are held out "
        "(a sample's side depends on its seed alone).\n\n" + _table(["label", "samples", "share"], rows)
    )


def _directions(bench: Bench, study: Study) -> str:
    rows = [[method, *_held_out(fit.held_out)] for method, fit in study.fits.items()]
    first, second = (fit.direction for fit in study.fits.values())
    names = list(study.fits)
    return (
        "## Directions\n\n"
        "Learnt on the training samples, judged on the held-out ones. `mean` is the mean of w over the "
        "samples with the label minus the mean over all; `svm` the normal of a linear support vector "
        "machine, its C chosen by cross-validation on the training samples.\n\n"
        + _table(["method", "held-out accuracy", "held-out AUC [95 %]", "n"], rows)
        + f"\n\nCosine between {names[0]} and {names[1]}: {cosine(first, second):.3f}."
    )


def _held_out(figures: DirectionStatistics) -> list[str]:
    interval = f"{figures.auc:.3f} [{figures.auc_low:.3f}, {figures.auc_high:.3f}]"
    return [f"{figures.accuracy:.3f}", interval, f"{figures.n} ({figures.n_positive} positive)"]


def _edits(bench: Bench, study: Study) -> str:
    name = bench.settings.attribute
    parts = [
        "## Edits of held-out faces",
        f"Every face without the label is moved towards {name}, every one with it away, by w + strength · n. "
        "How far was calibrated on training faces, along the svm direction; the mean direction is compared "
        "with it at the furthest strengths. Scores are of the edited pictures, rendered as the samples were.",
    ]
    for method, edits in study.edits.items():
        direction = study.fits[method].direction
        rows = []
        for table, towards in ((edits.towards, True), (edits.away, False)):
            changed = table.is_positive(name) == towards
            scores = table.column(name)
            for k, strength in enumerate(table.strengths):
                if strength == 0:
                    continue
                rows.append([
                    f"{'towards' if towards else 'away from'} {name}",
                    f"{strength:+.2f} ({in_sigmas(direction, strength):+.1f} σ)",
                    share(changed[:, k]),
                    f"{scores[:, 0].mean():.3f} → {scores[:, k].mean():.3f}",
                ])  # fmt: skip
        header = ["edit", "strength", "changed label [95 %]", f"mean {name} score"]
        parts.append(f"### {method}\n\n" + _table(header, rows))
    return "\n\n".join(parts)


def _pictures(bench: Bench) -> str:
    return (
        "## Pictures\n\nRendered in full, each with the score of that full picture.\n\n"
        "![a row a face, a column a strength](walk.png)\n\n"
        "![score against strength](response.png)\n\n![the walk](walk.gif)"
    )


def _again(bench: Bench, command: str) -> str:
    versions = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    rows = [
        ["command", f"`{command}`"],
        ["versions", f"Python {platform.python_version()}, {versions}"],
        ["generator", f"`{bench.settings.network}`, fingerprint `{bench.generator.fingerprint}`"],
        ["scorer", f"`{bench.settings.scorer}`, fingerprint `{bench.scorer.fingerprint}`"],
        ["device", str(bench.generator.w_avg.device)],
    ]
    return "## To make it again\n\n" + _table(["what", "value"], rows)
