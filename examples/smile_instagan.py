"""A smile in the mouth alone with InstaGAN: two sets of faces, each with the mask of its mouth.

    python examples/smile_instagan.py --out smile_instagan
    python examples/smile_instagan.py --folder SET --size 128 --base-channels 64 --epochs 200    # a real run

SET has trainA/ and trainA_seg/ (neutral faces, masks), trainB/ and trainB_seg/, testA/ … Without it all are
generated. Writes the training to `training/`. About seven minutes on two cores, after which the masks of closed
mouths grow into those of smiles; the images stay coarse, and the way back is hardly learnt.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import stylegan2
from latentlab import faces as face_finding
from latentlab import scorers
from latentlab.cli.errors import run
from latentlab.datasets import LatentPairs, SetSettings, make_latent_pairs
from latentlab.directions import load_direction
from latentlab.rendering import Renderer
from latentlab.translation import Augmentation, InstaGAN, TrainingSettings, train
from stylegan2.memory import keep_freed_memory


def main(
    folder: Annotated[Path | None, typer.Option(help="A set with trainA/, trainA_seg/, trainB/ …")] = None,
    faces: Annotated[int, typer.Option(help="Number of each kind that are generated without one.")] = 100,
    size: Annotated[int, typer.Option(help="Resolution of the images.")] = 64,
    base_channels: Annotated[int, typer.Option(help="Base channel count (ngf, ndf).")] = 32,
    epochs: Annotated[float, typer.Option(help="Passes through the data.")] = 4,
    batch: Annotated[int, typer.Option(help="Samples per step.")] = 1,
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("smile_instagan"),
) -> None:
    """Learn to change mouths."""
    keep_freed_memory()
    if folder is None:
        folder = out / "faces"
        generator = stylegan2.load("mobile-ffhq")
        render = Renderer(generator, generator.resolutions[0])
        detector = face_finding.load("dlib68")
        recipe = LatentPairs(render, load_direction("smile"), -1.5, 2.5, scorers.load_scorer("fer"), detector=detector)
        make_latent_pairs(recipe, SetSettings("instances", faces, size), folder)

    config = InstaGAN.configure(size, base_channels)
    training = InstaGAN.open_folder(folder, "train", config, Augmentation.for_resolution(size)).source
    held_out = InstaGAN.open_folder(folder, "test", config, Augmentation.none(size)).source
    settings = TrainingSettings(epochs, batch_size=batch)
    train(config, training, settings, out / "training", held_out)
    print(f"neutral, mask, smiling, mask; smiling, mask, neutral, mask: {out / 'training' / 'samples'}")


if __name__ == "__main__":
    run(main)
