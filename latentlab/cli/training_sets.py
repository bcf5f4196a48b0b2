"""`latentlab translate make`: training sets for translators, out of pictures, a generator's samples, or nothing."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from latentlab.cli import options
from latentlab.cli.errors import told
from latentlab.errors import UserError

app = typer.Typer(help="Make a training set: drawings and faces, faces of a direction, squares and circles.")

Out = Annotated[Path, typer.Option(help="Folder of the set, with a manifest of how it was made.")]
Size = Annotated[int, typer.Option(min=16, help="Side of each picture.")]
HeldOut = Annotated[float, typer.Option(min=0, max=0.9, help="Share that is kept for tests.")]


class LayoutName(str, Enum):
    """How a set lies in its folder."""

    pairs = "pairs"
    unpaired = "unpaired"
    instances = "instances"


@app.command()
@told
def drawings(
    out: Out,
    pictures: Annotated[Path | None, typer.Option(help="A folder of faces; by default they are generated.")] = None,
    seeds: options.Seeds = "600-999",
    network: options.Network = "mobile-ffhq",
    size: Size = 256,
    held_out: HeldOut = 0.1,
    device: options.Device = "auto",
) -> None:
    """Line drawings of faces beside the faces, for pix2pix."""
    from latentlab.datasets.making import files_as_pictures, generated_faces, make_drawings
    from latentlab.translation.data.folders import pictures_in

    options.check_folder(out)
    if pictures is None:
        generator = options.load_generator(network, options.find_device(device))
        numbers = options.parse_seeds(seeds)
        shown = generated_faces(options.renderer_of(generator, generator.resolutions[0]), numbers)
        count, made_from = len(numbers), f"seeds {seeds} of {generator.fingerprint}"
    else:
        paths = pictures_in(pictures)
        shown, count, made_from = files_as_pictures(paths), len(paths), pictures.name
    with options.bar("drawing") as step:
        make_drawings(shown, count, out, size, held_out=held_out, made_from=made_from, progress=step)
    print(f"{count} pairs are in {out}")


@app.command()
@told
def latent(
    out: Out,
    direction: Annotated[str, typer.Option(help="A direction: smile, or a file.")] = "smile",
    layout: Annotated[
        LayoutName, typer.Option(help="pairs: side by side; unpaired: two sets; instances: and masks of the mouths.")
    ] = LayoutName.pairs,
    faces: Annotated[int, typer.Option(min=1, help="How many, on each side.")] = 400,
    low: Annotated[float, typer.Option(help="Strength of the edit before, in units of w.")] = -1.5,
    high: Annotated[float, typer.Option(help="Strength of the edit after.")] = 2.5,
    attribute: options.Attribute = "happy",
    network: options.Network = "mobile-ffhq",
    scorer: options.ScorerName = "fer",
    psi: options.Psi = 0.7,
    seed_start: options.SeedStart = 600,
    size: Size = 256,
    held_out: HeldOut = 0.1,
    device: options.Device = "auto",
) -> None:
    """Faces of a generator before and after an edit along a direction."""
    from latentlab.datasets.making import LatentPairs, make_latent_pairs
    from latentlab.directions.shipped import load_direction
    from latentlab.faces import load_detector

    options.check_folder(out)
    generator, judge = options.load_lab(network, scorer, device)
    if attribute not in judge.names:
        raise UserError(f"{scorer} scores {', '.join(judge.names)}, not {attribute!r}")
    found = load_direction(direction)
    found.check(generator)
    recipe = LatentPairs(
        options.renderer_of(generator, generator.resolutions[0]),
        found,
        low,
        high,
        judge,
        attribute,
        options.check_psi(psi),
        load_detector("dlib68") if layout is LayoutName.instances else None,
    )
    with options.bar("generating") as step:
        make_latent_pairs(recipe, layout.value, faces, out, size, seed_start, held_out, step)
    print(f"the set is in {out}")


@app.command()
@told
def shapes(
    out: Out,
    scenes: Annotated[int, typer.Option(min=1, help="How many of each kind.")] = 1000,
    most: Annotated[int, typer.Option(min=1, max=4, help="The most shapes of a scene.")] = 3,
    seed: Annotated[int, typer.Option(help="Of all that is random.")] = 0,
    size: Size = 128,
    held_out: HeldOut = 0.1,
) -> None:
    """Squares and circles with their masks, for InstaGAN."""
    from latentlab.datasets.making import make_shapes

    options.check_folder(out)
    with options.bar("drawing") as step:
        make_shapes(scenes, out, size, most, seed, held_out, step)
    print(f"the set is in {out}")
