"""The commands, put together. Nothing here imports torch: help, completion and bad usage answer at once."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from latentlab.cli import (
    compare,
    directions,
    distil,
    dragging,
    faces,
    interpolation,
    metrics,
    photos,
    samples,
    scorer,
    steps,
    studio,
    study,
    training,
    translate,
    weights,
)
from latentlab.cli.errors import run_app
from latentlab.cli.metavars import name_values
from stylegan2.memory import keep_freed_memory

# Help is plain text here and in all groups: the library that draws boxes around it takes as long to import as the rest.
app = typer.Typer(
    rich_markup_mode=None,
    name="latentlab",
    help="Look into StyleGAN2's latent space, edit faces in it, and measure how well that went.",
    pretty_exceptions_enable=False,
    context_settings={"max_content_width": 120},
)
for command in (
    study.smile,
    study.study,
    steps.generate,
    samples.label,
    samples.fit,
    steps.edit,
    steps.walk,
    dragging.drag,
    interpolation.interpolate,
    faces.align,
    photos.project,
    distil.distil,
    studio.studio,
):
    app.command(command.__name__)(command)
app.command("train-generator")(training.train_generator)
app.add_typer(directions.app, name="directions")
app.add_typer(compare.app, name="compare")
app.add_typer(translate.app, name="translate")
app.add_typer(metrics.app, name="metrics")
app.add_typer(scorer.app, name="scorer")
app.add_typer(weights.app, name="weights")
name_values(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        import latentlab

        print(f"latentlab {latentlab.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


def run() -> None:
    """Run the command line of this process, and end it."""
    keep_freed_memory()
    run_app(app, sys.argv[1:] or ["--help"])
