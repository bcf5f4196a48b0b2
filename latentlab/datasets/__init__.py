"""Makers of training sets: drawings, latent pairs, shapes, labelled faces; and a generator with known factors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stylegan2.lazy import lazy_names

if TYPE_CHECKING:
    from latentlab.datasets.drawings import make_drawings
    from latentlab.datasets.known_factors import Factor, KnownFactors, KnownFactorScorer
    from latentlab.datasets.labelled_faces import Domains, LabelledFacesSettings, Labeller, draw_domains
    from latentlab.datasets.labelled_photos import RealFaces, write_photos
    from latentlab.datasets.latent_pairs import LatentPairs, SetSettings, make_latent_pairs
    from latentlab.datasets.manifest import claim_folder
    from latentlab.datasets.pencil import Pencil, reduce_drawing
    from latentlab.datasets.shapes import Scene, ground_of, make_shapes, scene
    from latentlab.datasets.sources import NamedImages, generated_images, images_of_files

__all__ = [
    "Domains",
    "Factor",
    "KnownFactorScorer",
    "KnownFactors",
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

# They import torch, and latent pairs import all of faces and scorers.
if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "drawings": ("make_drawings",),
            "known_factors": ("Factor", "KnownFactorScorer", "KnownFactors"),
            "labelled_faces": ("Domains", "LabelledFacesSettings", "Labeller", "draw_domains"),
            "labelled_photos": ("RealFaces", "write_photos"),
            "latent_pairs": ("LatentPairs", "SetSettings", "make_latent_pairs"),
            "manifest": ("claim_folder",),
            "pencil": ("Pencil", "reduce_drawing"),
            "shapes": ("Scene", "ground_of", "make_shapes", "scene"),
            "sources": ("NamedImages", "generated_images", "images_of_files"),
        },
    )
