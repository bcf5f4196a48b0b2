"""Squares to circles with InstaGAN: a set whose every mask is known, so that success can be seen at once.

    python examples/shapes_instagan.py --out shapes_instagan
    python examples/shapes_instagan.py --scenes 2000 --size 128 --width 64 --epochs 100    # a real run

Draws the scenes to `scenes/` and writes the training to `training/`. Needs nothing. About ten minutes on two cores,
after which most squares come out round, and blurred; `latentlab compare shapes` counts them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from latentlab.cli.errors import told
from latentlab.datasets.making import make_shapes
from latentlab.progress import bar
from latentlab.translation.data.sets import open_unpaired
from latentlab.translation.data.transforms import Augmentation
from latentlab.translation.methods import InstaGANConfig
from latentlab.translation.training import TrainingSettings, train
from stylegan2.memory import keep_freed_memory


def main(
    scenes: Annotated[int, typer.Option(help="How many of each kind.")] = 200,
    size: Annotated[int, typer.Option(help="Side of the pictures.")] = 64,
    width: Annotated[int, typer.Option(help="Feature maps at the thinnest.")] = 16,
    epochs: Annotated[float, typer.Option(help="Passes through the data.")] = 4,
    batch: Annotated[int, typer.Option(help="Samples a step.")] = 1,
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("shapes_instagan"),
) -> None:
    """Learn to make circles of squares."""
    keep_freed_memory()
    with bar("drawing") as step:
        make_shapes(scenes, out / "scenes", size, progress=step)
    config = InstaGANConfig.of(size, width)
    training = open_unpaired(out / "scenes", "train", Augmentation.of(size), config.instances).source
    held_out = open_unpaired(out / "scenes", "test", Augmentation(size, size, flip=False), config.instances).source
    settings = TrainingSettings(epochs, batch_size=batch)
    with bar("training", "sample") as step:
        train(config, training, settings, out / "training", held_out, progress=step)
    print(f"squares, masks, circles, masks, and back: {out / 'training' / 'samples'}")


if __name__ == "__main__":
    typer.run(told(main))
