"""What a job on photos leaves in its folder: pictures, codes, deltas, figures and a report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from latentlab import images
from latentlab.directions import Direction
from latentlab.files import atomic_path, write_json
from latentlab.images import reduce
from latentlab.pipelines.checks import QualityCheck
from latentlab.pipelines.photos.edits import PhotoEdit
from latentlab.pipelines.photos.portrait import Portrait

SIDE = 512


def write_portrait(portrait: Portrait, folder: Path) -> Path:
    """Write a portrait into a folder of its name: aligned.png and projected.png, the code, the delta, report.json.

    Returns
    -------
    Path
        That folder.
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
    """Write the edited photos into the portrait's folder, a side-by-side figure, and report.md and .json of it all."""
    from latentlab.plots import portrait_figure  # matplotlib takes half a second to import

    for edit in edits:
        images.save_image(edit.photo, own / f"photo_{edit.strength:+g}.png")
        images.save_image(edit.crop.clamp(-1, 1), own / f"crop_{edit.strength:+g}.png")
    shown: list[tuple[str, torch.Tensor, torch.Tensor | None, str]] = [
        ("photo", portrait.face.image, portrait.photo, "")
    ]
    if all(edit.strength for edit in edits):
        shown.append(("projected", portrait.rendered.cpu(), None, ""))
    for edit in sorted(edits, key=lambda edit: edit.strength):
        title = f"{direction.attribute} {_signed(edit.strength)}" if edit.strength else "projected"
        shown.append((title, edit.crop, edit.photo, f"score {edit.score:.2f}, identity {edit.identity:.2f}"))
    portrait_figure(
        [title for title, *_ in shown],
        torch.cat([reduce(crop, SIDE) for _, crop, *_ in shown]),
        [None if photo is None else reduce(photo, SIDE) for *_, photo, _ in shown],
        [caption for *_, caption in shown],
        own / "comparison.png",
    )
    rows = [{"strength": e.strength, "score": e.score, "identity": e.identity} for e in edits]
    write_json(own / "report.json", _facts(portrait) | {"direction": direction.attribute, "edits": rows})
    with atomic_path(own / "report.md") as temporary:
        temporary.write_text(_markdown(portrait, edits, direction, command), encoding="utf-8")


def _facts(portrait: Portrait) -> dict[str, Any]:
    """What is known about a portrait, for JSON."""
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
    lines = [
        f"# {portrait.path.name}: {direction.attribute}",
        "",
        "![the photo, its projection, and the edits](comparison.png)",
        "",
        "## The edits",
        "",
        "Score and identity are of the face in the finished photo. Identity compares it with the photo as it was: 1 is "
        "the same picture, two photos of one person get 0.75 in the median, strangers 0.07.",
        "",
        f"| {direction.attribute}, units of w | score | identity |",
        "| --- | --- | --- |",
        *(f"| {_signed(e.strength)} | {e.score:.2f} | {e.identity:.2f} |" for e in edits),
        "",
        "## How far to trust it",
        "",
        "| checked | value | verdict | likely cause |",
        "| --- | --- | --- | --- |",
        *(
            f"| {f.name} | {f.value:.3g} {f.unit} | {f.verdict} | {f.cause} |"
            for f in (*portrait.before, *portrait.after)
        ),
        "",
        f"Projection: {portrait.projection.settings.space}, {int(portrait.projection.steps[0])} steps. Tuning: {tuning}"
        + ("." if drift is None else f"; it changes other persons' pictures by an LPIPS of {drift:.3f}."),
        "",
        "## To make it again",
        "",
        f"    {command}",
    ]
    return "\n".join(lines) + "\n"


def _signed(strength: float) -> str:
    return f"{strength:+g}".replace("-", "\N{MINUS SIGN}") if strength else "0"
