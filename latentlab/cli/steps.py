"""The steps of the smile study as commands of their own: generate, label, fit, edit, walk."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from latentlab import registry
from latentlab.cli import options, photos
from latentlab.errors import UserError
from latentlab.files import list_images
from latentlab.progress import bar

DirectionName = Annotated[
    str,
    typer.Option(
        "--direction", help="Direction: smile, which comes with the package, or a file that `latentlab fit` wrote."
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Apply it to a generator that it was not learnt on.")]


def _check_method(name: str) -> str:
    try:
        registry.finders.check(name)
    except UserError as error:
        raise typer.BadParameter(str(error)) from None
    return name


MethodName = Annotated[
    str,
    typer.Option(
        help="Method by which the direction is learnt: svm, mean, ridge, or one that another package adds.",
        callback=_check_method,
        autocompletion=registry.finders.names,
    ),
]


# Options of `edit` that only one of its two modes uses.
_FOR_SEEDS = ("seeds", "psi", "resolution")
_FOR_PHOTOS = ("attribute", "mask", "steps", "tune", "strict")


def generate(
    seeds: options.Seeds = "600-607",
    psi: options.Psi = 0.7,
    network: options.Network = "mobile-ffhq",
    resolution: options.Resolution = None,
    out: Annotated[Path, typer.Option(help="Folder of the images.")] = Path("latentlab-images"),
    device: options.Device = "auto",
) -> None:
    """Write an image per seed, and a grid of them all."""
    from latentlab.pipelines import Components, SeedSettings, generate_images

    options.check_folder(out)
    numbers, settings = options.parse_seeds(seeds), SeedSettings(psi, resolution)
    components = Components.load(network, device=device)
    written = generate_images(numbers, components, settings, out, bar)
    print(f"{len(written)} images in {out}, and grid.png of them all")


def label(
    samples: options.Samples = 2000,
    seed_start: options.SeedStart = 600,
    psi: options.Psi = 0.7,
    network: options.Network = "mobile-ffhq",
    scorer: options.ScorerName = "fer",
    threshold: options.Threshold = None,
    resolution: options.Resolution = None,
    out: Annotated[Path, typer.Option(help="Folder of the sample table, where a stopped run resumes.")] = Path(
        "latentlab-samples"
    ),
    device: options.Device = "auto",
    batch: options.Batch = 4,
) -> None:
    """Draw seeds, score their images, and write the sample table (Parquet)."""
    from latentlab.pipelines import Components, LabelSettings, label_samples
    from latentlab.scorers import count_labels

    options.check_folder(out)
    settings = LabelSettings(samples, seed_start, psi, resolution, threshold)
    components = Components.load(network, scorer, device=device)
    table = label_samples(components, settings, out, batch, bar)
    for name in table.names:
        counts, scores = count_labels(table.labels(name)), table.column(name)
        share = counts.positive / len(table)
        print(f"{name:>10} {share:6.1%} ({counts}; scores from {scores.min():.3g} to {scores.max():.3g})")
    print(f"{len(table)} samples in {out}")


def fit(
    samples: Annotated[Path, typer.Argument(help="Folder of samples that `latentlab label` wrote.")],
    attribute: options.Attribute = "happy",
    method: MethodName = "svm",
    threshold: Annotated[
        str | None, typer.Option(help="Score above which a face is positive; by default that of `latentlab label`.")
    ] = None,
    out: Annotated[Path, typer.Option(help="File of the direction.")] = Path("direction.safetensors"),
) -> None:
    """Learn a direction from labelled samples, and evaluate it on held-out ones."""
    from latentlab import directions
    from latentlab.samples import SampleStore

    options.check_file(out)
    table = SampleStore.load(samples).table()
    direction = directions.fit(table, attribute, method, threshold=threshold).direction
    direction.save(out)
    print(direction.card())
    print(f"written to {out}")


def edit(
    ctx: typer.Context,
    direction: DirectionName,
    seeds: options.Seeds = "600-603",
    strengths: Annotated[
        str | None, typer.Option(help="Strengths in units of w; by default -4,0,4, for photos -2,0,2.")
    ] = None,
    psi: options.Psi = 0.7,
    network: options.Network = "mobile-ffhq",
    scorer: options.ScorerName = "fer",
    resolution: options.Resolution = None,
    out: Annotated[Path, typer.Option(help="Folder of the images and of edits.parquet.")] = Path("latentlab-edits"),
    device: options.Device = "auto",
    force: Force = False,
    batch: options.Batch = 4,
    photo: Annotated[
        list[Path] | None,
        typer.Option(help="Photo to edit instead of seeds, or folder of photos; may be given several times."),
    ] = None,
    attribute: Annotated[str, typer.Option(help="With --photo: score that is reported.")] = "happy",
    mask: Annotated[
        photos.MaskName,
        typer.Option(
            help="With --photo: part that is pasted back: the whole crop (feather), or the face alone (hull).",
        ),
    ] = photos.MaskName.feather,
    steps: photos.Steps = None,
    tune: photos.Tune = True,
    strict: photos.Strict = False,
) -> None:
    """Write each seed's image at each strength, and the scores of all as a table.

    With --photo: align, check, project, tune, edit and paste back; each photo gets a folder with everything, where
    the same command resumes after a stop.
    """
    from latentlab.directions import load_direction
    from latentlab.pipelines import Components

    reason = "with --photo" if photo else "without --photo"
    options.refuse_without_effect(ctx, dict.fromkeys(_FOR_SEEDS if photo else _FOR_PHOTOS, reason))
    paths = list_images(photo or ())
    photos.check_folders(out, paths)
    found = load_direction(direction)
    series = options.parse_strengths(("-2,0,2" if photo else "-4,0,4") if strengths is None else strengths)
    numbers = options.parse_seeds(seeds)
    components = Components.load(network, scorer, device=device)
    if paths:
        recipe = photos.Recipe(steps=steps, tune=tune, strict=strict, batch=batch)
        settings = photos.edit_settings(recipe, attribute, mask, force)
        photos.edit_photos(paths, found, series, components, settings, out)
        return
    from latentlab.pipelines import SeedSettings, edit_seeds

    table = edit_seeds(numbers, found, series, components, SeedSettings(psi, resolution, batch, force), out, bar)
    print(f"{len(numbers) * len(table.strengths)} images in {out}, their scores in edits.parquet")


def walk(
    direction: DirectionName,
    seeds: options.Seeds = "600-603",
    strengths: options.Strengths = "-6,-4,-2,0,2,4,6",
    attribute: Annotated[str, typer.Option(help="Score to show under each image.")] = "happy",
    psi: options.Psi = 0.7,
    network: options.Network = "mobile-ffhq",
    scorer: options.ScorerName = "fer",
    resolution: options.Resolution = None,
    out: Annotated[
        Path,
        typer.Option(help="A figure (.png, .pdf, .svg) or an animation (.gif; .mp4 with the package imageio[ffmpeg])."),
    ] = Path("walk.png"),
    device: options.Device = "auto",
    force: Force = False,
    batch: options.Batch = 4,
) -> None:
    """Draw a walk along a direction: a row per face, a column per strength, the score under each image."""
    from latentlab.directions import load_direction
    from latentlab.pipelines import Components, SeedSettings, walk_seeds
    from latentlab.pipelines.walks import check_walk_path

    check_walk_path(options.check_file(out))
    numbers, series = options.parse_seeds(seeds), options.parse_strengths(strengths)
    found, settings = load_direction(direction), SeedSettings(psi, resolution, batch, force)
    components = Components.load(network, scorer, device=device)
    components.check_attribute(attribute)
    walk_seeds(numbers, found, series, components, settings, bar).save(out, attribute)
    print(f"written to {out}")
