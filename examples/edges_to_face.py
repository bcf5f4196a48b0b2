"""Edges to faces with pix2pix: line drawings of faces, and a network that paints them.

    python examples/edges_to_face.py --out edges_to_face
    python examples/edges_to_face.py --images FOLDER_OF_FACES --size 256 --base-channels 64 --epochs 200    # a real run

Without a folder of aligned faces it uses generated ones. Writes the pairs to `pairs/`, the training to `training/`
and the translator to `training/translator.safetensors`. With the defaults it takes about five minutes on two cores.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import stylegan2
from latentlab.cli.errors import run
from latentlab.datasets import generated_images, images_of_files, make_drawings
from latentlab.files import images_in
from latentlab.rendering import Renderer
from latentlab.translation import Augmentation, Pix2Pix, TrainingSettings, train
from stylegan2.memory import keep_freed_memory


def main(
    images: Annotated[Path | None, typer.Option(help="A folder of aligned faces.")] = None,
    faces: Annotated[int, typer.Option(help="Number of faces that are generated without one.")] = 400,
    size: Annotated[int, typer.Option(help="Resolution of the images, a power of two.")] = 64,
    base_channels: Annotated[int, typer.Option(help="Base channel count (ngf, ndf).")] = 32,
    epochs: Annotated[float, typer.Option(help="Passes through the data.")] = 30,
    batch: Annotated[int, typer.Option(help="Samples per step.")] = 4,
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("edges_to_face"),
) -> None:
    """Learn to paint faces from line drawings."""
    keep_freed_memory()
    if images is None:
        generator = stylegan2.load("mobile-ffhq")
        source = generated_images(Renderer(generator, generator.resolutions[0]), range(600, 600 + faces))
    else:
        source = images_of_files(images_in(images))
    make_drawings(source, out / "pairs", size)

    config = Pix2Pix.configure(size, base_channels)
    training = Pix2Pix.open_folder(out / "pairs", "train", config, Augmentation.for_resolution(size)).source
    held_out = Pix2Pix.open_folder(out / "pairs", "test", config, Augmentation.none(size)).source
    settings = TrainingSettings(epochs, batch_size=batch)
    train(config, training, settings, out / "training", held_out)
    print(f"drawing, painted, face: {out / 'training' / 'samples'}")


if __name__ == "__main__":
    run(main)
