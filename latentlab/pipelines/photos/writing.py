"""The files of a job on photos: images, latents, deltas, figures and a report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from latentlab import images
from latentlab.directions import Direction
from latentlab.directions.edits import Edits
from latentlab.files import write_json, write_text
from latentlab.images import reduce
from latentlab.markdown import code_block, escape, table
from latentlab.pipelines.checks import QualityCheck, format_value
from latentlab.pipelines.photos.aligning import numbered
from latentlab.pipelines.photos.edits import PhotoEdit, edit_names, or_unknown
from latentlab.pipelines.photos.portraits import Portrait
from latentlab.pipelines.photos.settings import FAST_AGAINST_DEFAULT
from latentlab.plots.saving import save_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURE_RESOLUTION = 512  # a face in the figure


def write_portrait(portrait: Portrait, folder: Path) -> Path:
    """Write a portrait into a folder of its name, and return that folder.

    Its files are aligned.png and projected.png, projection.safetensors, report.json and, after tuning,
    delta.safetensors.
    """
    own = folder / portrait.name
    images.save_image(portrait.face.image, own / "aligned.png")
    images.save_image(portrait.rendered.clamp(-1, 1), own / "projected.png")
    portrait.projection.save(own / "projection.safetensors")
    if portrait.tuned is not None:
        portrait.tuned.delta.save(own / "delta.safetensors")
    write_json(own / "report.json", _facts(portrait))
    return own


def write_projection(portrait: Portrait, folder: Path) -> Path:
    """Write a portrait that is not edited, as `write_portrait` does, with report.md."""
    own = write_portrait(portrait, folder)
    lines = [
        f"# {escape(numbered(portrait.path.name, portrait.number))}: projected",
        "",
        "![the projection](projected.png)",
        "",
        *_trust(portrait),
    ]
    write_text(own / "report.md", "\n".join(lines) + "\n")
    return own


def write_edits(
    portrait: Portrait, edits: Sequence[PhotoEdit], direction: Direction | Edits, own: Path, command: str
) -> None:
    """Write the edited photos into the portrait's folder, with a figure of all of them, report.md and report.json."""
    write_images(edits, own)
    save_figure(_comparison(portrait, edits, direction), own / "comparison.png")
    facts = _facts(portrait) | {
        **_moved(direction),
        **({"score": edits[0].attribute} if edits else {}),
        "own_scores": [_finite(value) for value in edits[0].own_scores] if edits else [],
        "edits": [edit_facts(edit) for edit in edits],
    }
    write_json(own / "report.json", facts)
    write_text(own / "report.md", _markdown(portrait, edits, direction, command))


def _moved(direction: Direction | Edits) -> dict[str, Any]:
    """What the edits went along, for JSON: one direction, or several with the strength of each."""
    if isinstance(direction, Edits):
        return {"directions": [{"direction": one.attribute, "strength": strength} for one, strength in direction]}
    return {"direction": direction.attribute}


def write_images(edits: Sequence[PhotoEdit], own: Path) -> None:
    """Write the edited photos, and their faces, named by their strengths or targets."""
    for edit, name in zip(edits, file_names(edits), strict=True):
        images.save_image(edit.photo, own / f"photo_{name}.png")
        images.save_image(edit.crop.clamp(-1, 1), own / f"crop_{name}.png")


