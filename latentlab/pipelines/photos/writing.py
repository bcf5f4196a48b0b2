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
from latentlab.files import strength_names, write_json, write_text
from latentlab.images import reduce
from latentlab.pipelines.checks import QualityCheck
from latentlab.pipelines.photos.edits import PhotoEdit
from latentlab.pipelines.photos.portraits import Portrait
from latentlab.plots.saving import save_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_RESOLUTION = 512  # a face in the figure


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


def write_edits(portrait: Portrait, edits: Sequence[PhotoEdit], direction: Direction, own: Path, command: str) -> None:
    """Write the edited photos into the portrait's folder, with a figure of all of them, report.md and report.json."""
    for edit, name in zip(edits, strength_names([edit.strength for edit in edits]), strict=True):
        images.save_image(edit.photo, own / f"photo_{name}.png")
        images.save_image(edit.crop.clamp(-1, 1), own / f"crop_{name}.png")
    save_figure(_comparison(portrait, edits, direction.attribute), own / "comparison.png")
    facts = [{"strength": e.strength, "score": e.score, "identity": e.identity} for e in edits]
    write_json(own / "report.json", _facts(portrait) | {"direction": direction.attribute, "edits": facts})
    write_text(own / "report.md", _markdown(portrait, edits, direction, command))


def _comparison(portrait: Portrait, edits: Sequence[PhotoEdit], attribute: str) -> Figure:
    """Draw the photo, its projection and its edits side by side."""
    from latentlab.plots import portrait_figure  # matplotlib would delay the checks of a photo

    shown: list[tuple[str, torch.Tensor, torch.Tensor | None, str]] = [
        ("photo", portrait.face.image, portrait.photo, "")
    ]
    if all(edit.strength for edit in edits):
        shown.append(("projected", portrait.rendered.cpu(), None, ""))
    edits = sorted(edits, key=lambda edit: edit.strength)
    for edit, name in zip(edits, _signed(edits), strict=True):
        title = f"{attribute} {name}" if edit.strength else "projected"
        shown.append((title, edit.crop, edit.photo, f"score {edit.score:.2f}, identity {edit.identity:.2f}"))
    return portrait_figure(
        [title for title, *_ in shown],
        torch.cat([reduce(crop, _RESOLUTION) for _, crop, *_ in shown]),
        [None if photo is None else reduce(photo, _RESOLUTION) for *_, photo, _ in shown],
        [caption for *_, caption in shown],
    )


def _facts(portrait: Portrait) -> dict[str, Any]:
    """Alignment, checks and figures of a portrait, for JSON."""
    tuned = portrait.tuned
    return {
        "photo": portrait.path.name,
        "alignment": portrait.face.to_dict(),
        "before": [_finite(check) for check in portrait.before],
        "after": [_finite(check) for check in portrait.after],
        "projection": {"steps": int(portrait.projection.steps[0]), "lpips": float(portrait.projection.distances[0])},
        "tuning": None if tuned is None else tuned.delta.figures,
    }


def _finite(check: QualityCheck) -> dict[str, Any]:
    fields = asdict(check)
    return fields | {"value": fields["value"] if math.isfinite(fields["value"]) else None}


def _markdown(portrait: Portrait, edits: Sequence[PhotoEdit], direction: Direction, command: str) -> str:
    figures = portrait.tuned.delta.figures if portrait.tuned else {}
    drift = figures.get("drift_lpips_mean")
    tuning = "none" if portrait.tuned is None else f"{portrait.tuned.steps} steps"
    checks = [f"| {c.name} | {c.value:.3g} {c.unit} | {c.verdict} | {c.cause} |" for c in portrait.checks]
    lines = [
        f"# {portrait.path.name}: {direction.attribute}",
        "",
        "![the photo, its projection, and the edits](comparison.png)",
        "",
        "## The edits",
        "",
        "Score and identity are those of the face in the finished photo. Identity is the similarity to the original "
        "photo: 1 for the same image; the median is 0.75 for two photos of one person and 0.07 for strangers.",
        "",
        f"| {direction.attribute}, units of w | score | identity |",
        "| --- | --- | --- |",
        *(f"| {name} | {e.score:.2f} | {e.identity:.2f} |" for e, name in zip(edits, _signed(edits), strict=True)),
        "",
        "## How far to trust it",
        "",
        "| check | value | verdict | likely cause |",
        "| --- | --- | --- | --- |",
        *checks,
        "",
        f"Projection: {portrait.projection.settings.space}, {int(portrait.projection.steps[0])} steps. Tuning: {tuning}"
        + ("." if drift is None else f"; it changes images of other persons by an LPIPS of {drift:.3f}."),
        "",
        "## How to reproduce it",
        "",
        f"    {command}",
    ]
    return "\n".join(lines) + "\n"


def _signed(edits: Sequence[PhotoEdit]) -> list[str]:
    names = strength_names([edit.strength for edit in edits])
    return ["0" if name == "+0" else name.replace("-", "\N{MINUS SIGN}") for name in names]
