"""Neutral to smiling faces and back with CycleGAN: two sets of faces, no pairs.

    python examples/smile_cyclegan.py --out smile_cyclegan
    python examples/smile_cyclegan.py --folder SET --size 128 --width 64 --epochs 200    # a real run

SET has trainA/ (neutral), trainB/ (smiling), testA/ and testB/. Without it both are generated, along the smile
direction. Writes the training to `training/`. Two cores take three to four samples a second:
as it is it shows where things go; 9,000 samples give smiles that everyone sees, in coarse pictures (README).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import stylegan2
from latentlab import scorers
from latentlab.cli.errors import told
from latentlab.datasets.making import LatentPairs, make_latent_pairs
from latentlab.directions.shipped import load_direction
from latentlab.progress import bar
from latentlab.rendering import Renderer
from latentlab.translation.data.sets import open_unpaired
from latentlab.translation.data.transforms import Augmentation
from latentlab.translation.methods import paper_config
from latentlab.translation.training import TrainingSettings, train
from stylegan2.memory import keep_freed_memory


def main(
    folder: Annotated[Path | None, typer.Option(help="A set with trainA/, trainB/, testA/, testB/.")] = None,
    faces: Annotated[int, typer.Option(help="How many of each kind are generated without one.")] = 150,
    size: Annotated[int, typer.Option(help="Side of the pictures.")] = 64,
    width: Annotated[int, typer.Option(help="Feature maps at the thinnest.")] = 32,
    epochs: Annotated[float, typer.Option(help="Passes through the data.")] = 15,
    batch: Annotated[int, typer.Option(help="Samples a step.")] = 2,
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("smile_cyclegan"),
) -> None:
    """Learn to make faces smile, and to stop them."""
    keep_freed_memory()
    if folder is None:
        folder = out / "faces"
        generator = stylegan2.load("mobile-ffhq")
        render = Renderer(generator, generator.resolutions[0])
        recipe = LatentPairs(render, load_direction("smile"), low=-1.5, high=2.5, scorer=scorers.load_scorer("fer"))
        with bar("generating") as step:
            make_latent_pairs(recipe, "unpaired", faces, folder, size, progress=step)

    training = open_unpaired(folder, "train", Augmentation.of(size)).source
    held_out = open_unpaired(folder, "test", Augmentation(size, size, flip=False)).source
    settings = TrainingSettings(epochs, batch_size=batch)
    with bar("training", "sample") as step:
        train(paper_config("cyclegan", size, width), training, settings, out / "training", held_out, progress=step)
    print(f"neutral, smiling, back; smiling, neutral, back: {out / 'training' / 'samples'}")


if __name__ == "__main__":
    typer.run(told(main))
