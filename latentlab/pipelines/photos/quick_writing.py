"""The files of a photo that an editor has edited: images, a figure and a report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from latentlab import images
from latentlab.directions import Direction
from latentlab.files import write_json, write_text
from latentlab.images import reduce
from latentlab.markdown import code, code_block, escape
from latentlab.pipelines.photos.edits import or_unknown
from latentlab.pipelines.photos.writing import (
    FIGURE_RESOLUTION,
    doubts,
    edit_facts,
    edit_table,
    fields_of,
    signed_names,
    verdict_lines,
    write_images,
)
from latentlab.plots.saving import save_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from latentlab.pipelines.photos.quick import QuickResult


def write_quick(result: QuickResult, direction: Direction, command: str) -> None:
    """Write what an editor made of a photo into its folder, with a figure, report.md and report.json."""
    own, face = result.folder, result.checked.face
    images.save_image(face.image, own / "aligned.png")
    write_images(result.edits, own)
    save_figure(_comparison(result, direction.attribute), own / "comparison.png")
    facts = {
        "photo": result.checked.path.name,
        "alignment": face.to_dict(),
        "before": [fields_of(check) for check in result.checked.checks],
        "editor": result.editor,
        "seconds": result.seconds,
        "direction": direction.attribute,
        "edits": [edit_facts(edit) for edit in result.edits],
    }
    write_json(own / "report.json", facts)
    write_text(own / "report.md", _markdown(result, direction, command))


def _comparison(result: QuickResult, attribute: str) -> Figure:
    """Draw the photo and its edits side by side."""
    from latentlab.plots import portrait_figure

    named = sorted(zip(result.edits, signed_names(result.edits), strict=True), key=lambda pair: pair[0].strength)
    crops = [result.checked.face.image, *(edit.crop for edit, _ in named)]
    photos = [result.photo, *(edit.photo for edit, _ in named)]
    return portrait_figure(
        ["photo", *(f"{attribute} {name}" for _, name in named)],
        torch.cat([reduce(crop, FIGURE_RESOLUTION) for crop in crops]),
        [reduce(photo, FIGURE_RESOLUTION) for photo in photos],
        ["", *(edit.values() for edit, _ in named)],
    )


def _markdown(result: QuickResult, direction: Direction, command: str) -> str:
    edits, seconds = result.edits, result.seconds
    lines = [
        f"# {escape(result.checked.path.name)}: {escape(direction.attribute)}",
        "",
        "![the photo and its edits](comparison.png)",
        "",
        "## The edits",
        "",
        f"By the editor {code(result.editor)} in one pass each and without a projection: {seconds:.1f} s for all. "
        "What it does not edit is the photo's own; what it edits is drawn at a low resolution, and soft in a large "
        "photo. The whole way, without `--fast`, takes 75 to 95 seconds on two cores, draws at the generator's "
        "resolution, and goes along any direction by any strength.",
        "",
        "Strengths are those of the editor, from −1, without the attribute, to 1, with it, and a half "
        "beyond. Identity is the similarity to the original photo.",
        "",
        edit_table(
            "strength of the editor",
            edits[0].attribute,
            [("the photo", or_unknown(edits[0].own_scores[0]), "1.00")],
            edits,
        ),
        *(f"\n{escape(why)}" for why in dict.fromkeys(why for edit in edits for why in edit.why_unknown)),
        *doubts(edits),
        "",
        "## How far to trust it",
        "",
        *verdict_lines(result.checked.checks),
        "",
        "## How to reproduce it",
        "",
        code_block(command),
    ]
    return "\n".join(lines) + "\n"
