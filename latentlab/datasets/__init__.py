"""Makers of training sets: drawings, latent pairs, shapes, labelled faces."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from latentlab.datasets.drawings import make_drawings
    from latentlab.datasets.labelled_faces import Domains, LabelledFacesSettings, Labeller, draw_domains
    from latentlab.datasets.labelled_photos import RealFaces, write_photos
    from latentlab.datasets.latent_pairs import LatentPairs, SetSettings, make_latent_pairs
    from latentlab.datasets.manifest import claim_folder
    from latentlab.datasets.pencil import Pencil, reduce_drawing
    from latentlab.datasets.shapes import Scene, ground_of, make_shapes, scene
    from latentlab.datasets.sources import NamedImages, generated_images, images_of_files

__all__ = [
    "Domains",
    "LabelledFacesSettings",
    "Labeller",
    "LatentPairs",
    "NamedImages",
    "Pencil",
    "RealFaces",
    "Scene",
    "SetSettings",
    "claim_folder",
    "draw_domains",
    "generated_images",
    "ground_of",
    "images_of_files",
    "make_drawings",
    "make_latent_pairs",
    "make_shapes",
    "reduce_drawing",
    "scene",
    "write_photos",
]

# They import torch, and latent pairs the whole of faces and scorers.
_LATER = {
    "make_drawings": "drawings",
    **dict.fromkeys(("Domains", "LabelledFacesSettings", "Labeller", "draw_domains"), "labelled_faces"),
    **dict.fromkeys(("RealFaces", "write_photos"), "labelled_photos"),
    **dict.fromkeys(("LatentPairs", "SetSettings", "make_latent_pairs"), "latent_pairs"),
    "claim_folder": "manifest",
    **dict.fromkeys(("Pencil", "reduce_drawing"), "pencil"),
    **dict.fromkeys(("Scene", "ground_of", "make_shapes", "scene"), "shapes"),
    **dict.fromkeys(("NamedImages", "generated_images", "images_of_files"), "sources"),
}


if not TYPE_CHECKING:  # where a type checker sees it, it takes any name for an attribute

    def __getattr__(name: str) -> Any:
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
