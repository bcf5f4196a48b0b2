"""`latentlab scorer`: train your own classifier."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from latentlab.cli import options
from latentlab.devices import find_device
from latentlab.errors import UserError
from latentlab.markdown import table

app = typer.Typer(rich_markup_mode=None, help="Classifiers of attributes.", no_args_is_help=True)


class FramingName(str, Enum):
    """How the faces are framed."""

    ffhq = "ffhq"
    celeba = "celeba"


@app.callback()
def scorer() -> None:
    """Classifiers of attributes."""


@app.command()
def train(
    images: Annotated[Path, typer.Argument(help="Folder of face images.")],
    labels: Annotated[Path, typer.Argument(help="CSV: image, identity, and 0 or 1 for each attribute.")],
    out: Annotated[Path, typer.Option(help="File to write the classifier to, .safetensors.")],
    framing: Annotated[
        FramingName,
        typer.Option(help="ffhq: as `latentlab align` cuts faces; celeba: as that set is aligned, 89x109 or 178x218."),
    ] = FramingName.ffhq,
    epochs: Annotated[int, typer.Option(min=1, help="Passes through the images.")] = 20,
    base_channels: Annotated[int, typer.Option(min=1, help="Base channel count, at full resolution.")] = 16,
    data: Annotated[str, typer.Option(help="Origin of the images, for the card.")] = "",
    licence: Annotated[str, typer.Option(help="Terms of the images, for the card.")] = "",
    seed: Annotated[int, typer.Option(help="Random seed.")] = 0,
    device: options.Device = "auto",
) -> None:
    """Train a classifier of many attributes; the same command resumes a training that was stopped.

    A tenth of the people serves to calibrate it, and another tenth, held out from all else, to judge it.
    """
    from latentlab.scorers.attributes.data import load_faces, load_labels
    from latentlab.scorers.attributes.scorer import WHOLE
    from latentlab.scorers.attributes.training import TrainingPlan
    from latentlab.scorers.attributes.training import train as train_scorer
    from latentlab.scorers.crop import CELEBA_FRAMING

    if out.suffix != ".safetensors":
        raise UserError(f"a classifier is written as .safetensors, not {out.name}")
    options.check_file(out)
    table = load_labels(labels, images)
    faces = load_faces(images, table, CELEBA_FRAMING if framing is FramingName.celeba else WHOLE)
    plan = TrainingPlan(epochs, base_channels=base_channels, seed=seed)
    card = {"data": data, "licence": licence}
    found = train_scorer(faces, table, plan, out.with_suffix(".state"), card, find_device(device))
    found.save(out)
    _print_card(found.card)
    print(f"written: {out}")


def _print_card(card: dict[str, Any]) -> None:
    """Print the held-out statistics of every attribute as a table."""
    columns = ("auc", "accuracy", "positives", "calibration_error")
    rows = [[name, *(f"{row[column]:.3f}" for column in columns)] for name, row in card["held_out"].items()]
    print(table(["attribute", "AUC", "accuracy", "positives", "calibration error"], rows, numbers=()))
    print(f"held out: {card['pictures']['held_out']} images of persons it was not trained on")
