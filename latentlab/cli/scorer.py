"""`latentlab scorer`: train a classifier of one's own."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from latentlab.cli import options
from latentlab.cli.errors import told
from latentlab.errors import UserError

app = typer.Typer(help="Classifiers of attributes.", add_completion=False)


class FramingName(str, Enum):
    """Where the face is in the pictures."""

    ffhq = "ffhq"
    celeba = "celeba"


@app.callback()
def scorer() -> None:
    """Classifiers of attributes."""


@app.command()
@told
def train(
    pictures: Annotated[Path, typer.Argument(help="A folder of faces.")],
    labels: Annotated[Path, typer.Argument(help="CSV: image, identity, and 0 or 1 for each attribute.")],
    out: Annotated[Path, typer.Option(help="The classifier's file, .safetensors.")],
    framing: Annotated[
        FramingName,
        typer.Option(help="ffhq: as `latentlab align` cuts; celeba: as that set is aligned, 89x109 or 178x218."),
    ] = FramingName.ffhq,
    epochs: Annotated[int, typer.Option(min=1, help="Passes through the pictures.")] = 20,
    width: Annotated[int, typer.Option(min=1, help="Feature maps at full resolution.")] = 16,
    data: Annotated[str, typer.Option(help="For the card: what the pictures are.")] = "",
    licence: Annotated[str, typer.Option(help="For the card: under what terms.")] = "",
    seed: Annotated[int, typer.Option(help="Of all that is random.")] = 0,
    device: options.Device = "auto",
) -> None:
    """Train a classifier of many attributes; a run that was stopped goes on with the same command.

    A tenth of the persons calibrates it, and another tenth, which nothing else sees, judges it.
    """
    from latentlab.scorers.attributes.data import read_labels, read_pictures
    from latentlab.scorers.attributes.scorer import WHOLE
    from latentlab.scorers.attributes.training import TrainingPlan
    from latentlab.scorers.attributes.training import train as train_scorer
    from latentlab.scorers.crop import CELEBA_FRAMING

    if out.suffix != ".safetensors":
        raise UserError(f"a classifier is written as .safetensors, not {out.name}")
    options.check_folder(out.parent)
    table = read_labels(labels)
    with options.bar("reading") as step:
        shown = read_pictures(pictures, table, CELEBA_FRAMING if framing is FramingName.celeba else WHOLE, step)
    plan = TrainingPlan(epochs, width=width, seed=seed)
    card = {"data": data, "licence": licence}
    with options.bar("training", "epoch") as step:
        found = train_scorer(shown, table, plan, out.with_suffix(".state"), card, options.find_device(device), step)
    found.save(out)
    print("| attribute | AUC | accuracy | positives | calibration error |")
    print("|---|---|---|---|---|")
    for name, row in found.card["held_out"].items():
        print(
            f"| {name} | {row['auc']:.3f} | {row['accuracy']:.3f} | {row['positives']:.3f} "
            f"| {row['calibration_error']:.3f} |"
        )
    print(f"held out: {found.card['pictures']['held_out']} pictures of persons that it was not trained on")
    print(f"written: {out}")
