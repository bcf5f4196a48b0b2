"""The steps of the main job as single commands: generate, label, fit, edit, walk."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from latentlab import images
from latentlab.cli import options, photos
from latentlab.directions import Direction
from latentlab.directions.shipped import load_direction
from latentlab.errors import UserError
from latentlab.pipelines.rescoring import render_edits, render_walk
from latentlab.rendering import Renderer
from latentlab.samples import EditTable, SampleSettings, SampleStore, draw_samples, split
from latentlab.scorers import Scorer, score_column
from latentlab.video import write_gif, write_mp4
from stylegan2 import z_from_seeds

DirectionName = Annotated[
    str, typer.Option("--direction", help="A direction: smile, which is shipped, or a file that `latentlab fit` wrote.")
]
Force = Annotated[bool, typer.Option("--force", help="Apply it to a generator it was not learnt on.")]

_FIGURES = (".png", ".pdf", ".svg")


class Method(str, Enum):
    """How a direction is learnt."""

    svm = "svm"
    mean = "mean"
    ridge = "ridge"


@torch.inference_mode()
def generate(
    seeds: options.Seeds = "600-607",
    psi: options.Psi = 0.7,
    network: options.Network = "mobile-ffhq",
    resolution: options.Resolution = None,
    out: Annotated[Path, typer.Option(help="Folder of the pictures.")] = Path("latentlab-pictures"),
    device: options.Device = "auto",
) -> None:
    """Write a PNG a seed, and a grid of them all."""
    numbers, psi = options.parse_seeds(seeds), options.check_psi(psi)
    out = options.check_folder(out)
    generator = options.load_generator(network, options.find_device(device))
    renderer = options.renderer_of(generator, resolution)
    thumbnails = []
    with options.bar("generating") as step:
        for k, seed in enumerate(numbers):
            z = z_from_seeds([seed], generator.z_dim).to(generator.w_avg.device)
            picture = renderer(generator.mapping(z, psi=psi))
            images.save_image(picture, out / f"seed{seed:06d}.png")
            thumbnails.append(images.reduce(picture, 256).cpu())
            step(k + 1, len(numbers))
    columns = int(np.ceil(np.sqrt(len(numbers))))
    images.save_image(images.grid(torch.cat(thumbnails), columns), out / "grid.png")
    print(f"{len(numbers)} pictures in {out}, and grid.png of them all")


def label(
    samples: options.Samples = 2000,
    seed_start: options.SeedStart = 600,
    psi: options.Psi = 0.7,
    network: options.Network = "mobile-ffhq",
    scorer: options.ScorerName = "fer",
    resolution: options.Resolution = None,
    out: Annotated[Path, typer.Option(help="Folder of the sample table; a stopped run goes on there.")] = Path(
        "latentlab-samples"
    ),
    device: options.Device = "auto",
    batch: options.Batch = 4,
) -> None:
    """Draw seeds, score their pictures, and write the sample table (Parquet)."""
    generator, found_scorer = options.load_lab(network, scorer, device)
    renderer = options.renderer_of(generator, resolution)
    settings = SampleSettings(
        generator=generator.fingerprint,
        scorer=found_scorer.fingerprint,
        names=found_scorer.names,
        psi=psi,
        seed_start=seed_start,
        samples=samples,
        resolution=renderer.resolution,
    )
    store = SampleStore.open(out, settings)
    with options.bar("drawing samples") as step:
        table = draw_samples(generator, found_scorer, store, batch, renderer, step)
    for name in table.names:
        print(f"{name:>10} {table.is_positive(name).mean():6.1%}")
    print(f"{len(table)} samples in {out}")


def fit(
    samples: Annotated[Path, typer.Argument(help="Folder of samples that `latentlab label` wrote.")],
    attribute: options.Attribute = "happy",
    method: Annotated[Method, typer.Option(help="How the direction is learnt.")] = Method.svm,
    out: Annotated[Path, typer.Option(help="The file of the direction.")] = Path("direction.safetensors"),
) -> None:
    """Learn a direction from labelled samples, and judge it on held-out ones."""
    from latentlab.directions import Finder, LinearSVM, MeanDifference, RidgeOnLogit, card_figures, evaluate

    store = SampleStore.existing(samples)
    table = store.table()
    train, test = split(table)
    learn, judge = table.subset(train), table.subset(test)
    finder: Finder
    if method is Method.ridge:
        finder = RidgeOnLogit().fit(learn.w, learn.column(attribute))
    else:
        kind = LinearSVM if method is Method.svm else MeanDifference
        finder = kind().fit(learn.w, learn.is_positive(attribute))
    held_out = evaluate(finder, judge.w, judge.is_positive(attribute))
    direction = Direction.of(
        finder,
        learn.w,
        attribute,
        statistics=card_figures(len(learn), held_out),
        generator=store.settings.generator,
        scorer=store.settings.scorer,
    )
    direction.save(out)
    print(direction.card())
    print(f"written to {out}")


def edit(
    direction: DirectionName,
    seeds: options.Seeds = "600-603",
    strengths: Annotated[
        str | None, typer.Option(help="Strengths in units of w; by default -4,0,4, for photos -2,0,2.")
    ] = None,
    psi: options.Psi = 0.7,
    network: options.Network = "mobile-ffhq",
    scorer: options.ScorerName = "fer",
    resolution: options.Resolution = None,
    out: Annotated[Path, typer.Option(help="Folder of the pictures and of edits.parquet.")] = Path("latentlab-edits"),
    device: options.Device = "auto",
    force: Force = False,
    batch: options.Batch = 4,
    photo: Annotated[
        list[Path] | None,
        typer.Option(help="A photo to edit instead of seeds; may be given several times.", rich_help_panel="Photos"),
    ] = None,
    attribute: Annotated[str, typer.Option(help="The score that is reported.", rich_help_panel="Photos")] = "happy",
    mask: Annotated[
        photos.MaskName,
        typer.Option(help="What is put back: the whole crop, or the face alone.", rich_help_panel="Photos"),
    ] = photos.MaskName.feather,
    steps: photos.Steps = None,
    tune: photos.Tune = True,
) -> None:
    """Write each seed's picture at each strength, and the scores of all as a table.

    With --photo: align, project, tune, edit and paste back; each photo gets a folder with everything, where
    the same command goes on after a stop.
    """
    out = options.check_folder(out)
    if photo:
        series = options.parse_strengths("-2,0,2" if strengths is None else strengths)
        task = photos.EditTask(direction, series, scorer, attribute, mask, force)
        embedding = photos.EmbedTask(photo, out, steps=steps, tune=tune, network=network, device=device, batch=batch)
        photos.edit_photos(task, embedding)
        return
    numbers, series = options.parse_seeds(seeds), options.parse_strengths("-4,0,4" if strengths is None else strengths)
    renderer, found_scorer, found, ws = _prepare(network, scorer, device, resolution, direction, numbers, psi, force)
    scores = []
    with options.bar("editing") as step:
        for one in render_edits(renderer, found_scorer, ws, found, series, batch, progress=step):
            images.save_image(one.picture, out / f"seed{numbers[one.face]:06d}_{series[one.step]:+g}.png")
            scores.append(one.scores)
    shape = (len(numbers), len(series), len(found_scorer.names))
    table = EditTable(np.array(numbers), np.array(series), np.reshape(scores, shape), found_scorer.names)
    table.save(out / "edits.parquet")
    print(f"{len(scores)} pictures in {out}, their scores in edits.parquet")


def walk(
    direction: DirectionName,
    seeds: options.Seeds = "600-603",
    strengths: options.Strengths = "-6,-4,-2,0,2,4,6",
    attribute: Annotated[str, typer.Option(help="The score to show under each picture.")] = "happy",
    psi: options.Psi = 0.7,
    network: options.Network = "mobile-ffhq",
    scorer: options.ScorerName = "fer",
    resolution: options.Resolution = None,
    out: Annotated[
        Path,
        typer.Option(help="A figure (.png, .pdf, .svg) or an animation (.gif; .mp4 with the extra video)."),
    ] = Path("walk.png"),
    device: options.Device = "auto",
    force: Force = False,
    batch: options.Batch = 4,
) -> None:
    """Draw a walk along a direction: a row a face, a column a strength, the score under each."""
    from latentlab.plots import walk_figure

    numbers, series = options.parse_seeds(seeds), options.parse_strengths(strengths)
    writers = {".gif": write_gif, ".mp4": write_mp4}
    if out.suffix.lower() not in (*writers, *_FIGURES):
        raise UserError(f"cannot write {out}: its name must end in {', '.join((*_FIGURES, *writers))}")
    renderer, found_scorer, found, ws = _prepare(network, scorer, device, resolution, direction, numbers, psi, force)
    nothing = np.zeros(len(found_scorer.names), np.float32)
    score_column(nothing, found_scorer.names, attribute)  # to refuse an unknown one before the long work
    with options.bar("walking") as step:
        pictures, scores = render_walk(renderer, found_scorer, ws, found, series, 256, batch, step)
    if out.suffix.lower() in writers:
        there = torch.stack([images.grid(pictures[:, k], len(numbers)) for k in range(len(series))])
        writers[out.suffix.lower()](torch.cat([there, there.flip(0)[1:-1]]), out)
    else:
        titles = [f"seed {seed}" for seed in numbers]
        column = score_column(scores, found_scorer.names, attribute)
        walk_figure(pictures, column, series, titles, out, score_name=attribute)
    print(f"written to {out}")


@torch.inference_mode()
def _prepare(
    network: str,
    scorer: str,
    device: str,
    resolution: int | None,
    direction: str,
    seeds: list[int],
    psi: float,
    force: bool,
) -> tuple[Renderer, Scorer, Direction, torch.Tensor]:
    """Renderer, scorer, the direction if it fits, and ws of the seeds."""
    psi = options.check_psi(psi)
    found = load_direction(direction)
    generator, found_scorer = options.load_lab(network, scorer, device)
    found.check(generator, force)
    z = z_from_seeds(seeds, generator.z_dim).to(generator.w_avg.device)
    ws = generator.mapping(z, psi=psi)
    return options.renderer_of(generator, resolution), found_scorer, found, ws
