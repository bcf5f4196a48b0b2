"""A face as networks see it: its latents, its images at each edit, and what is measured of them."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor

from latentlab.directions import Direction
from latentlab.editing import move
from latentlab.errors import UserError
from latentlab.images import reduce
from latentlab.pipelines import Components
from latentlab.pipelines.photos import Pasting, Portrait
from latentlab.pipelines.photos.edits import Description
from latentlab.pipelines.photos.pasting import paste
from latentlab.projection import WStatistics
from latentlab.rendering import Latents, Renderer, noise_maps_in, with_noise_maps, ws_in
from latentlab.reprs import ShortRepr
from latentlab.scorers import score_images

Steps = Sequence[tuple[Direction, float]]
"""Directions, and how far to move along each."""

_dlib = threading.Lock()  # its networks keep the image that they describe


@dataclass(frozen=True)
class Figures:
    """What is measured of an edited face.

    Attributes
    ----------
    scores
        Score before and after the edit, by name.
    identity
        Similarity to the face before the edit, see `latentlab.faces.identity`; NaN where it is unknown.
    why_unknown
        Why the identity is unknown; empty where it is known.
    distance
        Distance of ws from w_avg, in sigmas; the mean over the rows. NaN for latents without ws.
    """

    scores: dict[str, tuple[float, float]]
    identity: float
    why_unknown: str
    distance: float


@dataclass(frozen=True, eq=False, repr=False)
class Subject(ShortRepr):
    """A face that is edited.

    Attributes
    ----------
    title
        What it is called.
    latents
        Its latents by name.
    preview, size
        What renders its live preview, and the size that this is reduced to.
    components
        Networks.
    portrait
        Its photo, and how it was projected; None for generated faces.
    """

    title: str
    latents: Latents = field(repr=False)
    preview: Renderer
    size: int
    components: Components
    portrait: Portrait | None = None

    @cached_property
    def before(self) -> Tensor:
        """Its preview before any edit."""
        return self.previewed(())

    @torch.inference_mode()
    def previewed(self, steps: Steps) -> Tensor:
        """Render the edited face small, `(1, 3, h, w)` on the CPU; the latest one is kept, to be measured."""
        key = tuple(steps)
        if (image := self._latest.get(key)) is None:
            image = reduce(self.preview(self.moved(steps)), self.size).clamp(-1, 1).cpu()
            self._latest.clear()
            self._latest[key] = image
        return image

    @cached_property
    def _latest(self) -> dict[Steps, Tensor]:
        return {}

    @torch.inference_mode()
    def full(self, steps: Steps) -> Tensor:
        """Render the whole image `(1, 3, h, w)`: the photo with the edited face in it, where it came from one."""
        crop = self.crop(steps)
        return crop.clamp(-1, 1) if self.portrait is None else paste(self.portrait, crop, Pasting())

    @torch.inference_mode()
    def crop(self, steps: Steps) -> Tensor:
        """Render the edited face at the generator's resolution, `(1, 3, r, r)` on the CPU."""
        generator = self.preview.generator
        return Renderer(generator, generator.resolution)(self.moved(steps)).cpu()

    @torch.inference_mode()
    def moved(self, steps: Steps) -> Latents:
        """The edited latents."""
        return move(self.latents, steps, self.preview.generator)

    @torch.inference_mode()
    def ws(self, steps: Steps) -> Tensor | None:
        """Edited ws `(1, num_ws, w_dim)`, before any style channel is moved; None for latents without ws."""
        in_w = [step for step in steps if step[0].space != "s"]
        return ws_in(self.moved(in_w), self.preview.generator.num_ws)

    def with_ws(self, ws: Tensor) -> Subject:
        """The face of other ws `(1, num_ws, w_dim)`, with the same noise maps."""
        return replace(self, latents=with_noise_maps({"ws": ws}, noise_maps_in(self.latents)))

    @torch.inference_mode()
    def figures(self, steps: Steps, statistics: WStatistics) -> Figures:
        """Measure the preview of an edit.

        Parameters
        ----------
        steps
            The edit.
        statistics
            Mean and spread of w.

        Raises
        ------
        UserError
            If the scorer does not take the image.
        """
        image, names = self.previewed(steps), self.components.scorer.names
        scores = dict(zip(names, zip(self._scores_before, self._scores(image), strict=True), strict=True))
        ws = self.ws(steps)
        away = math.nan if ws is None else float((ws[0] - statistics.mean.to(ws)).norm(dim=1).mean())
        return Figures(scores, *self._identity(image), away / statistics.sigma)

    @cached_property
    def _scores_before(self) -> list[float]:
        return self._scores(self.before)

    def _scores(self, image: Tensor) -> list[float]:
        found: list[float] = score_images(self.components.scorer, image.to(self.components.device))[0].tolist()
        return found

    def _identity(self, image: Tensor) -> tuple[float, str]:
        try:
            with _dlib:
                return self._description.identity(image)
        except UserError as error:  # dlib is installed separately
            return math.nan, str(error)

    @cached_property
    def _description(self) -> Description:
        return Description(self.before, self.components)
