"""Squares to circles with InstaGAN: a set whose masks are all known, so that success is visible at once.

    python examples/shapes_instagan.py --out shapes_instagan
    python examples/shapes_instagan.py --scenes 2000 --size 128 --base-channels 64 --epochs 100    # a real run

Draws the scenes to `scenes/` and writes the training to `training/`. Needs nothing. About ten minutes on two cores,
after which most squares come out round, and blurred; `latentlab compare shapes` counts them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from latentlab.cli.errors import run
from latentlab.datasets import make_shapes
from latentlab.translation import Augmentation, InstaGAN, TrainingSettings, train
from stylegan2.memory import keep_freed_memory


def main(
    scenes: Annotated[int, typer.Option(help="Number of scenes of each kind.")] = 200,
    size: Annotated[int, typer.Option(help="Resolution of the images.")] = 64,
    base_channels: Annotated[int, typer.Option(help="Base channel count (ngf, ndf).")] = 16,
    epochs: Annotated[float, typer.Option(help="Passes through the data.")] = 4,
    batch: Annotated[int, typer.Option(help="Samples per step.")] = 1,
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("shapes_instagan"),
) -> None:
    """Learn to make circles of squares."""
    keep_freed_memory()
    make_shapes(scenes, out / "scenes", size)
    config = InstaGAN.configure(size, base_channels)
    training = InstaGAN.open_folder(out / "scenes", "train", config, Augmentation.for_resolution(size)).source
    held_out = InstaGAN.open_folder(out / "scenes", "test", config, Augmentation.none(size)).source
    settings = TrainingSettings(epochs, batch_size=batch)
    train(config, training, settings, out / "training", held_out)
    print(f"squares, masks, circles, masks, and back: {out / 'training' / 'samples'}")


if __name__ == "__main__":
    run(main)
