"""`latentlab smile`: study the smile, or another expression."""

from __future__ import annotations

import time
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from latentlab.cli import options
from latentlab.progress import bar


class RenderName(str, Enum):
    """Images that are scored."""

    auto = "auto"
    preview = "preview"
    full = "full"


def smile(
    samples: options.Samples = 2000,
    seed_start: options.SeedStart = 600,
    psi: options.Psi = 0.7,
    network: options.Network = "mobile-ffhq",
    scorer: options.ScorerName = "fer",
    out: Annotated[Path, typer.Option(help="Folder of the results, where a stopped run resumes.")] = Path(
        "latentlab-smile"
    ),
    render: Annotated[
        RenderName,
        typer.Option(help="Images that are scored: full ones, previews, or auto for previews where there are any."),
    ] = RenderName.auto,
    edited_faces: Annotated[
        int, typer.Option(help="Number of held-out faces to edit: so many that smile, and so many that do not.")
    ] = 40,
    device: options.Device = "auto",
    batch: options.Batch = 4,
) -> None:
    """Find the smile direction, edit held-out faces along it both ways, and report how well that went.

    Draws samples, scores them, learns the direction by two methods, edits held-out faces, and writes
    tables, directions, figures, an animation and report.md. Stopped at any moment, the same command resumes.
    """
    from latentlab.pipelines import Components, StudySettings, study_attribute
    from latentlab.pipelines.study import summary

    begun = time.monotonic()
    options.check_folder(out)
    settings = StudySettings(
        seed_start=seed_start,
        samples=samples,
        psi=psi,
        rendering=render.value,
        edited_faces=edited_faces,
    )
    components = Components.load(network, scorer, device=device)
    study = study_attribute(components, settings, out, options.this_command(), batch, bar)
    print("\n".join(summary(study)))
    print(f"{out / 'report.md'} describes the results; done in {time.monotonic() - begun:.0f} s")
