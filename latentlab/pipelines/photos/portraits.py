"""From aligned faces to portraits: projected, tuned, and checked again."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from latentlab import images
from latentlab.faces import AlignedFace
from latentlab.faces.identity import why_undescribed
from latentlab.pipelines.checks import QualityCheck, check_projection
from latentlab.pipelines.components import Components
from latentlab.pipelines.photos.aligning import CheckedPhoto, numbered
from latentlab.pipelines.photos.settings import PhotoRecipe, PhotoSettings
from latentlab.progress import Stage, titled
from latentlab.projection import Projection, Tuned, project, tune, w_statistics
from latentlab.projection.deltas import TunedGenerator
from latentlab.rendering import Latents, Renderer, noise_maps_in, with_noise_maps
from latentlab.reprs import ShortRepr
from stylegan2.protocol import Generator

STATE = "state"


@dataclass(frozen=True, eq=False, repr=False)
class Portrait(ShortRepr):
    """A photo, the latent that renders it, and the generator that does so.

    Attributes
    ----------
    path, photo
        The file, and the upright photo `(1, 3, h, w)`.
    face
        Its face, at the generator's resolution.
    projection
        Projection of that face alone.
    ws
        `(1, num_ws, w_dim)` on the generator's device; None in space s.
    tuned
        Result of the tuning, or None.
    generator
        The tuned generator if there is one, or else the original.
    rendered
        `(1, 3, r, r)`: the latent as that generator renders it.
    before, after
        Quality checks of the photo, and of the projection.
    recipe
        How it was projected and tuned.
    number
        Which of the photo's faces it is, from 1, where all are taken; None where one is.
    """

    path: Path
    photo: Tensor = field(repr=False)
    face: AlignedFace
    projection: Projection
    ws: Tensor | None = field(repr=False)
    tuned: Tuned | None = field(repr=False)
    generator: Generator = field(repr=False)
    rendered: Tensor = field(repr=False)
    before: tuple[QualityCheck, ...]
    after: tuple[QualityCheck, ...]
    recipe: PhotoRecipe
    number: int | None = None

    @property
    def name(self) -> str:
        """Name of its folder: that of the photo, and which of several faces it is."""
        return self.path.stem if self.number is None else f"{self.path.stem}-{self.number}"

    @property
    def title(self) -> str:
        """What it is called in messages."""
        return numbered(str(self.path), self.number)

    @property
    def checks(self) -> list[QualityCheck]:
        """All quality checks."""
        return [*self.before, *self.after]

    @property
    def latents(self) -> Latents:
        """Its latent by name, with its own noise maps, on the generator's device."""
        return {name: value.to(self.generator.w_avg.device) for name, value in self.projection.latents.items()}

    def with_ws(self, ws: Tensor) -> Portrait:
        """The portrait with another latent `(1, num_ws, w_dim)`; what was rendered and checked stays as it was."""
        latents = with_noise_maps({"ws": ws}, noise_maps_in(self.projection.latents))
        return replace(self, ws=ws, projection=replace(self.projection, latents=latents))

    def without_generator(self) -> Portrait:
        """What is sent to another process, which has the untuned generator; see `with_generator`."""
        nothing = cast(Generator, None)
        tuned = None if self.tuned is None else replace(self.tuned, generator=cast(TunedGenerator, None))
        return replace(self, generator=nothing, tuned=tuned)

    def with_generator(self, original: Generator) -> Portrait:
        """The portrait that `without_generator` was made of."""
        if self.generator is not None:
            return self
        if self.tuned is None:
            return replace(self, generator=original)
        tuned = replace(self.tuned, generator=self.tuned.delta.apply(original))
        return replace(self, generator=tuned.generator, tuned=tuned)

    @torch.no_grad()
    def render(self, latents: Latents) -> Tensor:
        """Render its latent, edited or not, as `(1, 3, r, r)`."""
        return Renderer(self.generator, self.generator.resolution)(latents)


def project_faces(
    photos: list[CheckedPhoto],
    components: Components,
    settings: PhotoSettings,
    folder: Path,
    progress: bool | Stage = True,
) -> Projection:
    """Project the faces of photos; the state is kept in `folder / "state"`, where a stopped run resumes."""
    return project(
        torch.cat([photo.face.image for photo in photos]),
        components.generator,
        settings.projection,
        settings.start,
        perceptual=components.fast_perceptual,
        batch_size=settings.batch_size,
        folder=folder / STATE,
        progress=progress,
    )


def make_portrait(
    photo: CheckedPhoto,
    projection: Projection,
    components: Components,
    settings: PhotoSettings,
    folder: Path,
    progress: bool | Stage = True,
) -> Portrait:
    """Tune the generator on a projected photo, render it, and check the result.

    Parameters
    ----------
    photo
        The photo.
    projection
        Projection of its face alone.
    components
        Networks; both perceptual distances are used, and the descriptor, where faces are not too small for it.
    settings
        How the generator is tuned on the photo.
    folder
        Folder of the job; the state of the tuning is kept in `state/`, where a stopped run resumes.
    progress
        True for a progress bar, False for none, or a `Stage` of your own.

    Raises
    ------
    UserError
        If the tuning fails.
    """
    face, generator = photo.face, components.generator
    ws = None if projection.settings.space == "s" else projection.ws(generator)
    tuned = None
    if settings.tuning is not None and ws is not None:
        tuned = _tuned(photo, projection, ws, components, settings, folder, progress)
    renders = generator if tuned is None else tuned.generator
    rendered = projection.render(renders) if ws is None else _render(ws, projection, renders)
    after = check_projection(
        face.image,
        rendered,
        ws,
        w_statistics(generator),
        components.perceptual,
        None if why_undescribed(face.image.shape[3]) else components.descriptor,
        photo.checks,
        settings.recipe.steps_left_out,
    )
    return Portrait(
        path=photo.path,
        photo=images.load_image(photo.path),
        face=face,
        projection=projection,
        ws=ws,
        tuned=tuned,
        generator=renders,
        rendered=rendered,
        before=photo.checks,
        after=tuple(after),
        recipe=settings.recipe,
        number=photo.number,
    )


def _tuned(
    photo: CheckedPhoto,
    projection: Projection,
    ws: Tensor,
    components: Components,
    settings: PhotoSettings,
    folder: Path,
    progress: bool | Stage,
) -> Tuned:
    assert settings.tuning is not None
    return tune(
        photo.face.image,
        ws,
        components.generator,
        components.fast_perceptual,
        settings.tuning.for_resolution(components.generator.resolution),
        projection.noise(),
        folder=folder / STATE / f"tuning-{photo.name}",
        progress=titled(progress, f"tuning on {numbered(photo.path.name, photo.number)}"),
    )


@torch.no_grad()
def _render(ws: Tensor, projection: Projection, generator: Generator) -> Tensor:
    noise = {name: value.to(ws.device) for name, value in projection.noise().items()}
    return Renderer(generator, generator.resolution)(with_noise_maps({"ws": ws}, noise))
