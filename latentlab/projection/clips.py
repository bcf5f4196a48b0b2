"""The latents of a clip: frames that follow each other are searched for together, and move smoothly.

Frames that are projected one by one each end somewhere else among the many latents that render them about as well, and
flicker. Here the middle frame is projected in full. From there the search goes outwards, each frame starting where its
neighbour ended, moved as the encoder's guesses move, and keeping what Adam has learnt: the axes of the first search,
the mean squares along them, and the neighbour's mean. Then all frames descend together, and after each sweep over them
a penalty on the second difference in time is taken into account exactly, as Whittaker's smoother does (Eilers 2003, "A
Perfect Smoother").
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from scipy import sparse
from scipy.sparse.linalg import splu
from torch import Tensor

from latentlab import cards
from latentlab.errors import UserError
from latentlab.filling import check_fits
from latentlab.perceptual import PerceptualDistance
from latentlab.progress import Stage, stage_of
from latentlab.projection.adam import SharedAdam
from latentlab.projection.inputs import MaskedImages
from latentlab.projection.latents import w_statistics
from latentlab.projection.losses import Target, losses_of
from latentlab.projection.projector import Projector
from latentlab.projection.search import check_key
from latentlab.projection.settings import DEFAULTS, ProjectionSettings
from latentlab.projection.starts import starting_points
from latentlab.rendering import Renderer
from latentlab.reprs import ShortRepr
from latentlab.schemas import Count
from stylegan2.defaults import plain_defaults
from stylegan2.protocol import Generator

STATE = "clip.safetensors"
SAVE_SECONDS = 30.0
KIND = cards.Kind("latentlab.clip-state", 1, "the state of a stopped projection of a clip", "remove it")

# In the encoder's guesses, what moves faster than two periods a second, at 25 frames a second, is mostly noise.
_GUESSES = 16.0


@dataclass(frozen=True)
class ClipSettings:
    r"""Everything that decides the latents of a clip, except its frames and the networks.

    Attributes
    ----------
    base
        How the middle frame is projected, into w+; its losses are those of all frames.
    steps
        Steps that each frame takes on the way outwards.
    sweeps
        Steps that each frame takes thereafter, together with all others.
    learning_rate
        Adam's learning rate on the way outwards; in the sweeps it falls along a cosine, from half of it.
    smoothness
        After the way outwards, and after each sweep, the latents become those that minimise

        .. math:: \tfrac12 \sum_t \lVert w_t - w'_t \rVert^2
            + \tfrac{\mathrm{smoothness}}{2} \sum_t \lVert w_{t-1} - 2 w_t + w_{t+1} \rVert^2

        where :math:`w'_t` are those of the descent: of a motion of f periods per frame the share
        :math:`1 / (1 + \mathrm{smoothness} \cdot (2 - 2 \cos 2 \pi f)^2)` is left. 0 leaves frames alone.

    Raises
    ------
    UserError
        If they are out of range, or the base is of another space.
    """

    base: ProjectionSettings = replace(DEFAULTS["w+"], mesh_weight=30.0)
    steps: int = 5
    sweeps: int = 4
    learning_rate: float = 0.03
    smoothness: float = 1.0

    def __post_init__(self) -> None:
        if self.base.space != "w+" or self.base.noise_maps != "fixed":
            raise UserError("clips are projected into w+, with fixed noise maps")
        if min(self.steps, self.sweeps) < 0 or not self.learning_rate > 0 or not 0 <= self.smoothness < math.inf:
            raise UserError(
                f"a clip takes 0 steps and sweeps, a positive rate and a smoothness of 0 at least, unlike {self}"
            )

    def rate_at(self, sweep: int) -> float:
        """Learning rate of a sweep, 0 … sweeps − 1."""
        return self.learning_rate * (0.25 + 0.25 * math.cos(math.pi * sweep / self.sweeps))


@dataclass(frozen=True, eq=False, repr=False)
class ClipProjection(ShortRepr):
    """Latents of a clip.

    Attributes
    ----------
    ws
        `(t, num_ws, w_dim)` on the CPU.
    distances
        `(t,)`: LPIPS of each frame at its last step; of the clip's start where there were no sweeps.
    """

    ws: Tensor
    distances: Tensor


@plain_defaults()
def project_clip(
    images: Tensor,
    generator: Generator,
    perceptual: PerceptualDistance,
    settings: ClipSettings | None = None,
    folder: str | Path | None = None,
    progress: bool | Stage = True,
) -> ClipProjection:
    """Find latents of a clip that move smoothly.

    Parameters
    ----------
    images
        Frames `(t, 3, h, h)` in [-1, 1] that follow each other, framed like those that the generator was trained on, at
        the resolution of the base's last phase: more is not seen.
    generator, perceptual
        Networks; see `project`.
    settings
        None for the default.
    folder
        Folder of the state: a stopped run goes on from there to the same result. None keeps no state.
    progress
        True for a progress bar, False for none, or a `Stage` of your own, whose step is called with (steps done, steps
        at most, the frames' mean LPIPS).

    Raises
    ------
    UserError
        If the frames do not fit the generator, or if `folder` holds another run.
    """
    search = _ClipSearch(images, generator, perceptual, settings or ClipSettings(), folder, progress)
    total = search.total
    with stage_of(progress)("projecting the clip", "step") as show:
        for done in search.steps():
            show(done, total, f"LPIPS {float(search.distances.mean()):.3f}")
    return ClipProjection(search.ws.cpu(), search.distances)


@dataclass(frozen=True)
class _Card:
    key: dict[str, Any]
    done: Count
    taken: Count


class _ClipSearch:
    """The joint search, step by step; the middle frame is projected when it is made."""

    def __init__(
        self,
        images: Tensor,
        generator: Generator,
        perceptual: PerceptualDistance,
        settings: ClipSettings,
        folder: str | Path | None,
        progress: bool | Stage,
    ):
        self.settings, self.perceptual = settings, perceptual
        device = generator.w_avg.device
        self._images = MaskedImages.of(images).images.to(device)
        self._render = Renderer(generator, generator.resolution)
        self._resolution = settings.base.phases[-1].resolution
        self._path = None if folder is None else Path(folder) / STATE
        middle, statistics = len(images) // 2, w_statistics(generator)
        self._sigma = statistics.sigma
        projector = Projector(self._images[[middle]], generator, settings.base, perceptual=perceptual, folder=folder)
        with stage_of(progress)("projecting a frame", "step") as show:
            for step in projector.steps():
                show(step.done, step.total, f"LPIPS {step.distance:.3f}")
        base = projector.result()
        guesses = [starting_points(image[None], generator, perceptual, statistics) for image in self._images]
        self._guesses = smoothed(torch.cat(guesses), _GUESSES)
        self.ws = base.ws(generator) + (self._guesses - self._guesses[[middle]])
        self.distances = torch.full((len(images),), float(base.distances[0]))
        self._adam = SharedAdam(self.ws, projector.memory(0)["ws"], int(base.steps[0]))
        self._way, self._done = torch.zeros_like(self.ws), 0
        # Each frame on the way outwards, and the neighbour that it starts from.
        outwards = [*((t, t - 1) for t in range(middle + 1, len(images))), *((t, t + 1) for t in range(middle)[::-1])]
        self._outwards = outwards if settings.steps else []
        self.total = settings.steps * len(self._outwards) + settings.sweeps * len(images)
        self._key: dict[str, Any] = {
            "frames": _digest(self._images),
            "settings": asdict(settings),
            "generator": generator.fingerprint,
        }
        self._load()

    def steps(self) -> Iterator[int]:
        """Take the steps, frame by frame, and yield how many are done; the state is saved before."""
        saved, outwards = time.monotonic(), self.settings.steps * len(self._outwards)
        while self._done < self.total:
            if self._done < outwards:
                self._go_outwards(*divmod(self._done, self.settings.steps))
            else:
                self._sweep(*divmod(self._done - outwards, len(self.ws)))
            self._done += 1
            if self._done == outwards:
                self.ws = smoothed(self.ws, self.settings.smoothness)
            if time.monotonic() - saved > SAVE_SECONDS:
                self._save()
                saved = time.monotonic()
            yield self._done
        self._save()

    def _go_outwards(self, place: int, step: int) -> None:
        """Take a step of a frame that starts from its neighbour."""
        frame, before = self._outwards[place]
        if step == 0:
            self.ws[frame] = self.ws[before] + self._guesses[frame] - self._guesses[before]
            self._adam.inherit(frame, before)
        self.ws[frame] += self._adam.step(frame, self._gradient(frame), self.settings.learning_rate)[0]

    def _sweep(self, sweep: int, frame: int) -> None:
        """Take a step of a frame in a sweep over all, after which they are smoothed."""
        self._way[frame] = self._adam.step(frame, self._gradient(frame), self.settings.rate_at(sweep))[0]
        if frame == len(self.ws) - 1:
            self.ws = smoothed(self.ws + self._way, self.settings.smoothness)

    def _gradient(self, frame: int) -> Tensor:
        """Gradient `(1, num_ws, w_dim)` of a frame's loss."""
        latents = {"ws": self.ws[[frame]].clone().requires_grad_()}
        with self.perceptual.autocast():
            rendered = self._render(latents).float()
        target = Target.of(self._images[[frame]], self.perceptual, self._resolution)
        loss, distance = losses_of(rendered, latents, latents, target, self.perceptual, self.settings.base, self._sigma)
        (gradient,) = torch.autograd.grad(loss.sum(), latents["ws"])
        if not gradient.isfinite().all():
            raise UserError(f"the projection of the clip diverged at step {self._done}: take a lower learning rate")
        self.distances[frame] = float(distance.detach()[0])
        return gradient

    def _save(self) -> None:
        if self._path is None:
            return
        cards.write(
            self._path, KIND, self._tensors(), {"key": self._key, "done": self._done, "taken": self._adam.taken}
        )

    def _tensors(self) -> dict[str, Tensor]:
        tensors = {"ws": self.ws, "way": self._way, "distances": self.distances}
        return tensors | {f"adam.{name}": value for name, value in self._adam.state.items()}

    def _load(self) -> None:
        if self._path is None or not self._path.exists():
            return
        tensors, card = cards.read(self._path, KIND, _Card)
        check_key(self._path, card.key, self._key)
        with cards.guard(self._path, KIND):
            check_fits(tensors, self._tensors())
        self.ws, self._way = (tensors[name].to(self.ws) for name in ("ws", "way"))
        self.distances = tensors["distances"]
        for name, value in self._adam.state.items():
            value.copy_(tensors[f"adam.{name}"])
        self._done, self._adam.taken = card.done, card.taken


def _digest(images: Tensor) -> str:
    """Hash of images, one after the other."""
    digest = hashlib.sha256()
    for image in images:
        digest.update(image.float().cpu().numpy().tobytes())
    return digest.hexdigest()


def smoothed(ws: Tensor, smoothness: float) -> Tensor:
    """Smooth latents `(t, …)` over time as `ClipSettings` says; constant speeds are left as they are."""
    count = len(ws)
    if count < 3 or not smoothness:
        return ws
    second = sparse.diags_array([1.0, -2.0, 1.0], offsets=[0, 1, 2], shape=(count - 2, count))
    system = sparse.eye_array(count) + smoothness * (second.T @ second)
    flat = ws.detach().reshape(count, -1).double().cpu().numpy()
    return torch.from_numpy(splu(system.tocsc()).solve(flat)).to(ws).reshape(ws.shape)
