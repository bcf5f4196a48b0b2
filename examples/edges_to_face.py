"""Edges to faces with pix2pix: line drawings of faces, and a network that paints them.

    python examples/edges_to_face.py --out edges_to_face
    python examples/edges_to_face.py --pictures FOLDER_OF_FACES --size 256 --width 64 --epochs 200    # a real run

Without a folder of aligned faces it draws generated ones. Writes the pairs to `pairs/`, the training to `training/`
and the translator to `training/translator.safetensors`. As it is it takes about five minutes on two cores.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from torch import Tensor

import stylegan2
from latentlab.cli.errors import told
from latentlab.datasets.making import files_as_pictures, generated_faces, make_drawings
from latentlab.progress import bar
from latentlab.rendering import Renderer
from latentlab.translation.data.folders import images_in
from latentlab.translation.data.sets import open_pairs
from latentlab.translation.data.transforms import Augmentation
from latentlab.translation.methods import paper_config
from latentlab.translation.training import TrainingSettings, train
from stylegan2.memory import keep_freed_memory


def main(
    pictures: Annotated[Path | None, typer.Option(help="A folder of aligned faces.")] = None,
    faces: Annotated[int, typer.Option(help="How many faces are generated without one.")] = 400,
    size: Annotated[int, typer.Option(help="Side of the pictures, a power of two.")] = 64,
    width: Annotated[int, typer.Option(help="Feature maps at the thinnest.")] = 32,
    epochs: Annotated[float, typer.Option(help="Passes through the data.")] = 30,
    batch: Annotated[int, typer.Option(help="Samples a step.")] = 4,
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("edges_to_face"),
) -> None:
    """Learn to paint faces from line drawings."""
    keep_freed_memory()
    if pictures is None:
        generator = stylegan2.load("mobile-ffhq")
        shown: Iterable[tuple[str, Tensor]] = generated_faces(
            Renderer(generator, generator.resolutions[0]), range(600, 600 + faces)
        )
    else:
        paths = images_in(pictures)
        shown, faces = files_as_pictures(paths), len(paths)
    with bar("drawing") as step:
        make_drawings(shown, faces, out / "pairs", size, progress=step)

    training = open_pairs(out / "pairs", "train", Augmentation.of(size)).source
    held_out = open_pairs(out / "pairs", "test", Augmentation(size, size, flip=False)).source
    settings = TrainingSettings(epochs, batch_size=batch)
    with bar("training", "sample") as step:
        train(paper_config("pix2pix", size, width), training, settings, out / "training", held_out, progress=step)
    print(f"drawing, painted, face: {out / 'training' / 'samples'}")


if __name__ == "__main__":
    typer.run(told(main))
