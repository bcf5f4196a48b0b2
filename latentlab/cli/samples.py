"""From samples to directions: label, fit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from latentlab import registry
from latentlab.cli import options
from latentlab.errors import UserError
from latentlab.progress import bar

if TYPE_CHECKING:
    from latentlab.directions import Fit, Needs
    from latentlab.samples import SampleTable


def _check_method(name: str) -> str:
    try:
        registry.finders.check(name)
    except UserError as error:
        raise typer.BadParameter(str(error)) from None
    return name


MethodName = Annotated[
    str,
    typer.Option(
        help="Method by which the direction is learnt: svm, mean, ridge, logistic, lda, interfacegan; in style "
        "channels style-correlation, style-zscore, style-gradient; through the generator gradient, gradient-w+, "
        "optimised, optimised-w+, optimised-s; components ganspace, sefa; or one that another package adds.",
        callback=_check_method,
        autocompletion=registry.finders.names,
    ),
]
Attributes = Annotated[
    list[str] | None,
    typer.Option(
        "--attribute",
        help="Score to learn from, happy by default; may be given several times. For a method that learns from none, "
        "the name of its components.",
    ),
]


def label(
    samples: options.Samples = 2000,
    seed_start: options.SeedStart = 600,
    psi: options.Psi = 0.7,
    class_label: options.ClassLabel = None,
    network: options.Network = "mobile-ffhq",
    scorer: Annotated[
        str,
        typer.Option(
            "--scorer",
            help="Scorer: fer, attributes (all forty), attributes:NAME, FILE.safetensors, FILE.safetensors:NAME, or "
            "one from another package; or several, as in fer,attributes, which share the images.",
        ),
    ] = "fer",
    threshold: Annotated[
        str | None,
        typer.Option(
            help="Score above which a face is positive: a number, median, or quantiles such as q0.3,q0.7, between "
            "which faces are neither; or one for each score, as in smiling=0.5,young=median. By default one half, or "
            "the largest of scores that add up to 1."
        ),
    ] = None,
    resolution: options.Resolution = None,
    out: Annotated[
        str,
        typer.Option(
            metavar="PATH|ADDRESS",
            help="Folder for the sample table, where a stopped run resumes, or an address such as s3://BUCKET/SAMPLES.",
        ),
    ] = "latentlab-samples",
    device: options.Device = "auto",
    batch: options.Batch = "auto",
    precision: options.Precision = options.PrecisionName.auto,
    workers: options.Workers = None,
    ray: options.RayAddress = None,
    gpus_per_worker: options.GpusPerWorker = None,
) -> None:
    """Draw seeds, score their images, and write the sample table (Parquet)."""
    from latentlab.pipelines import Components, LabelSettings, label_samples

    folder = options.check_place(out)
    settings = LabelSettings(samples, seed_start, psi, resolution, threshold, class_label, precision.value)
    components = Components.load(network, scorer, device=device)
    with options.on_workers(workers, ray, gpus_per_worker):
        table = label_samples(components, settings, folder, options.parse_batch(batch), bar)
    _print_counts(table)
    print(f"{len(table)} samples in {out}")


def _print_counts(table: SampleTable) -> None:
    """Print how many rows have each attribute, lack it, or have no score for it."""
    from latentlab.scorers import count_labels

    width = max(10, *map(len, table.names))
    for name in table.names:
        labels, scores, missing = table.labels(name), table.column(name), table.missing(name)
        counts = count_labels(labels[~missing])
        told = [str(counts)] + ([f"{missing.sum()} without a score"] if missing.any() else [])
        if not missing.all():
            told.append(f"scores from {scores[~missing].min():.3g} to {scores[~missing].max():.3g}")
        print(f"{name:>{width}} {counts.positive / len(table):6.1%} ({'; '.join(told)})")


def fit(
    ctx: typer.Context,
    samples: Annotated[Path, typer.Argument(help="Folder of samples that `latentlab label` wrote.")],
    attribute: Attributes = None,
    method: MethodName = "svm",
    threshold: Annotated[
        str | None,
        typer.Option(
            help="Score above which a face is positive, or one for each attribute, as in smiling=0.5,young=q0.3,q0.7; "
            "by default that of `latentlab label`."
        ),
    ] = None,
    network: Annotated[
        str,
        typer.Option(help="Generator of the samples, for methods in style channels and those that work through it."),
    ] = "mobile-ffhq",
    scorer: Annotated[
        str, typer.Option("--scorer", help="Scorer of the samples, for methods that work through it.")
    ] = "fer",
    out: Annotated[
        Path | None,
        typer.Option(
            help="File of the direction, direction.safetensors by default; for several attributes a folder, "
            "latentlab-directions by default. Each of several components gets a number."
        ),
    ] = None,
    device: options.Device = "auto",
) -> None:
    """Learn directions from labelled samples, and evaluate them on held-out ones."""
    from latentlab.directions import Needs
    from latentlab.pipelines import Components, fit_samples
    from latentlab.samples import SampleStore

    attributes = attribute or ["happy" if Needs.of(method).labels else method]
    paths = _paths(attributes, out)
    needs = Needs.of(method, SampleStore.load(samples).has_w)
    _refuse_unused(ctx, method, needs)
    components = Components.load(network, scorer, device=device)
    fits = fit_samples(samples, attributes, method, components, threshold, bar)
    for name, found in fits.items():
        _save(found, paths[name])


def _refuse_unused(ctx: typer.Context, method: str, needs: Needs) -> None:
    """Refuse options that the method has no use for."""
    reason = f"with --method {method}"
    unused = {
        "network": needs.renderer,
        "device": needs.renderer,
        "scorer": needs.scorer,
        "threshold": needs.labels,
    }
    options.refuse_without_effect(ctx, {name: reason for name, used in unused.items() if not used})


def _paths(attributes: list[str], out: Path | None) -> dict[str, Path]:
    """File of each attribute's direction, checked before any work is done."""
    if len(attributes) == 1:
        path = Path("direction.safetensors") if out is None else out
        return {attributes[0]: options.check_file(path)}
    folder = options.check_folder(Path("latentlab-directions") if out is None else out)
    if folder.suffix == ".safetensors":
        raise UserError(f"the directions of {len(attributes)} attributes go into a folder, not into a file {folder}")
    # A colon, as in fer:happy, is not allowed in file names everywhere.
    return {name: options.check_file(folder / f"{name.replace(':', '-')}.safetensors") for name in attributes}


def _save(found: Fit, path: Path) -> None:
    """Write a direction, or each of several components under its number, and print their cards."""
    if len(found.directions) == 1:
        places = [path]
    else:
        places = [path.with_name(f"{path.stem}-{k}{path.suffix}") for k in range(len(found.directions))]
    for direction, place in zip(found.directions, places, strict=True):
        direction.save(place)
        print(direction.card())
        print(f"written to {place}")
