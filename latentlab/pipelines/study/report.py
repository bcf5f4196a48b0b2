"""The report of a study; every figure in it comes from the study's tables."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from latentlab import markdown
from latentlab.directions import Direction, DirectionStatistics, Fit, cosine
from latentlab.editing import in_sigmas
from latentlab.files import write_text
from latentlab.markdown import Markup, code, escape
from latentlab.metrics import Interval, format_interval, share_interval
from latentlab.metrics.intervals import LEAST_IMAGES, format_share
from latentlab.pipelines.study.context import StudyContext
from latentlab.pipelines.study.results import Study
from latentlab.samples import EditTable, SampleTable
from latentlab.scorers.threshold import NEGATIVE, POSITIVE
from latentlab.versions import describe_versions

_PACKAGES = ("torch", "numpy", "scikit-learn")
_METHODS = {
    "style-correlation": "`style-correlation` moves the ten style channels whose value correlates most with the logit "
    "of the score, each by its correlation",
    "svm": "`svm` is the normal, in W, of a linear support vector machine, whose C was chosen by cross-validation on "
    "the training samples",
    "mean": "`mean` is the mean of w over the samples with the label minus the mean over all samples",
}


def write_report(context: StudyContext, study: Study, command: str) -> None:
    """Write `report.md`. It has no dates and no timings, so that the same run gives the same report."""
    settings = context.settings
    sections = [
        f"# {escape(settings.name.capitalize())} in {_main(study).space.upper()} of {code(settings.network)}",
        _samples(context, study),
        _directions(study),
        _edits(study),
        _IMAGES,
        _reproduction(context, command),
    ]
    write_text(context.folder / "report.md", "\n\n".join(sections) + "\n")


def summary(study: Study) -> list[str]:
    """The main figures in a few lines, for the terminal."""
    attribute = study.settings.attribute
    counts, samples = study.counts["all"], len(study.table)
    lines = [f"{counts.positive / samples:.1%} of {samples} samples are labelled {attribute}: {counts}"]
    for method, fit in study.fits.items():
        held_out, edits = _held_out(fit), study.edits[method]
        caution = f" ({held_out.caution})" if held_out.caution else ""
        lines.append(
            f"{method}: held-out AUC {_auc(held_out)}{caution}; edits changed the label of "
            f"{_changed(edits.towards, attribute, POSITIVE)} towards {attribute}, "
            f"{_changed(edits.away, attribute, NEGATIVE)} away from it"
        )
    return [*lines, *_few_faces(study)]


def share(successes: NDArray[np.bool_]) -> str:
    """Format a share with its 95 % interval (Wilson 1927) and the counts."""
    return format_share(share_interval(successes))


def _auc(figures: DirectionStatistics) -> str:
    """The AUC with its interval."""
    return format_interval(Interval(figures.auc, figures.auc_low, figures.auc_high, figures.n))


def _few_faces(study: Study) -> list[str]:
    """A sentence where too few faces were edited to conclude anything; none otherwise."""
    edits = next(iter(study.edits.values()))
    fewest = min(len(edits.towards.seeds), len(edits.away.seeds))
    if fewest >= LEAST_IMAGES:
        return []
    return [f"Edits of {fewest} faces are a first look: it takes {LEAST_IMAGES} of each label to tell methods apart."]


def _changed(table: EditTable, attribute: str, wanted: int) -> str:
    """Share of the faces with the label that they are edited towards, at the last strength."""
    return share(table.labels(attribute)[:, -1] == wanted)


def _main(study: Study) -> Direction:
    """The direction that the study is about."""
    return study.fits[study.settings.method].direction


def _held_out(fit: Fit) -> DirectionStatistics:
    """Statistics of a fit on the samples that a study always holds out."""
    assert fit.held_out is not None
    return fit.held_out


def _samples(context: StudyContext, study: Study) -> str:
    settings = context.settings
    full = context.renderer.resolution == context.components.generator.resolution
    height, width = context.renderer.size
    last = settings.seed_start + settings.samples - 1
    parts = [
        "## Samples",
        f"Seeds {settings.seed_start} … {last} at psi {settings.psi:g}, rendered "
        f"{'at the full resolution' if full else 'as previews'} ({width}×{height}) and "
        f"scored by {code(settings.scorer)}. {_rule(study)} {share(study.labels == POSITIVE)} count as "
        f"*{escape(settings.attribute)}*. "
        f"Directions are learnt on {int(study.train.sum())} samples; {int(study.test.sum())} are held out. "
        "The seed alone decides which of the two a sample belongs to.",
        _counts(study),
    ]
    if study.table.threshold_for(settings.attribute) is None and len(study.table.names) > 1:
        parts.append(_largest_scores(study.table))
    return "\n\n".join(parts)


def _rule(study: Study) -> str:
    """Describe when a face has the attribute."""
    asked, name = study.settings.threshold, escape(study.settings.attribute)
    threshold = study.table.threshold_for(study.settings.attribute)
    if threshold is None:
        rule = "is its largest score" if len(study.table.names) > 1 else "score is above one half"
        return f"A face counts as *{name}* where that {rule}."
    origin = "" if asked == str(threshold) else f" ({asked} of the training samples)"
    above = f"A face counts as *{name}* where that score is above {threshold.high:.4g}"
    if threshold.low == threshold.high:
        return f"{above}{origin}."
    return (
        f"{above}, and as *not {name}* where it is below {threshold.low:.4g}{origin}; between them it counts as "
        "neither, and no direction is learnt from it or judged by it."
    )


def _counts(study: Study) -> str:
    """Table of how many samples have the attribute, lack it, or do neither."""
    name = study.settings.attribute
    counts = study.counts
    columns = {name: "positive", f"not {name}": "negative"}
    if counts["all"].neither:
        columns["neither"] = "neither"
    lines = [[part, *(str(getattr(found, field)) for field in columns.values())] for part, found in counts.items()]
    return markdown.table(["samples", *columns], lines)


def _largest_scores(table: SampleTable) -> str:
    """How often each score is the largest."""
    lines = []
    for name in table.names:
        labelled = table.is_positive(name)
        lines.append([name, str(int(labelled.sum())), f"{labelled.mean():.1%}"])
    return markdown.table(["largest score", "samples", "share"], lines)


def _directions(study: Study) -> str:
    lines = []
    for method, fit in study.fits.items():
        figures = _held_out(fit)
        accuracy = share(np.arange(figures.n) < round(figures.accuracy * figures.n))
        lines.append([method, accuracy, _auc(figures), str(figures.n_positive), str(figures.n - figures.n_positive)])
    header = ["method", "held-out accuracy [95 %]", "held-out AUC [95 %]", "with the label", "without"]
    cautions = {method: _held_out(fit).caution for method, fit in study.fits.items()}
    warnings = [f"\n\n**{method} is {caution}.**" for method, caution in cautions.items() if caution]
    return (
        "## Directions\n\n"
        "Learnt on the training samples and evaluated on the held-out ones: how well they tell faces apart, not how "
        f"well they edit. {'; '.join(_METHODS[method] for method in study.fits)}.\n\n"
        + markdown.table(header, lines)
        + "".join(warnings)
        + "\n\n"
        + _composition(study)
    )


def _composition(study: Study) -> str:
    """Describe the main direction: the channels that it moves or, in W, how near it comes to the other one."""
    (main, direction), (other, compared) = ((method, fit.direction) for method, fit in study.fits.items())
    if direction.channels is None:
        return f"Cosine between {main} and {other}: {cosine(direction, compared):.2f}."
    moves = sorted(zip(direction.channels.names, direction.vector.tolist(), strict=True), key=lambda one: -abs(one[1]))
    listed = ", ".join(f"{name} {move:+.2f}" for name, move in moves)
    return f"Strength 1 of {main} moves these style channels, in standard deviations of each: {listed}."


def _edits(study: Study) -> str:
    name = study.settings.attribute
    shown = escape(name)
    parts = [
        "## Edits of held-out faces",
        f"Faces *not {shown}* are moved towards it, faces *{shown}* away from it. Strengths are in units of each "
        "direction, and σ is the standard deviation of the samples along it. How far to go was calibrated on training "
        f"faces, for each direction. {' '.join(_ranges(study))} The edited images are scored, rendered as the samples "
        f"were. What else the edits change, `latentlab directions measure` tells.",
        *(f"**{sentence}**" for sentence in _few_faces(study)),
    ]
    header = ["edit", "strength", "changed label [95 %]", f"mean {name} score"]
    for method, edits in study.edits.items():
        direction = study.fits[method].direction
        lines = [*_edit_lines(edits.towards, name, POSITIVE, direction)]
        lines += _edit_lines(edits.away, name, NEGATIVE, direction)
        parts.append(f"### {method}\n\n" + markdown.table(header, lines))
    return "\n\n".join(parts)


def _ranges(study: Study) -> Iterator[str]:
    """Describe the calibrated strengths of each method, and the faces that even they did not change."""
    for method, reach in study.reach.items():
        direction = study.fits[method].direction
        ends = {
            f"{strength:+.2f} ({in_sigmas(direction, strength):+.1f} σ)": changed
            for strength, changed in ((reach.away, reach.changed_away), (reach.towards, reach.changed_towards))
        }
        text = f"Along {method} edits go from {' to '.join(ends)}."
        for strength, changed in ends.items():
            if changed is not None and changed < 1:
                text += f" {changed:.0%} of these faces changed their label at {strength}, and no more at any other."
        if direction.strength_range is None:
            text += f" So {method} is saved without a range of strengths."
        yield text


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
                f"{scores[:, 0].mean():.2f} → {scores[:, k].mean():.2f}",
            ]


_IMAGES = """## Images

Rendered at the full resolution; the score under each image is that of the full image.

![walk: a row per face, a column per strength](walk.png)

![score against strength](response.png)

![animation of the walk](walk.gif)"""


def _with_fingerprint(name: object, fingerprint: str) -> Markup:
    return Markup(f"{code(name)}, fingerprint {code(fingerprint)}")


def _reproduction(context: StudyContext, command: str) -> str:
    settings, components = context.settings, context.components
    lines = [
        ["command", code(command)],
        ["versions", describe_versions(*_PACKAGES)],
        ["generator", _with_fingerprint(settings.network, components.generator.fingerprint)],
        *([] if settings.class_label is None else [["class", str(settings.class_label)]]),
        ["scorer", _with_fingerprint(settings.scorer, components.scorer.fingerprint)],
        ["device", f"{components.generator.w_avg.device}, images in {settings.precision}"],
    ]
    return "## How to reproduce it\n\n" + markdown.table(["what", "value"], lines, numbers=())
