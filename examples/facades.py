"""Labels to photos of facades with pix2pix, as in the paper.

    python examples/facades.py FOLDER --out facades
    python examples/facades.py FOLDER --size 256 --width 64 --epochs 200 --batch 1    # the paper's run, on a GPU

FOLDER has train/ and val/ with pairs of 512x256 pixels, photo left and labels right, as pix2pix's authors publish
them (CMP facades: research, credit Tylecek and Sara 2013). Two cores take about 40 samples a second, 12,000 in all:
windows and balconies come out where they should, blurred.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from latentlab.cli.errors import told
from latentlab.progress import bar
from latentlab.translation.data.sets import open_pairs
from latentlab.translation.data.transforms import Augmentation
from latentlab.translation.methods import ABLATIONS
from latentlab.translation.training import TrainingSettings, train
from stylegan2.memory import keep_freed_memory


def main(
    folder: Annotated[Path, typer.Argument(help="With train/ and val/.")],
    ablation: Annotated[str, typer.Option(help=f"One of {', '.join(ABLATIONS)}.")] = "paper",
    size: Annotated[int, typer.Option(help="Side of the pictures, a power of two.")] = 64,
    width: Annotated[int, typer.Option(help="Feature maps at the thinnest.")] = 32,
    epochs: Annotated[float, typer.Option(help="Passes through the data.")] = 30,
    batch: Annotated[int, typer.Option(help="Samples a step.")] = 4,
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("facades"),
) -> None:
    """Learn to build facades of labels."""
    keep_freed_memory()
    training = open_pairs(folder, "train", Augmentation.of(size), order="BA").source
    held_out = open_pairs(folder, "val", Augmentation(size, size, flip=False), order="BA").source
    settings = TrainingSettings(epochs, batch_size=batch)
    with bar("training", "sample") as step:
        train(ABLATIONS[ablation].resized(size, width), training, settings, out, held_out, progress=step)
    print(f"labels, built, photo: {out / 'samples'}")


if __name__ == "__main__":
    typer.run(told(main))
