"""Labels to photos of facades with pix2pix, as in the paper.

    python examples/facades.py FOLDER --out facades
    python examples/facades.py FOLDER --size 256 --base-channels 64 --epochs 200 --batch 1  # the paper's run, on a GPU

FOLDER has train/ and val/ with pairs of 512x256 pixels, photo left and labels right, as pix2pix's authors publish
them (CMP facades: research, credit Tylecek and Sara 2013). Two cores process about 40 samples a second, 12,000 in
all: windows and balconies come out where they should, blurred.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from latentlab.cli.errors import run
from latentlab.translation import Augmentation, Pix2Pix, TrainingSettings, train
from stylegan2.memory import keep_freed_memory


def main(
    folder: Annotated[Path, typer.Argument(help="Folder with train/ and val/.")],
    variant: Annotated[str, typer.Option(help=f"paper, {', '.join(Pix2Pix.variants)}.")] = "paper",
    size: Annotated[int, typer.Option(help="Resolution of the images, a power of two.")] = 64,
    base_channels: Annotated[int, typer.Option(help="Base channel count (ngf, ndf).")] = 32,
    epochs: Annotated[float, typer.Option(help="Passes through the data.")] = 30,
    batch: Annotated[int, typer.Option(help="Samples per step.")] = 4,
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("facades"),
) -> None:
    """Learn to translate labels into facades."""
    keep_freed_memory()
    config = Pix2Pix.configure(size, base_channels, variant)
    training = Pix2Pix.open_folder(folder, "train", config, Augmentation.for_resolution(size), "BA").source
    held_out = Pix2Pix.open_folder(folder, "val", config, Augmentation.none(size), "BA").source
    settings = TrainingSettings(epochs, batch_size=batch)
    train(config, training, settings, out, held_out)
    print(f"labels, translation, photo: {out / 'samples'}")


if __name__ == "__main__":
    run(main)
