"""Metrics of sets of images by name, and the features of the images of a folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from latentlab.errors import UserError
from latentlab.images import load_image, resize
from latentlab.metrics import (
    FID,
    KID,
    Coverage,
    Density,
    FrechetDistance,
    InceptionFeatures,
    KernelDistance,
    Precision,
    Recall,
    VGG16Features,
)
from latentlab.metrics.features import title_of
from latentlab.metrics.set_distance import FeatureSets, SetDistance
from latentlab.pipelines.components import Components
from latentlab.pipelines.metrics.parts import Array, PartStore, Probe, digest_of_files, probe_images
from latentlab.progress import Stage

_OF_VGG: dict[str, type[FeatureSets]] = {
    "precision": Precision,
    "recall": Recall,
    "density": Density,
    "coverage": Coverage,
    "frechet-distance": FrechetDistance,
    "kernel-distance": KernelDistance,
}
_OF_INCEPTION: dict[str, type[FeatureSets]] = {"fid": FID, "kid": KID}
# Distances of thousands of images take seconds: so few resamples give an interval's width to a sixth.
_RESAMPLES = 20

SET_TITLES = {
    "precision": "Precision",
    "recall": "Recall",
    "density": "Density",
    "coverage": "Coverage",
    "frechet-distance": "Fréchet distance",
    "kernel-distance": "Kernel distance",
    "fid": "FID",
    "kid": "KID",
}
"""Titles of the metrics of two sets of images, by name, where they cannot be measured."""


def load_set_metrics(names: Iterable[str], components: Components) -> tuple[dict[str, FeatureSets], dict[str, str]]:
    """Construct metrics of two sets of images, with one feature extractor of each kind.

    Parameters
    ----------
    names
        Names in `SET_TITLES`.
    components
        Networks: the perceptual distance, LPIPS with VGG16, gives features; the others go to the same device.

    Returns
    -------
    dict
        The metrics by name.
    dict
        Why a metric is not available, by name.
    """
    wanted = list(names)
    found: dict[str, FeatureSets] = {}
    unknown: dict[str, str] = {}
    if of_vgg := [name for name in wanted if name in _OF_VGG]:
        vgg = VGG16Features(components.perceptual)
        found |= {name: _OF_VGG[name](vgg) for name in of_vgg}
    if of_inception := [name for name in wanted if name in _OF_INCEPTION]:
        try:
            inception = InceptionFeatures(components.device)
            found |= {name: _OF_INCEPTION[name](inception) for name in of_inception}
        except UserError as error:
            unknown = dict.fromkeys(of_inception, str(error))
    for metric in found.values():
        if isinstance(metric, SetDistance):
            metric.resamples = _RESAMPLES
    return found, unknown


def feature_probes(metrics: Iterable[FeatureSets]) -> dict[str, Probe]:
    """Feature extractors of metrics, by the names under which their features are kept."""
    return {kind_of(metric): metric.features for metric in metrics}


def kind_of(metric: FeatureSets) -> str:
    """Name under which the features of a metric are kept."""
    return f"features-{title_of(metric.features).lower()}"


@torch.inference_mode()
def folder_outputs(
    paths: Sequence[Path], resolution: int, probes: Mapping[str, Probe], store: PartStore, stage: Stage
) -> dict[str, Array]:
    """Apply probes to image files, resized to a resolution: rows `(len(paths), d)` by the names of the probes.

    Raises
    ------
    UserError
        If a file cannot be read, or its image is not square.
    """
    if not probes or not paths:
        return {}
    suffix = f"-{digest_of_files(paths)}-{resolution}"

    def make(part: range, kinds: Sequence[str]) -> Iterator[dict[str, Array]]:
        images = load_square(paths[part.start : part.stop], resolution)
        found = probe_images(images, probes, [kind.removesuffix(suffix) for kind in kinds])
        yield {f"{kind}{suffix}": rows for kind, rows in found.items()}

    with stage(f"images of {paths[0].parent.name}", "image") as step:
        found = store.collect(range(len(paths)), [f"{kind}{suffix}" for kind in probes], make, step)
    return {kind.removesuffix(suffix): rows for kind, rows in found.items()}


def load_square(paths: Sequence[Path], resolution: int) -> Tensor:
    """Load square image files and resize them: `(len(paths), 3, resolution, resolution)`.

    Raises
    ------
    UserError
        If a file cannot be read, or its image is not square.
    """
    found = []
    for path in paths:
        image = load_image(path)
        if image.shape[2] != image.shape[3]:
            raise UserError(
                f"{path} is {image.shape[3]}×{image.shape[2]} pixels; sets of images are compared in square crops, for "
                "faces those of `latentlab align`"
            )
        found.append(resize(image, resolution, resolution))
    return torch.cat(found)
