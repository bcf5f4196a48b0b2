"""`latentlab smile` and `latentlab study`: study the smile, or any other attribute."""

from __future__ import annotations

import time
from enum import Enum
from typing import Annotated

import typer

from latentlab.cli import options
from latentlab.progress import bar


class RenderName(str, Enum):
    """Images that are scored."""

    auto = "auto"
    preview = "preview"
    full = "full"


class MethodName(str, Enum):
    """Methods of the main direction."""

    style_correlation = "style-correlation"
    svm = "svm"


Method = Annotated[
    MethodName,
    typer.Option(
        help="Method of the direction: ten style channels, compared with the SVM; or the SVM, compared with the mean."
    ),
]
Render = Annotated[
    RenderName,
    typer.Option(help="Images that are scored: full ones, previews, or auto for previews where there are any."),
]


def smile(
    samples: options.Samples = 2000,
    seed_start: options.SeedStart = 600,
    psi: options.Psi = 0.7,
    class_label: options.ClassLabel = None,
    network: options.Network = "mobile-ffhq",
    scorer: options.ScorerName = "fer",
    method: Method = MethodName.style_correlation,
    threshold: options.Threshold = None,
    out: Annotated[
        str,
        typer.Option(
            metavar="PATH|ADDRESS",
            help="Folder for the results, where a stopped run resumes, or an address such as s3://BUCKET/SMILE.",
        ),
    ] = "latentlab-smile",
    render: Render = RenderName.auto,
    edited_faces: Annotated[
        int, typer.Option(help="Number of held-out faces to edit: this many that smile, and this many that do not.")
    ] = 40,
    device: options.Device = "auto",
    batch: options.Batch = "auto",
    precision: options.Precision = options.PrecisionName.auto,
    workers: options.Workers = None,
    ray: options.RayAddress = None,
    gpus_per_worker: options.GpusPerWorker = None,
) -> None:
    """Find the smile direction, edit held-out faces along it both ways, and report how well that went.

    Draws samples, scores them, learns the direction by two methods, edits held-out faces, and writes
    tables, directions, figures, an animation and report.md. The same command resumes a run that was stopped at any
    moment.
    """
    study(
        "happy", name="smile", samples=samples, seed_start=seed_start, psi=psi, class_label=class_label,
        network=network, scorer=scorer, method=method, threshold=threshold, out=out, render=render,
        edited_faces=edited_faces, device=device, batch=batch, precision=precision, workers=workers, ray=ray,
        gpus_per_worker=gpus_per_worker,
    )  # fmt: skip


def study(
    attribute: Annotated[
        str, typer.Option(help="Attribute to study, such as young or happy: a score that the scorer gives.")
    ],
    name: Annotated[
        str | None, typer.Option(help="Name of the direction and its files; by default the attribute's.")
    ] = None,
    samples: options.Samples = 2000,
    seed_start: options.SeedStart = 600,
    psi: options.Psi = 0.7,
    class_label: options.ClassLabel = None,
    network: options.Network = "mobile-ffhq",
    scorer: Annotated[
        str | None,
        typer.Option(
            help="Scorer: fer, attributes:NAME, FILE.safetensors:NAME, or one from another package; by default fer for "
            "its expressions, and attributes:ATTRIBUTE for all else."
        ),
    ] = None,
    method: Method = MethodName.style_correlation,
    threshold: options.Threshold = None,
    out: Annotated[
        str | None,
        typer.Option(
            metavar="PATH|ADDRESS",
            help="Folder for the results, where a stopped run resumes, or an address such as s3://BUCKET/RUN; by "
            "default latentlab-NAME.",
        ),
    ] = None,
    render: Render = RenderName.auto,
    edited_faces: Annotated[
        int, typer.Option(help="Number of held-out faces to edit: this many with the attribute, and this many without.")
    ] = 40,
    device: options.Device = "auto",
    batch: options.Batch = "auto",
    precision: options.Precision = options.PrecisionName.auto,
    workers: options.Workers = None,
    ray: options.RayAddress = None,
    gpus_per_worker: options.GpusPerWorker = None,
) -> None:
    """Find the direction of any attribute, edit held-out faces along it both ways, and report how well that went.

    Does what `latentlab smile` does for the smile. An attribute of your own is studied in Python: see
    `latentlab.FunctionScorer` and `latentlab.study_attribute`.
    """
    from latentlab.pipelines import Components, StudySettings, study_attribute
    from latentlab.pipelines.study import summary
    from latentlab.scorers import default_scorer

    begun = time.monotonic()
    name = name or attribute
    settings = StudySettings(
        attribute=attribute,
        name=name,
        method=method.value,
        threshold=threshold,
        seed_start=seed_start,
        samples=samples,
        psi=psi,
        class_label=class_label,
        rendering=render.value,
        edited_faces=edited_faces,
        precision=precision.value,
    )
    folder = options.check_place(out or f"latentlab-{name}")
    components = Components.load(network, scorer or default_scorer(attribute), device=device)
    size = options.parse_batch(batch)
    with options.on_workers(workers, ray, gpus_per_worker):
        found = study_attribute(components, settings, folder, options.this_command(), size, bar)
    print("\n".join(summary(found)))
    print(f"{str(folder).rstrip('/')}/report.md describes the results; done in {time.monotonic() - begun:.0f} s")
