"""`latentlab metrics`: measure a generator, or two folders of images."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from latentlab import registry
from latentlab.cli import options
from latentlab.pipelines.metrics.names import FOLDER_METRICS, GENERATOR_METRICS
from latentlab.progress import bar

app = typer.Typer(
    rich_markup_mode=None, help="Metrics of a generator, and of two folders of images.", no_args_is_help=True
)

Out = Annotated[Path, typer.Option(help="Folder for the results, where a stopped run resumes.")]


@app.callback()
def metrics() -> None:
    """Metrics of a generator, and of two folders of images."""


@app.command()
def generator(
    network: options.Network = "mobile-ffhq",
    metric: Annotated[
        list[str] | None,
        typer.Option(
            help="Metric to measure, or the beginning of several names, such as ppl-w; may be given several times. By "
            f"default all: {', '.join(GENERATOR_METRICS)}.",
            autocompletion=lambda: list(GENERATOR_METRICS),
        ),
    ] = None,
    real: Annotated[
        Path | None, typer.Option(help="Folder of real images, cropped like the generator's, for metrics of two sets.")
    ] = None,
    pairs: Annotated[int, typer.Option(help="Pairs of images for each path length; published: 50000.")] = 100,
    samples: Annotated[
        int, typer.Option(help="Images for all other metrics; published: 50000, for separability 200000.")
    ] = 1000,
    seed_start: options.SeedStart = 0,
    psi: options.Psi = 1.0,
    resolution: options.Resolution = None,
    face_crop: Annotated[
        bool, typer.Option(help="For path lengths, compare only the face in FFHQ's crop, as published.")
    ] = True,
    class_label: options.ClassLabel = None,
    scorer: Annotated[
        str, typer.Option(help="Scorer whose scores are the attributes for separability and DCI.")
    ] = "attributes",
    out: Out = Path("latentlab-metrics"),
    device: options.Device = "auto",
    batch: options.Batch = "auto",
) -> None:
    """Measure a generator: path lengths, separability, DCI and, against real images, precision, recall, FID, KID.

    The defaults are for a first look within minutes; published values need far more images. What cannot be measured
    is reported as unknown, with the reason.
    """
    from latentlab.pipelines import Components, GeneratorMetricSettings, measure_generator

    begun = time.monotonic()
    settings = GeneratorMetricSettings(
        tuple(metric or ()), pairs, samples, seed_start, psi, resolution, face_crop, class_label, real
    )
    options.check_folder(out)
    components = Components.load(network, scorer, device=device)
    report = measure_generator(components, settings, out, options.this_command(), options.parse_batch(batch), bar)
    print("\n".join([*report.lines(), *report.notes]))
    print(f"{out / 'report.md'} has the report; done in {time.monotonic() - begun:.0f} s")


@app.command()
def folders(
    before: Annotated[Path, typer.Argument(help="Folder to compare against: images before, or real ones.")],
    after: Annotated[Path, typer.Argument(help="Folder of images that were made.")],
    metric: Annotated[
        list[str] | None,
        typer.Option(
            help="Metric to measure; may be given several times. There are "
            f"{', '.join(registry.metrics.names())}; by default {', '.join(FOLDER_METRICS)}.",
            autocompletion=registry.metrics.names,
        ),
    ] = None,
    resolution: Annotated[
        int | None, typer.Option(min=1, help="Pixels that all images are resized to, where their sizes differ.")
    ] = None,
    out: Out = Path("latentlab-folder-metrics"),
    device: options.Device = "auto",
) -> None:
    """Measure images against others: LPIPS and identity of files of the same name, FID and the like of both folders."""
    from latentlab.pipelines import Components, FolderMetricSettings, measure_folders

    begun = time.monotonic()
    settings = FolderMetricSettings(tuple(metric or FOLDER_METRICS), resolution)
    options.check_folder(out)
    components = Components.load(device=device)
    report = measure_folders(components, (before, after), settings, out, options.this_command(), bar)
    print("\n".join([*report.lines(), *report.notes]))
    print(f"{out / 'report.md'} has the report; done in {time.monotonic() - begun:.0f} s")