def _comparison(portrait: Portrait, edits: Sequence[PhotoEdit], direction: Direction | Edits) -> Figure:
    """Draw the photo, its projection and its edits side by side."""
    from latentlab.plots import portrait_figure  # matplotlib would delay the checks of a photo

    shown: list[tuple[str, torch.Tensor, torch.Tensor | None, str]] = [
        ("photo", portrait.face.image, portrait.photo, "")
    ]
    named = sorted(zip(edits, signed_names(edits), strict=True), key=lambda pair: pair[0].strength)
    before = "" if isinstance(direction, Edits) else f"{direction.attribute} "
    shown += [
        (f"{before}{name}" if edit.strength or edit.search else "projected", edit.crop, edit.photo, edit.values())
        for edit, name in named
    ]
    if all(edit.strength for edit in edits):
        away = sum(edit.strength < 0 for edit in edits)
        shown.insert(1 + away, ("projected", portrait.rendered.cpu(), None, ""))
    return portrait_figure(
        [title for title, *_ in shown],
        torch.cat([reduce(crop, FIGURE_RESOLUTION) for _, crop, *_ in shown]),
        [None if photo is None else reduce(photo, FIGURE_RESOLUTION) for *_, photo, _ in shown],
        [caption for *_, caption in shown],
    )


def _facts(portrait: Portrait) -> dict[str, Any]:
    """Alignment, checks and figures of a portrait, for JSON."""
    tuned = portrait.tuned
    return {
        "photo": portrait.path.name,
        **({} if portrait.number is None else {"face": portrait.number}),
        "alignment": portrait.face.to_dict(),
        "before": [fields_of(check) for check in portrait.before],
        "after": [fields_of(check) for check in portrait.after],
        "projection": {"steps": int(portrait.projection.steps[0]), "lpips": float(portrait.projection.distances[0])},
        "tuning": None if tuned is None else tuned.delta.figures,
        "recipe": " ".join(line for line in _recipe(portrait) if line),
    }


def edit_facts(edit: PhotoEdit) -> dict[str, Any]:
    """Figures of an edit, for JSON; with a target also what the search for its strength found."""
    facts: dict[str, Any] = {
        "strength": edit.strength,
        "score": _finite(edit.score),
        "identity": _finite(edit.identity),
        "checks": [fields_of(check) for check in edit.checks],
    }
    if edit.search is not None:
        search = edit.search
        facts["target"] = {
            **asdict(search.target),
            "reached": bool(search.reached[0]),
            "before": float(search.before[0]),
            "after": float(search.after[0]),
            "limit": float(search.limits[0]),
            "renders": int(search.renders[0]),
        }
    return facts


def fields_of(check: QualityCheck) -> dict[str, Any]:
    """A check, for JSON."""
    return asdict(check) | {"value": _finite(check.value)}


def _finite(value: float) -> float | None:
    """A value as JSON holds it."""
    return value if math.isfinite(value) else None


def _markdown(portrait: Portrait, edits: Sequence[PhotoEdit], direction: Direction | Edits, command: str) -> str:
    unknown = dict.fromkeys(why for edit in edits for why in edit.why_unknown)
    if isinstance(direction, Edits):
        moved, heading = str(direction).replace("-", "\N{MINUS SIGN}"), "edit"
    else:
        moved, heading = direction.attribute, f"strength along {direction.attribute}"
    lines = [
        f"# {escape(numbered(portrait.path.name, portrait.number))}: {escape(moved)}",
        "",
        "![the photo, its projection, and the edits](comparison.png)",
        "",
        "## The edits",
        "",
        "Score and identity are those of the face in the finished photo, and of its projection as it is rendered. "
        "Identity is the similarity to the original photo: 1 for the same image; the median is 0.75 for two photos of "
        "one person and 0.07 for strangers.",
        "",
        edit_table(heading, edits[0].attribute if edits else "score", _unedited_rows(portrait, edits), edits),
        *(f"\n{escape(why)}" for why in unknown),
        *doubts(edits),
        *(f"\n{escape(line)}" for line in _search_lines(edits)),
        "",
        *_trust(portrait),
        "",
        "## How to reproduce it",
        "",
        code_block(command),
    ]
    return "\n".join(lines) + "\n"


def _trust(portrait: Portrait) -> list[str]:
    """The quality checks of a portrait, how it was made, and what was spared."""
    return ["## How far to trust it", "", *verdict_lines(portrait.checks), "", *_recipe(portrait)]


