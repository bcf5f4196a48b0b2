"""From photos to portraits: aligned, projected and tuned, with what is known about each step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from latentlab import images
from latentlab.errors import UserError
from latentlab.faces import AlignedFace, FaceDetector, align_files
from latentlab.faces.identity import FaceDescriptor
from latentlab.perceptual import PerceptualDistance
from latentlab.pipelines.checks import QualityCheck, check_photo, check_projection
from latentlab.progress import Stage, silent
from latentlab.projection import (
    DEFAULTS,
    Projection,
    ProjectionSettings,
    Start,
    Tuned,
    TuningSettings,
    project,
    tune,
    w_statistics,
)
from latentlab.rendering import Renderer, with_noise_maps
from stylegan2.protocol import Generator

STATE = "state"


@dataclass(frozen=True, eq=False)
class Lab:
    """What works on photos.

    Attributes
    ----------
    generator
        What pictures are projected into.
    detector, descriptor
        What finds faces, and what tells persons apart.
    perceptual
        LPIPS with VGG16, in float32, for what is reported.
    fast
        The same in the type that the hardware is quick in, for what is minimised.
    """

    generator: Generator
    detector: FaceDetector
    descriptor: FaceDescriptor
    perceptual: PerceptualDistance
    fast: PerceptualDistance


@dataclass(frozen=True)
class PhotoSettings:
    """How photos become portraits.

    Attributes
    ----------
    projection
        See `ProjectionSettings`.
    tuning
        See `TuningSettings`; None for none: the generator stays as it is.
    start
        See `starting_points`.
    """

    projection: ProjectionSettings = DEFAULTS["w+"]
    tuning: TuningSettings | None = TuningSettings()
    start: Start = "auto"


@dataclass(frozen=True, eq=False)
class Portrait:
    """A photo and what became of it.

    Attributes
    ----------
    path, photo
        The file, and the upright photo `(1, 3, h, w)`.
    face
        Its largest face; its picture is at the generator's resolution.
    projection
        Of the one picture.
    ws
        `(1, num_ws, w_dim)` on the generator's device; None in space s.
    tuned
        The tuning, or None.
    generator
        What renders it: the tuned generator where there is one.
    rendered
        `(1, 3, r, r)`: what the code looks like.
    before, after
        The pre-check's findings on the photo, and on the projection.
    """

    path: Path
    photo: Tensor
    face: AlignedFace
    projection: Projection
    ws: Tensor | None
    tuned: Tuned | None
    generator: Generator
    rendered: Tensor
    before: list[QualityCheck]
    after: list[QualityCheck]

    @property
    def name(self) -> str:
        """What its files are called."""
        return self.path.stem

    def render(self, ws: Tensor) -> Tensor:
        """The picture `(1, 3, r, r)` of another code `(1, num_ws, w_dim)`, with the portrait's own noise maps."""
        return _render(ws, self.projection, self.generator)


def embed(
    paths: Sequence[Path],
    lab: Lab,
    settings: PhotoSettings,
    folder: Path,
    stage: Stage = silent,
    batch_size: int = 4,
) -> tuple[list[Portrait], list[UserError]]:
    """Portraits of photos; a bad photo is left out and never ends the batch.

    The state of all long work is kept in `folder / "state"`, by the pictures' hashes: a stopped run goes on
    there, and what was done before is found again.

    Returns
    -------
    list of Portrait
        Of the photos with a face, in their order.
    list of UserError
        What is wrong with the others.
    """
    aligned, failures = _aligned(paths, lab, stage)
    if not aligned:
        return [], failures
    crops = torch.cat([face.image for _, face, _ in aligned])
    with stage("projecting", "step") as step:
        projections = project(
            crops,
            lab.generator,
            settings.projection,
            settings.start,
            perceptual=lab.fast,
            batch_size=batch_size,
            folder=folder / STATE,
            progress=step,
        )
    portraits = []
    for k, (path, face, faces) in enumerate(aligned):
        portraits.append(_portrait(path, face, faces, projections[[k]], lab, settings, folder, stage))
    return portraits, failures


def _aligned(
    paths: Sequence[Path], lab: Lab, stage: Stage
) -> tuple[list[tuple[Path, AlignedFace, int]], list[UserError]]:
    """Files with their largest face and how many they have; and what is wrong with the others."""
    aligned, failures = [], []
    with stage("aligning") as step:
        for path, found in align_files(paths, lab.detector, lab.generator.resolution, "all"):
            if isinstance(found, UserError):
                failures.append(found)
            else:
                aligned.append((path, found[0], len(found)))
            step(len(aligned) + len(failures), len(paths))
    return aligned, failures


def _portrait(
    path: Path,
    face: AlignedFace,
    faces: int,
    projection: Projection,
    lab: Lab,
    settings: PhotoSettings,
    folder: Path,
    stage: Stage,
) -> Portrait:
    ws = None if projection.settings.space == "s" else projection.ws(lab.generator)
    tuned, generator = None, lab.generator
    if settings.tuning is not None:
        if ws is None:
            raise UserError("tuning needs codes of w or w+; project into these, or do not tune")
        with stage(f"tuning on {path.name}", "step") as step:
            state = folder / STATE / f"tuning-{path.stem}"
            tuned = tune(
                face.image, ws, generator, lab.fast, settings.tuning, projection.noise(), folder=state, progress=step
            )
        generator = tuned.generator
    rendered = projection.render(generator) if ws is None else _render(ws, projection, generator)
    found = check_photo(face, faces)
    statistics = w_statistics(lab.generator)
    return Portrait(
        path,
        images.load_image(path),
        face,
        projection,
        ws,
        tuned,
        generator,
        rendered,
        found,
        check_projection(face.image, rendered, ws, statistics, lab.perceptual, lab.descriptor, found),
    )


@torch.no_grad()
def _render(ws: Tensor, projection: Projection, generator: Generator) -> Tensor:
    noise = {name: value.to(ws.device) for name, value in projection.noise().items()}
    return Renderer(generator, generator.resolution)(with_noise_maps({"ws": ws}, noise))
