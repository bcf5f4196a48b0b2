"""Images that training sets are made from: generated faces, and files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from latentlab import images
from latentlab.errors import UserError
from latentlab.files import check_distinct_stems
from latentlab.mapping import ws_of_seeds
from latentlab.rendering import Renderer
from latentlab.reprs import ShortRepr


@dataclass(frozen=True, repr=False)
class NamedImages(ShortRepr):
    """Images with names, read or rendered one after the other.

    Attributes
    ----------
    images
        Pairs of a name and an image `(1, 3, h, w)` in [-1, 1].
    count
        Number of images.
    origin
        Description of where they come from, for the manifest.
    """

    images: Iterable[tuple[str, Tensor]]
    count: int
    origin: str = ""


def generated_images(render: Renderer, seeds: Sequence[int], psi: float = 0.7, origin: str = "") -> NamedImages:
    """Render the images of seeds, named after them."""
    return NamedImages(_rendered(render, seeds, psi), len(seeds), origin)


def images_of_files(paths: Sequence[Path], origin: str = "") -> NamedImages:
    """Read the images in files, named like the files.

    Raises
    ------
    UserError
        If two files have the same stem.
    """
    check_distinct_stems(paths)
    return NamedImages(((path.stem, images.load_image(path)) for path in paths), len(paths), origin)


@torch.no_grad()
def ws_of_seed(render: Renderer, seed: int, psi: float) -> Tensor:
    """Map a seed to the generator's ws, `(1, num_ws, w_dim)`; UserError if it is conditional."""
    classes = render.generator.c_dim
    if classes:
        raise UserError(f"training sets are made by unconditional generators; this one has {classes} classes")
    return ws_of_seeds(render.generator, [seed], psi)


def _rendered(render: Renderer, seeds: Sequence[int], psi: float) -> Iterator[tuple[str, Tensor]]:
    for seed in seeds:
        with torch.no_grad():
            yield f"{seed:06d}", render(ws_of_seed(render, seed, psi)).clamp(-1, 1).cpu()
