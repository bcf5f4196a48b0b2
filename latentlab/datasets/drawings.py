"""Pairs of a line drawing and the image that it was drawn from."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import torch

from latentlab import images
from latentlab.datasets.manifest import centre_square, claim_folder, part_of
from latentlab.datasets.pencil import Pencil, reduce_drawing
from latentlab.datasets.sources import NamedImages
from latentlab.progress import Stage, stage_of


def make_drawings(
    source: NamedImages,
    out: Path,
    resolution: int,
    pencil: Pencil | None = None,
    held_out: float = 0.1,
    progress: bool | Stage = True,
) -> None:
    """Make pairs drawing | image, side by side, in OUT/train and OUT/test.

    Parameters
    ----------
    source
        Images to draw.
    out
        Folder of the set.
    resolution
        Height and width of drawing and image.
    pencil
        Settings of the drawings.
    held_out
        Share of the images, the last ones, that goes to OUT/test.
    progress
        True for a progress bar, False for none, or a `Stage` of your own.

    Raises
    ------
    UserError
        `out` holds another set, or scikit-image is not installed.
    """
    pencil = Pencil() if pencil is None else pencil
    # Names as in the manifests of earlier versions, whose sets can be continued.
    key = {"kind": "drawings", "size": resolution, "pencil": asdict(pencil), "held_out": held_out}
    claim_folder(out, {**key, "made_from": source.origin, "pictures": source.count})
    training = source.count - round(held_out * source.count)
    with stage_of(progress)("drawing") as step:
        for done, (name, image) in enumerate(source.images):
            path = out / part_of(done, training) / f"{name}.png"
            if not path.exists():
                # Drawn from a larger image, if there is one: at 64² eyes and mouths are too small for an edge detector.
                large = centre_square(image, min(max(resolution, min(image.shape[2:])), 4 * resolution))
                pair = reduce_drawing(pencil.draw(large), resolution), images.resize(large, resolution, resolution)
                images.save_image(torch.cat(pair, dim=3), path)
            step(done + 1, source.count)
