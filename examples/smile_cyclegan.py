"""Neutral to smiling faces and back with CycleGAN: two sets of faces, no pairs.

    python examples/smile_cyclegan.py --out smile_cyclegan
    python examples/smile_cyclegan.py --folder SET --size 128 --base-channels 64 --epochs 200    # a real run

SET has trainA/ (neutral), trainB/ (smiling), testA/ and testB/. Without it both are generated, along the smile
direction. Writes the training to `training/`. Two cores process three to four samples
a second: with the defaults it shows the steps; 9,000 samples give visible smiles, in coarse images (README).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import stylegan2
from latentlab import scorers
from latentlab.cli.errors import run
from latentlab.datasets import LatentPairs, SetSettings, make_latent_pairs
from latentlab.directions import load_direction
from latentlab.rendering import Renderer
from latentlab.translation import Augmentation, CycleGAN, TrainingSettings, train
from stylegan2.memory import keep_freed_memory


def main(
    folder: Annotated[Path | None, typer.Option(help="A set with trainA/, trainB/, testA/, testB/.")] = None,
    faces: Annotated[int, typer.Option(help="Number of each kind that are generated without one.")] = 150,
    size: Annotated[int, typer.Option(help="Resolution of the images.")] = 64,
    base_channels: Annotated[int, typer.Option(help="Base channel count (ngf, ndf).")] = 32,
    epochs: Annotated[float, typer.Option(help="Passes through the data.")] = 15,
    batch: Annotated[int, typer.Option(help="Samples per step.")] = 2,
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("smile_cyclegan"),
) -> None:
    """Learn to make faces smile, and to stop them."""
    keep_freed_memory()
    if folder is None:
        folder = out / "faces"
        generator = stylegan2.load("mobile-ffhq")
        render = Renderer(generator, generator.resolutions[0])
        recipe = LatentPairs(render, load_direction("smile"), low=-1.5, high=2.5, scorer=scorers.load_scorer("fer"))
        make_latent_pairs(recipe, SetSettings("unpaired", faces, size), folder)

    config = CycleGAN.configure(size, base_channels)
    training = CycleGAN.open_folder(folder, "train", config, Augmentation.for_resolution(size)).source
    held_out = CycleGAN.open_folder(folder, "test", config, Augmentation.none(size)).source
    settings = TrainingSettings(epochs, batch_size=batch)
    train(config, training, settings, out / "training", held_out)
    print(f"neutral, smiling, back; smiling, neutral, back: {out / 'training' / 'samples'}")


if __name__ == "__main__":
    run(main)
