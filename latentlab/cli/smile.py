"""`latentlab smile`: the main job."""

from __future__ import annotations

import time
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from latentlab.cli import options


class RenderName(str, Enum):
    """What is scored."""

    auto = "auto"
    preview = "preview"
    full = "full"


def smile(
    samples: options.Samples = 2000,
    seed_start: options.SeedStart = 600,
    psi: options.Psi = 0.7,
    network: options.Network = "mobile-ffhq",
    scorer: options.ScorerName = "fer",
    out: Annotated[Path, typer.Option(help="Folder of the results; also where a stopped run goes on.")] = Path(
        "latentlab-smile"
    ),
    render: Annotated[
        RenderName,
        typer.Option(help="What is scored: full pictures, previews, or auto: previews if there are."),
    ] = RenderName.auto,
    edited_faces: Annotated[
        int, typer.Option(help="Held-out faces to edit, of those that smile and of those that do not.")
    ] = 40,
    device: options.Device = "auto",
    batch: options.Batch = 4,
) -> None:
    """Find the smile direction, make held-out faces smile and stop smiling, and report how well that went.

    Draws samples, scores them, learns the direction by two methods, edits held-out faces, and writes
    tables, directions, figures, an animation and report.md. Stopped at any moment, the same command goes on.
    """
    from latentlab.pipelines.study import StudySettings, run_study, summary

    begun = time.monotonic()
    settings = StudySettings(
        network=network,
        scorer=scorer,
        seed_start=seed_start,
        samples=samples,
        psi=psi,
        rendering=render.value,
        edited_faces=edited_faces,
    )
    generator, found_scorer = options.load_lab(network, scorer, device)
    study = run_study(
        generator, found_scorer, settings, out, options.this_command(), stage=options.bar, batch_size=batch
    )
    print("\n".join(summary(study, settings.attribute)))
    print(f"{out / 'report.md'} has it all; done in {time.monotonic() - begun:.0f} s")
