"""`latentlab translate make`: training sets for translators, from images, a generator's samples, or nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from latentlab.cli import options

app = typer.Typer(
    rich_markup_mode=None,
    help="Make a training set: drawings and faces, faces along a direction, squares and circles.",
    no_args_is_help=True,
)

Out = Annotated[Path, typer.Option(help="Folder for the set, with a manifest of how it was made.")]
Size = Annotated[int, typer.Option(min=16, help="Resolution of each image.")]
HeldOut = Annotated[float, typer.Option(min=0, max=0.9, help="Share that is held out for tests.")]


@app.command()
def drawings(
    ctx: typer.Context,
    out: Out,
    images: Annotated[
        Path | None, typer.Option("--images", help="A folder of faces; by default they are generated.")
    ] = None,
    seeds: options.Seeds = "600-999",
    network: options.Network = "mobile-ffhq",
    size: Size = 256,
    held_out: HeldOut = 0.1,
    device: options.Device = "auto",
) -> None:
    """Make pairs of a line drawing and its face, for pix2pix."""
    from latentlab.datasets import generated_images, images_of_files, make_drawings
    from latentlab.files import images_in
    from latentlab.pipelines import Components

    options.check_folder(out)
    if images is not None:
        reason = "with --images, whose faces are drawn"
        options.refuse_without_effect(ctx, dict.fromkeys(("seeds", "network", "device"), reason))
    if images is None:
        numbers = options.parse_seeds(seeds)
        components = Components.load(network, device=device)
        generator = components.plain_generator
        origin = f"seeds {seeds} of {generator.fingerprint}"
        render = components.renderer(generator.resolutions[0])
        source = generated_images(render, numbers, origin=origin)
    else:
        source = images_of_files(images_in(images), images.name)
    make_drawings(source, out, size, held_out=held_out)
    print(f"{source.count} pairs are in {out}")


@app.command()
def latent(
    out: Out,
    direction: Annotated[
        str, typer.Option(help="Direction: a name that `latentlab directions list` shows, or a file.")
    ] = "smile",
    layout: Annotated[
        Literal["pairs", "unpaired", "instances"],
        typer.Option(help="pairs: side by side; unpaired: two sets; instances: two sets with masks of the mouths."),
    ] = "pairs",
    faces: Annotated[int, typer.Option(min=1, help="Number of faces on each side.")] = 400,
    low: Annotated[
        float | None,
        typer.Option(help="Strength for the faces before, in the direction's units; by default the end of its range."),
    ] = None,
    high: Annotated[
        float | None,
        typer.Option(help="Strength for the faces after, in the direction's units; by default the end of its range."),
    ] = None,
    attribute: options.Attribute = "happy",
    network: options.Network = "mobile-ffhq",
    scorer: options.ScorerName = "fer",
    psi: options.Psi = 0.7,
    seed_start: options.SeedStart = 600,
    size: Size = 256,
    held_out: HeldOut = 0.1,
    device: options.Device = "auto",
) -> None:
    """Make a set of generated faces before and after an edit along a direction."""
    from latentlab.datasets import LatentPairs, SetSettings, make_latent_pairs
    from latentlab.directions import load_direction
    from latentlab.editing import strength_range
    from latentlab.pipelines import Components
    from latentlab.samples import check_psi

    options.check_folder(out)
    check_psi(psi)
    components = Components.load(network, scorer, device=device)
    generator, found = components.plain_generator, load_direction(direction)
    components.check_attribute(attribute)
    found.check(generator)
    away, towards = strength_range(found)
    recipe = LatentPairs(
        components.renderer(generator.resolutions[0]),
        found,
        away if low is None else low,
        towards if high is None else high,
        components.scorer,
        attribute,
        psi,
        components.detector if layout == "instances" else None,
    )
    settings = SetSettings(layout, faces, size, held_out, seed_start)
    make_latent_pairs(recipe, settings, out)
    print(f"the set is in {out}")


@app.command()
def shapes(
    out: Out,
    scenes: Annotated[int, typer.Option(min=1, help="Number of scenes of each kind.")] = 1000,
    most: Annotated[int, typer.Option(min=1, max=4, help="Largest number of shapes in a scene.")] = 3,
    seed: Annotated[int, typer.Option(help="Random seed.")] = 0,
    size: Size = 128,
    held_out: HeldOut = 0.1,
) -> None:
    """Make a set of squares and circles with their masks, for InstaGAN."""
    from latentlab.datasets import make_shapes

    options.check_folder(out)
    make_shapes(scenes, out, size, most, seed, held_out)
    print(f"the set is in {out}")
