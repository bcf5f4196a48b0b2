"""Projection: the latent whose rendering comes nearest to an image, by gradient descent."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from latentlab.batching import Batches
from latentlab.errors import UserError
from latentlab.perceptual import PerceptualDistance, load_perceptual
from latentlab.precision import fast_dtype
from latentlab.progress import Stage, stage_of
from latentlab.projection.adam import Adam
from latentlab.projection.inputs import MaskedImages
from latentlab.projection.latents import check_space, latents_from_ws, w_statistics
from latentlab.projection.losses import Target, losses_of
from latentlab.projection.noise import fresh_maps, standardise_
from latentlab.projection.result import Projection
from latentlab.projection.search import Search
from latentlab.projection.settings import DEFAULTS, ProjectionSettings, ProjectionSpace, Start
from latentlab.projection.starts import starting_points
from latentlab.rendering import Latents, Renderer, noise_maps_in, with_noise_maps
from latentlab.reprs import ShortRepr
from stylegan2.defaults import plain_defaults
from stylegan2.protocol import Generator

SAVE_SECONDS = 30.0


@plain_defaults()
def project(
    images: Tensor | MaskedImages,
    generator: Generator,
    settings: ProjectionSettings | ProjectionSpace = "w+",
    start: Start | Tensor = "auto",
    perceptual: PerceptualDistance | None = None,
    batch_size: int = 1,
    folder: str | Path | None = None,
    progress: bool | Stage = True,
) -> Projection:
    """Find the latents of images.

    Each image is searched for on its own: whatever shares its batch, and whenever the others stop, it takes
    the same steps, to float tolerance. With settings that turn Adam's axes, rounding errors grow: in another batch an
    image is found as closely, at a slightly different latent; with a `batch_size` of 1, at the same.

    Parameters
    ----------
    images
        `(n, 3, h, h)` or, for one, `(3, h, h)`, in [-1, 1], framed like those that the generator was trained on (see
        `latentlab.faces`); `(n, 3, h, w)` where the generator's images are not square.
    generator
        Generator to project into; it is not changed.
    settings
        How to search; the name of a space, 'w', 'w+' or 's', stands for its default settings.
    start
        ws `(n, num_ws, w_dim)`, or how to find them, see `starting_points`.
    perceptual
        Perceptual distance; by default LPIPS with VGG16 on the generator's device, in half precision where that is
        fast. The search renders in its precision, too; the result's distances are of images rendered in full.
    batch_size
        Number of images rendered at once; a CPU gains nothing from more than one. When one is done, the next takes its
        place. Where memory runs out, fewer are rendered at once, with a warning.
    folder
        Folder of the state, one file per image: a stopped run goes on from there to the same result, and
        one that is done is found again. None keeps no state.
    progress
        True for a progress bar, False for none, or a `Stage` of your own, whose step is called with
        (steps done, steps at most, the images' mean LPIPS).

    Returns
    -------
    Projection
        The latents, in the order of `images`.

    Raises
    ------
    UserError
        If images, mask, start and settings do not fit each other or the generator, or if `folder` holds a run
        with other settings.

    See Also
    --------
    Projector : the same search, step by step.
    """
    projector = Projector(images, generator, settings, start, perceptual, batch_size, folder)
    with stage_of(progress)("projecting", "step") as show:
        for step in projector.steps():
            show(step.done, step.total, f"LPIPS {step.distance:.3f}")
    return projector.result()


@dataclass(frozen=True, eq=False, repr=False)
class ProjectionStep(ShortRepr):
    """One step of the images that are searched for at the same time.

    Attributes
    ----------
    images
        Indices of these images; empty where all of them were found done in the folder.
    steps
        Number of steps that each has taken.
    losses, distances
        Loss of each before that step, and the LPIPS in it.
    rendered
        `(b, 3, r, r)`: their renderings before that step.
    done, total
        Steps done, and steps at most, over all images.
    distance
        Mean LPIPS of all images that have begun.
    """

    images: tuple[int, ...]
    steps: tuple[int, ...]
    losses: tuple[float, ...]
    distances: tuple[float, ...]
    rendered: Tensor
    done: int
    total: int
    distance: float


class Projector:
    """A search for the latents of images, step by step; `project` runs it to its end.

    >>> projector = Projector(images, generator, "w+")
    >>> losses = [step.losses for step in projector.steps()]
    >>> projection = projector.result()

    Parameters and errors are those of `project`.
    """

    def __init__(
        self,
        images: Tensor | MaskedImages,
        generator: Generator,
        settings: ProjectionSettings | ProjectionSpace = "w+",
        start: Start | Tensor = "auto",
        perceptual: PerceptualDistance | None = None,
        batch_size: int = 1,
        folder: str | Path | None = None,
    ):
        self.settings = _settings_of(settings)
        check_space(generator, self.settings.space)
        self.generator, self._render = generator, Renderer(generator, generator.resolution)
        self._batches = Batches(batch_size, self._render.size, generator.w_avg.device)
        self._device = generator.w_avg.device
        self._inputs = MaskedImages.for_generator(images, generator).on(self._device)
        if perceptual is None:
            perceptual = load_perceptual("vgg", self._device, fast_dtype(self._device))
        self.perceptual = perceptual
        statistics = w_statistics(generator)
        self._sigma = statistics.sigma
        self._ws = starting_points(
            self._inputs.images, generator, self.perceptual, statistics, start, self.settings.seed
        )
        self._folder = None if folder is None else Path(folder)
        self._done: dict[int, Search] = {}
        self._last: tuple[object, Target] | None = None

    def steps(self) -> Iterator[ProjectionStep]:
        """Search, and yield after every step; states are saved before."""
        waiting, active = [i for i in range(len(self._inputs)) if i not in self._done], dict[int, Search]()
        saved = time.monotonic()
        while waiting or active:
            while waiting and len(active) < self._batches.size:
                image = waiting.pop(0)
                active[image] = self._load(image) or self._new_search(image)
            groups, renderings = list[int](), list[Tensor]()
            for _, group in groupby(sorted(active, key=lambda i: active[i].phase), key=lambda i: active[i].phase):
                members = {i: active[i] for i in group}
                if next(iter(members.values())).current(self.settings) is not None:
                    groups += members
                    renderings += self._take_step(members)
            searches = [active[i] for i in groups]
            finished = {i: search for i, search in active.items() if search.current(self.settings) is None}
            if time.monotonic() - saved > SAVE_SECONDS or (finished and self._folder is not None):
                self._save(active)
                saved = time.monotonic()
            for i in finished:
                self._done[i] = active.pop(i)
            yield self._step(groups, searches, renderings, active)

    def _step(
        self, numbers: list[int], searches: list[Search], renderings: list[Tensor], active: dict[int, Search]
    ) -> ProjectionStep:
        """What the last step did to the images of these `numbers`."""
        steps, begun = self.settings.steps, [*self._done.values(), *active.values()]
        shape = self._inputs.images.shape[1], *self._render.size
        return ProjectionStep(
            images=tuple(numbers),
            steps=tuple(search.steps for search in searches),
            losses=tuple(search.loss for search in searches),
            distances=tuple(search.distance for search in searches),
            rendered=torch.cat(renderings) if renderings else self._ws.new_zeros(0, *shape),
            done=len(self._done) * steps + sum(search.steps for search in active.values()),
            total=len(self._inputs) * steps,
            distance=sum(search.distance for search in begun) / len(begun),
        )

    @torch.no_grad()
    def result(self) -> Projection:
        """Return the latents of all images, with their distances as rendered in full.

        Raises
        ------
        UserError
            If the search is not done.
        """
        if len(self._done) < len(self._inputs):
            raise UserError("the search is not done: take all of its steps first")
        resolution, distances = self.settings.phases[-1].resolution, []
        searches = [self._done[i] for i in sorted(self._done)]
        for i, search in enumerate(searches):
            target = self._target([i], resolution)
            rendered = target.to_size(self._render(search.latents))
            distances.append(self.perceptual(rendered, target.pyramid, target.mask).cpu())
        return Projection(
            latents={name: torch.cat([s.latents[name].cpu() for s in searches]) for name in searches[0].latents},
            settings=self.settings,
            steps=torch.tensor([search.steps for search in searches]),
            distances=torch.cat(distances),
            generator=self.generator.fingerprint,
        )

    def memory(self, image: int) -> dict[str, Adam]:
        """Return Adam's memory of an image by the name of the latent, for searches that start where this one ended.

        Raises
        ------
        UserError
            If its search is not done.
        """
        if image not in self._done:
            raise UserError("the search is not done: take all of its steps first")
        return self._done[image].memory

    # --- one step -------------------------------------------------------------------------------------------

    def _take_step(self, members: dict[int, Search]) -> Iterator[Tensor]:
        """One step of searches that are in the same phase, together or, where memory is short, in parts."""
        numbers = list(members)

        def some(rows: range) -> Tensor:
            return self._descend({i: members[i] for i in numbers[rows.start : rows.stop]})

        return self._batches(range(len(numbers)), some)

    def _descend(self, members: dict[int, Search]) -> Tensor:
        """Take a step of searches by the gradients of their losses; returns the renderings."""
        settings, searches = self.settings, list(members.values())
        phase = settings.phases[searches[0].phase]
        latents = {
            name: torch.cat([s.latents[name] for s in searches]).requires_grad_() for name in searches[0].latents
        }
        noisy = latents | {
            name: latents[name] + torch.cat([self._w_noise(search, latents[name]) for search in searches])
            for name in ("w", "ws")
            if phase.w_noise and name in latents
        }
        with self.perceptual.autocast():
            rendered = self._render(noisy).float()
        target, origin = self._target(list(members), phase.resolution), self._origin(list(members))
        losses, distances = losses_of(rendered, latents, origin, target, self.perceptual, settings, self._sigma)
        gradients = torch.autograd.grad(losses.sum(), list(latents.values()))
        losses, distances = losses.detach(), distances.detach()
        for k, search in enumerate(searches):
            search.descend(settings, {name: g[k : k + 1] for name, g in zip(latents, gradients, strict=True)})
            for value in noise_maps_in(search.latents).values():
                standardise_(value)
            search.advance(settings, float(losses[k]), float(distances[k]))
        return rendered.detach()

    def _w_noise(self, search: Search, like: Tensor) -> Tensor:
        """Noise on the latent of one search, `(1, …)`: it depends on the seed and the step alone."""
        strength = self.settings.phases[search.phase].w_noise_at(search.step) * self._sigma
        rng = torch.Generator().manual_seed((self.settings.seed << 32) + search.steps)
        return strength * torch.randn(1, *like.shape[1:], generator=rng, dtype=torch.float32, device="cpu").to(like)

    def _new_search(self, image: int) -> Search:
        latents = self._origin([image])
        if self.settings.noise_maps == "optimised":
            latents = with_noise_maps(latents, fresh_maps(self.generator, self.settings.seed))
        return Search(latents, self.settings)

    def _origin(self, images: Sequence[int]) -> Latents:
        """The latents from which the images started."""
        return latents_from_ws(self._ws[list(images)], self.generator, self.settings.space)

    def _target(self, images: Sequence[int], resolution: int) -> Target:
        """The images at a resolution; the last ones are kept, since the next step will use the same."""
        key = (tuple(images), resolution)
        if self._last is None or self._last[0] != key:
            self._last = key, Target.of(self._inputs[list(images)], self.perceptual, resolution)
        return self._last[1]

    # --- states in the folder -------------------------------------------------------------------------------

    def _load(self, image: int) -> Search | None:
        """The search of a stopped run, if there is one."""
        path = self._path(image)
        if path is None or not path.exists():
            return None
        search = self._new_search(image)
        search.resume(path, self._key(), self.settings)
        return search

    def _save(self, searches: dict[int, Search]) -> None:
        for image, search in searches.items():
            path = self._path(image)
            if path is not None and search.steps:
                search.save(path, self._key())

    def _path(self, image: int) -> Path | None:
        """File of an image, named by a hash of the image, its mask and its start."""
        if self._folder is None:
            return None
        mask = self._inputs.mask
        parts = [self._inputs.images[image], self._ws[image]] + ([] if mask is None else [mask[image]])
        digest = hashlib.sha256(b"".join(x.float().cpu().numpy().tobytes() for x in parts)).hexdigest()
        return self._folder / f"search-{digest[:16]}.safetensors"

    def _key(self) -> dict[str, Any]:
        """What a stopped search must share with the one that goes on."""
        return {"settings": self.settings.as_dict(), "generator": self.generator.fingerprint}


def _settings_of(settings: ProjectionSettings | ProjectionSpace) -> ProjectionSettings:
    if isinstance(settings, ProjectionSettings):
        return settings
    if settings not in DEFAULTS:
        raise UserError(f"the settings are ProjectionSettings or one of {', '.join(DEFAULTS)}, not {settings!r}")
    return DEFAULTS[settings]
