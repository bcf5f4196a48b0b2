"""Projection: the code whose picture comes nearest to a given one, by gradient descent."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from latentlab import perceptual as lpips
from latentlab.errors import UserError
from latentlab.perceptual import PerceptualDistance
from latentlab.progress import Step
from latentlab.projection.canvas import Canvas, Codes, WStatistics, noise_in, w_statistics, with_noise
from latentlab.projection.losses import Target, losses_of
from latentlab.projection.noise import fresh_maps, standardise_
from latentlab.projection.result import Projection
from latentlab.projection.search import Search
from latentlab.projection.settings import DEFAULTS, ProjectionSettings, Space
from latentlab.projection.starts import Start, starting_points
from stylegan2.protocol import Generator

SAVE_SECONDS = 30.0


@dataclass(frozen=True, eq=False)
class Report:
    """What a callback is told of each step of some pictures.

    Attributes
    ----------
    pictures
        Their numbers.
    steps
        How many steps each has taken.
    losses, distances
        Of each, before that step: the whole loss, and its LPIPS.
    rendered
        `(b, 3, r, r)`: what they looked like.
    """

    pictures: tuple[int, ...]
    steps: tuple[int, ...]
    losses: tuple[float, ...]
    distances: tuple[float, ...]
    rendered: Tensor


def project(
    pictures: Tensor,
    generator: Generator,
    space: Space = "w+",
    settings: ProjectionSettings | None = None,
    start: Start | Tensor = "auto",
    mask: Tensor | None = None,
    perceptual: PerceptualDistance | None = None,
    batch_size: int = 1,
    folder: str | Path | None = None,
    progress: Step | None = None,
    callback: Callable[[Report], object] | None = None,
) -> Projection:
    """Find the codes of pictures.

    Each picture is searched for on its own: whatever shares its batch, and whenever the others stop, it takes
    the same steps, to float tolerance. With settings that turn Adam's axes, rounding errors grow: in other company a
    picture is found as near, at a slightly different code; with a `batch_size` of 1 at the same.

    Parameters
    ----------
    pictures
        `(n, 3, h, h)` in [-1, 1], framed as those that the generator was trained on (see `latentlab.faces`).
    generator
        It is not changed.
    space, settings
        Where to search, and how; the settings are by default those of `DEFAULTS[space]`, and must be of `space`.
    start
        ws `(n, num_ws, w_dim)`, or how to find them, see `starting_points`.
    mask
        `(n or 1, 1, h, h)` in 0 … 1: how much each pixel counts; None for all alike.
    perceptual
        By default LPIPS with VGG16 on the generator's device, in half precision where that is fast. The search
        renders in its precision, too; the result's distances are of pictures rendered in full.
    batch_size
        Pictures rendered at once, which a CPU gains nothing by; as one is done the next takes its place.
    folder
        Where the state is kept, a file a picture: a stopped run goes on from there to the same result, and
        one that is done is found again. None to keep none.
    progress
        Called with (steps done, steps at most, the pictures' mean LPIPS) after every step.
    callback
        Called with a `Report` after every step.

    Returns
    -------
    Projection
        The codes, in the order of `pictures`.

    Raises
    ------
    UserError
        Pictures, mask, start and settings do not fit each other or the generator; `folder` holds a run
        with other settings.
    """
    settings = DEFAULTS[space] if settings is None else settings
    if settings.space != space:
        raise UserError(f"the settings are for space {settings.space}, not {space}")
    canvas = Canvas(generator, settings.space)
    device = generator.w_avg.device
    pictures = pictures.to(device)
    mask = _checked(pictures, mask, device)
    perceptual = lpips.load_perceptual("vgg", device, lpips.fast_dtype(device)) if perceptual is None else perceptual
    statistics = w_statistics(generator)
    ws = starting_points(start, pictures, generator, perceptual, statistics, settings.seed)
    run = _Run(pictures, mask, ws, canvas, perceptual, settings, statistics, callback)
    store = _Store(None if folder is None else Path(folder), run, device)
    found = _search_all(run, store, batch_size, progress)
    return _result(found, run)


def _checked(pictures: Tensor, mask: Tensor | None, device: torch.device) -> Tensor | None:
    """The mask, on the device, for every picture; UserError if it or the pictures are of a wrong shape."""
    if pictures.ndim != 4 or pictures.shape[1] != 3 or pictures.shape[2] != pictures.shape[3] or not len(pictures):
        raise UserError(f"pictures to project are (n, 3, h, h), n at least 1, not {tuple(pictures.shape)}")
    if not pictures.isfinite().all():
        raise UserError("the pictures to project hold numbers that are not finite")
    if mask is None:
        return None
    n, side = len(pictures), pictures.shape[-1]
    if mask.shape not in ((n, 1, side, side), (1, 1, side, side)):
        raise UserError(f"a mask is ({n} or 1, 1, {side}, {side}) for these pictures, not {tuple(mask.shape)}")
    if not (mask.min() >= 0 and mask.max() <= 1) or not mask.flatten(1).any(dim=1).all():
        raise UserError("a mask lies in 0 … 1, and is not 0 everywhere")
    return mask.to(pictures).expand(n, -1, -1, -1)


@dataclass(eq=False)
class _Run:
    """What does not change while the searches go on."""

    pictures: Tensor
    mask: Tensor | None
    ws: Tensor
    canvas: Canvas
    perceptual: PerceptualDistance
    settings: ProjectionSettings
    statistics: WStatistics
    callback: Callable[[Report], object] | None
    _last: tuple[object, Target] | None = field(default=None, init=False)

    def digest(self, picture: int) -> str:
        """What tells the task of a picture from others: a hash of the picture, its mask and its start."""
        inputs = [self.pictures[picture], self.ws[picture]] + ([] if self.mask is None else [self.mask[picture]])
        return hashlib.sha256(b"".join(x.float().cpu().numpy().tobytes() for x in inputs)).hexdigest()

    def key(self) -> dict[str, Any]:
        """What else a stopped search must share with the one that goes on."""
        return {"settings": self.settings.as_dict(), "generator": self.canvas.generator.fingerprint}

    def search(self, picture: int) -> Search:
        """A new search for a picture."""
        codes = self.origin([picture])
        if self.settings.noise_maps == "optimised":
            codes = with_noise(codes, fresh_maps(self.canvas, self.settings.seed))
        return Search(codes, self.settings)

    def origin(self, pictures: Sequence[int]) -> Codes:
        """The codes from which the pictures started."""
        return self.canvas.codes_of(self.ws[list(pictures)])

    def target(self, pictures: Sequence[int], side: int) -> Target:
        """The pictures at a size; the last ones are kept, for the next step will be of the same."""
        key = (tuple(pictures), side)
        if self._last is None or self._last[0] != key:
            rows = list(pictures)
            mask = None if self.mask is None else self.mask[rows]
            self._last = key, Target.of(self.pictures[rows], mask, self.perceptual, side)
        return self._last[1]


@dataclass(frozen=True)
class _Store:
    """Keeps the state of every search in a folder, if there is one."""

    folder: Path | None
    run: _Run
    device: torch.device

    def load(self, picture: int) -> Search | None:
        """The search of a stopped run, if there is one."""
        path = self._path(picture)
        if path is None or not path.exists():
            return None
        return Search.load(path, self.run.key(), self.run.settings, self.device)

    def save(self, searches: dict[int, Search]) -> None:
        """Write searches that have begun."""
        for picture, search in searches.items():
            path = self._path(picture)
            if path is not None and search.steps:
                search.save(path, self.run.key())

    def _path(self, picture: int) -> Path | None:
        return None if self.folder is None else self.folder / f"search-{self.run.digest(picture)[:16]}.safetensors"


def _search_all(run: _Run, store: _Store, batch_size: int, progress: Step | None) -> dict[int, Search]:
    """All searches to their ends, `batch_size` at a time."""
    if batch_size < 1:
        raise UserError(f"batch_size must be 1 at least, not {batch_size}")
    settings, total = run.settings, len(run.pictures) * run.settings.steps
    waiting, active, done = list(range(len(run.pictures))), dict[int, Search](), dict[int, Search]()
    saved = time.monotonic()
    while waiting or active:
        while waiting and len(active) < batch_size:
            picture = waiting.pop(0)
            active[picture] = store.load(picture) or run.search(picture)
        for _, group in groupby(sorted(active, key=lambda i: active[i].phase), key=lambda i: active[i].phase):
            members = {i: active[i] for i in group}
            if next(iter(members.values())).current(settings) is not None:
                _take_step(run, members)
        finished = {i: search for i, search in active.items() if search.current(settings) is None}
        if time.monotonic() - saved > SAVE_SECONDS or (finished and store.folder is not None):
            store.save(active)
            saved = time.monotonic()
        for i in finished:
            done[i] = active.pop(i)
        if progress is not None:
            taken = len(done) * settings.steps + sum(search.steps for search in active.values())
            distances = [search.distance for search in (*done.values(), *active.values())]
            progress(taken, total, f"LPIPS {sum(distances) / len(distances):.3f}")
    return done


def _take_step(run: _Run, members: dict[int, Search]) -> None:
    """One step of searches that are in the same phase: equation (1) of the loss, and Adam."""
    settings = run.settings
    searches = list(members.values())
    phase = settings.phases[searches[0].phase]
    codes = {name: torch.cat([s.codes[name] for s in searches]).requires_grad_() for name in searches[0].codes}
    noisy = codes | {
        name: codes[name] + torch.cat([_w_noise(run, search, codes[name]) for search in searches])
        for name in ("w", "ws")
        if phase.w_noise and name in codes
    }
    with run.perceptual.autocast():
        rendered = run.canvas.render(noisy).float()
    target = run.target(list(members), phase.side)
    losses, distances = losses_of(
        rendered, codes, run.origin(list(members)), target, run.perceptual, settings, run.statistics.sigma
    )
    gradients = torch.autograd.grad(losses.sum(), list(codes.values()))
    losses, distances = losses.detach(), distances.detach()
    for k, search in enumerate(searches):
        search.descend(settings, {name: g[k : k + 1] for name, g in zip(codes, gradients, strict=True)})
        for value in noise_in(search.codes).values():
            standardise_(value)
        search.advance(settings, float(losses[k]), float(distances[k]))
    if run.callback is not None:
        run.callback(
            Report(
                tuple(members),
                tuple(search.steps for search in searches),
                tuple(search.loss for search in searches),
                tuple(search.distance for search in searches),
                rendered.detach(),
            )
        )


def _w_noise(run: _Run, search: Search, like: Tensor) -> Tensor:
    """Noise on the code of one search, `(1, …)`: it depends on the seed and the step alone."""
    strength = run.settings.phases[search.phase].w_noise_at(search.step) * run.statistics.sigma
    rng = torch.Generator().manual_seed((run.settings.seed << 32) + search.steps)
    return strength * torch.randn(1, *like.shape[1:], generator=rng).to(like)


@torch.no_grad()
def _result(found: dict[int, Search], run: _Run) -> Projection:
    """Codes of all pictures, and their distances as rendered in full."""
    side, distances = run.settings.phases[-1].side, []
    for i in sorted(found):
        target = run.target([i], side)
        rendered = target.to_size(run.canvas.render(found[i].codes))
        distances.append(run.perceptual(rendered, target.pyramid, target.mask).cpu())
    searches = [found[i] for i in sorted(found)]
    return Projection(
        codes={name: torch.cat([s.codes[name].cpu() for s in searches]) for name in searches[0].codes},
        settings=run.settings,
        steps=torch.tensor([search.steps for search in searches]),
        distances=torch.cat(distances),
        generator=run.canvas.generator.fingerprint,
    )