def edit_table(strength: str, score: str, unedited: Sequence[Sequence[str]], edits: Sequence[PhotoEdit]) -> str:
    """A table of what was scored: what is not edited, and each edit, under these headings."""
    edited = [
        (name, or_unknown(e.score), or_unknown(e.identity)) for e, name in zip(edits, signed_names(edits), strict=True)
    ]
    return table([strength, score, "identity"], [*unedited, *edited], numbers=range(3))


def _unedited_rows(portrait: Portrait, edits: Sequence[PhotoEdit]) -> list[tuple[str, str, str]]:
    """Rows of the photo itself and of its projection, to which the edits compare."""
    if not edits:
        return []
    photo, projected = edits[0].own_scores
    identity = next((check.value for check in portrait.after if check.name == "identity"), math.nan)
    return [
        ("the photo", or_unknown(photo), "1.00"),
        ("its projection", or_unknown(projected), or_unknown(identity)),
    ]


def doubts(edits: Sequence[PhotoEdit]) -> list[str]:
    """A line for each check of an edit that is not good: what failed, and what to do."""
    lines = [
        f"- {escape(f'{name}: {check.name} {check.verdict} ({format_value(check)}): {check.told}.')}"
        for edit, name in zip(edits, signed_names(edits), strict=True)
        for check in edit.checks
        if check.verdict != "good"
    ]
    return ["", *lines] if lines else []


def _search_lines(edits: Sequence[PhotoEdit]) -> list[str]:
    """What was searched for, and what the search found in the face as the generator renders it."""
    return [
        f"The strength to the target {edit.search.target} was searched for by rendering the face; in its crop, before "
        f"it was pasted back: {found}."
        for edit in edits
        if edit.search is not None
        for found in edit.search.describe()
    ]


def verdict_lines(checks: Sequence[QualityCheck]) -> list[str]:
    """A table of the checks, and below it the likely causes of what is not good, and what to do about them."""
    causes: dict[tuple[str, str], list[str]] = {}
    for check in checks:
        if check.cause:
            causes.setdefault((check.verdict, check.told), []).append(check.name)
    found = (f"{', '.join(names)} ({verdict}): {cause}." for (verdict, cause), names in causes.items())
    reasons = [f"- {escape(reason)}" for reason in found]
    rows = [(check.name, format_value(check), check.verdict) for check in checks]
    return [table(["check", "value", "verdict"], rows, numbers=[1]), *(["", *reasons] if reasons else [])]


def _recipe(portrait: Portrait) -> list[str]:
    """How the photo was projected and tuned, and what was spared."""
    settings, tuned = portrait.projection.settings, portrait.tuned
    text = f"Projection: {settings.space}, {int(portrait.projection.steps[0])} steps. "
    if tuned is None:
        text += "Tuning: none."
    elif tuned.delta.refined is not None:
        text += f"Refinement of the features of {tuned.delta.refined} pixels: {tuned.steps} steps."
    else:
        text += f"Tuning: {tuned.steps} steps"
        drift = tuned.delta.figures.get("drift_lpips_mean")
        text += "." if drift is None else f"; it changes images of other persons by an LPIPS of {drift:.3f}."
    if portrait.recipe.is_fast:
        return [text, "", f"This is a quick look. {FAST_AGAINST_DEFAULT}"]
    cut = portrait.recipe.steps_left_out
    return [text, *(["", f"This is a quick look: {cut}."] if cut else [])]


def file_names(edits: Sequence[PhotoEdit]) -> list[str]:
    """Name edits for files, by their strengths, such as '+2', or 'target0.9'."""
    named = zip(edits, edit_names(edits), strict=True)
    return [name if edit.search is None else f"target{edit.search.target}" for edit, name in named]


def signed_names(edits: Sequence[PhotoEdit]) -> list[str]:
    """Names of edits in figures and tables: their strengths or, with a target, both."""
    return ["0" if name == "+0" else name.replace("-", "\N{MINUS SIGN}") for name in edit_names(edits)]
