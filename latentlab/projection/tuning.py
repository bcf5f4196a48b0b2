"""Pivotal tuning: the latent of an image stays, the generator's weights move until they render it.

Roich et al. 2021, "Pivotal Tuning for Latent-based Editing of Real Images". The paper changes every weight;
here the change is of low rank by default, so that it is small enough to be kept with the image.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from latentlab.batching import Batches, is_out_of_memory, parts_of
from latentlab.errors import UserError
from latentlab.mapping import check_has_w, check_square, map_any_class
from latentlab.perceptual import PerceptualDistance, masked_mean
from latentlab.progress import Stage, stage_of
from latentlab.projection.deltas import TunedGenerator, WeightDelta, changed_weights
from latentlab.projection.descent import Descent, Store, tunable_weights
from latentlab.projection.drift import Drift, measure_drift
from latentlab.projection.features import features_of, reference_name, residual_name, with_residual
from latentlab.projection.inputs import MaskedImages
from latentlab.projection.losses import Target
from latentlab.projection.settings import TuningSettings
from latentlab.rendering import synthesis_module
from latentlab.reprs import ShortRepr
from stylegan2.defaults import plain_defaults
from stylegan2.protocol import Generator, image_size

T = TypeVar("T")

STATE = "tuning.safetensors"
SAVE_SECONDS = 30.0


@dataclass(frozen=True, eq=False, repr=False)
class Tuned(ShortRepr):
    """Result of a tuning.

    Attributes
    ----------
    delta
        Change of the weights; its figures are those below.
    generator
        The generator with it.
    before, lpips, mse
        `(n,)` each: LPIPS of the images before; LPIPS and MSE (in [-1, 1]) after, with the rounded delta.
    drift
        Drift of other identities.
    steps
        Number of steps taken.
    """

    delta: WeightDelta
    generator: TunedGenerator
    before: Tensor
    lpips: Tensor
    mse: Tensor
    drift: Drift
    steps: int


@plain_defaults()
def tune(
    images: Tensor | MaskedImages,
    ws: Tensor,
    generator: Generator,
    perceptual: PerceptualDistance,
    settings: TuningSettings | None = None,
    noise: Mapping[str, Tensor] | None = None,
    folder: str | Path | None = None,
    progress: bool | Stage = True,
) -> Tuned:
    """Change the generator's weights, in a delta beside it, so that latents render their images.

    Deterministic on a CPU, even across interruptions. The delta is rounded to half precision before its figures
    are taken.

    Parameters
    ----------
    images
        `(n, 3, h, h)` or, for one, `(3, h, h)`, in [-1, 1]: one, or several that share the delta.
    ws
        Latents `(n, num_ws, w_dim)` of the images, the pivots.
    generator
        Generator whose synthesis is a torch module. It is not changed.
    perceptual
        LPIPS, on the generator's device.
    settings
        None for the default; `PTI` for the published recipe.
    noise
        Noise maps `(n, 1, r, r)` of the images by the name of the synthesis network's buffer, as a
        projection gives them; None for the generator's.
    folder
        Folder of the state, so that a run that was stopped goes on when called again with an equal `perceptual`,
        to the same result.
    progress
        True for a progress bar, False for none, or a `Stage` of your own, whose step is called with
        (steps taken, steps at most, the images' largest LPIPS).

    Raises
    ------
    UserError
        If the inputs do not fit each other or the generator, if the loss is not finite, or if `folder` holds
        another run.

    See Also
    --------
    Tuner : the same tuning, step by step.
    """
    tuner = Tuner(images, ws, generator, perceptual, settings, noise, folder=folder)
    with stage_of(progress)("tuning", "step") as show:
        for step in tuner.steps():
            show(step.step, tuner.settings.steps, f"LPIPS {max(step.distances):.3f}")
    return tuner.result()


@dataclass(frozen=True, eq=False)
class TuningStep:
    """One step of a tuning.

    Attributes
    ----------
    step
        Number of steps taken.
    loss
        The whole loss before the step.
    distances
        LPIPS of each image before the step.
    """

    step: int
    loss: float
    distances: tuple[float, ...]


class Tuner:
    """A tuning, step by step; `tune` runs it to its end.

    >>> tuner = Tuner(images, ws, generator, perceptual)
    >>> losses = [step.loss for step in tuner.steps()]
    >>> tuned = tuner.result()

    Parameters and errors are those of `tune`; and `batch_size`, the number of images rendered at once: a matter of
    memory, not of the result. Where memory runs out, fewer are rendered at once, with a warning.
    """

    def __init__(
        self,
        images: Tensor | MaskedImages,
        ws: Tensor,
        generator: Generator,
        perceptual: PerceptualDistance,
        settings: TuningSettings | None = None,
        noise: Mapping[str, Tensor] | None = None,
        batch_size: int = 4,
        folder: str | Path | None = None,
    ):
        self.settings, self.generator, self.perceptual = settings or TuningSettings(), generator, perceptual
        inputs, noise = MaskedImages.for_generator(images, generator), dict(noise or {})
        device = generator.w_avg.device
        self._synthesis, self._originals = _free(generator, self.settings)
        buffers = dict(self._synthesis.named_buffers())
        _check(len(inputs), ws, generator, noise, buffers)
        if self.settings.features is not None and len(inputs) > 1:
            raise UserError(f"features are refined for one image at a time, not for {len(inputs)}")
        digest = _digest(inputs, ws, noise)
        size = batch_size if self.settings.images_per_step is None else 1  # a step then takes some of them
        self._sizes = Batches(size, image_size(generator), device)
        self._images = inputs.on(device)
        self._split()
        self._ws = ws.detach().to(device)
        self._noise = {name: value.detach().to(buffers[name]) for name, value in noise.items()}
        self._feature_size = float(features.square().mean().sqrt()) if len(features := self._features({})) else 1.0
        key = {
            "images, latents, noise or mask": digest,
            "settings": self.settings.as_dict(),
            "generator": generator.fingerprint,
        }
        self._store = Store(None if folder is None else Path(folder) / STATE, key)
        self._before, _ = self._within_memory(partial(self._figures, {}))
        self._state = self._store.load(Descent(self._originals, self.settings, self._feature_size))

    def _split(self) -> None:
        """Split the images into batches."""
        self._batches = [list(rows) for rows in parts_of(len(self._images), self._sizes.size)]
        self._targets: dict[int, Target] = {}

    def _within_memory(self, work: Callable[[], T]) -> T:
        """Return what `work` returns, which is done again over smaller batches where these are too large."""
        while True:
            try:
                return work()
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                failed = str(error)
            self._sizes.shrink(max(map(len, self._batches)), failed)
            self._split()

    def _features(self, weights: Mapping[str, Tensor]) -> Tensor:
        """The features that get a residual, as `weights` render them; empty where none do."""
        resolution = self.settings.features
        if resolution is None:
            return torch.empty(0)
        return features_of(synthesis_module(self.generator), self._ws, resolution, {**weights, **self._noise})

    def steps(self) -> Iterator[TuningStep]:
        """Tune, and yield after every step; states are saved before."""
        state, settings, saved = self._state, self.settings, time.monotonic()
        while state.step < settings.steps:
            loss, distances = self._within_memory(self._gradients)
            if not math.isfinite(loss):
                raise UserError(f"tuning diverged at step {state.step}: take a lower learning rate")
            if max(distances) <= settings.stop_at and settings.images_per_step is None:
                break
            state.descend()
            if time.monotonic() - saved > SAVE_SECONDS:
                self._store.save(state)
                saved = time.monotonic()
            yield TuningStep(state.step, loss, distances)
        self._store.save(state)

    def result(self) -> Tuned:
        """Return the change so far, with figures of what it renders and of its drift."""
        generator, settings, state = self.generator, self.settings, self._state
        bare = self._delta()
        tuned = bare.apply(generator)
        lpips, mse = self._within_memory(partial(self._figures, bare.weights(self._synthesis)))
        seeds, psi = settings.drift_seeds, settings.drift_psi
        drift = measure_drift(generator, tuned, self.perceptual, seeds, psi, settings.resolution)
        figures = {
            "steps": state.step,
            "lpips_before": self._before.tolist(),
            "lpips": lpips.tolist(),
            "mse": mse.tolist(),
            **drift.figures(),
        }
        delta = WeightDelta(bare.tensors, bare.generator, settings.as_dict(), figures)
        return Tuned(delta, TunedGenerator(generator, delta), self._before, lpips, mse, drift, state.step)

    def _delta(self) -> WeightDelta:
        """The change so far; a residual comes with the features that it was found on."""
        tensors, resolution = self._state.values(), self.settings.features
        if resolution is not None:
            own = changed_weights(dict(synthesis_module(self.generator).named_parameters()), tensors)
            tensors[reference_name(resolution)] = self._features(own)
        return WeightDelta(tensors, self.generator.fingerprint)

    @torch.no_grad()
    def _figures(self, weights: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """LPIPS and MSE of all images as rendered with `weights`, `(n,)` each, on the CPU."""
        pairs = [
            _distances(self._rendered(weights, k), self._target(k), self.perceptual) for k in range(len(self._batches))
        ]
        lpips, mse = (torch.cat(values).cpu() for values in zip(*pairs, strict=True))
        return lpips, mse

    def _rendered(self, weights: Mapping[str, Tensor], batch: int) -> Tensor:
        rows = self._batches[batch]
        maps = {name: value[rows] for name, value in self._noise.items()}
        return self._render({**weights, **maps}, self._ws[rows])

    def _target(self, batch: int) -> Target:
        """A batch of the images with their features, which are kept where each step takes all of them."""
        target = self._targets.get(batch)
        if target is None:
            target = Target.of(self._images[self._batches[batch]], self.perceptual, self.settings.resolution)
            if self.settings.images_per_step is None:
                self._targets[batch] = target
        return target

    def _batches_at(self, step: int) -> list[int]:
        """The batches that a step takes: all, or some, so that each has its turn before any has two."""
        n, some = len(self._batches), self.settings.images_per_step
        if some is None or some >= n:
            return list(range(n))
        taken = range(step * some, (step + 1) * some)
        orders = {k // n: np.random.default_rng((self.settings.seed, k // n)).permutation(n) for k in taken}
        return [int(orders[k // n][k % n]) for k in taken]

    def _render(self, replaced: Mapping[str, Tensor], ws: Tensor) -> Tensor:
        images: Tensor = functional_call(self._synthesis, dict(replaced), (ws,), {"noise_mode": "const"})
        return images

    def _gradients(self) -> tuple[float, tuple[float, ...]]:
        """Leave the loss's gradients on the state's tensors; the loss, and the LPIPS of each image that it takes.

        Batches are passed through one after the other and their gradients add up: those of the whole mean.
        """
        state, settings, total = self._state, self.settings, 0.0
        distances: list[float] = []
        state.optimiser.zero_grad()
        batches = self._batches_at(state.step)
        count = sum(len(self._batches[batch]) for batch in batches)
        for batch in batches:
            target = self._target(batch)
            with self.perceptual.autocast():
                rendered = self._rendered(changed_weights(self._originals, state.tensors), batch)
            lpips, mse = _distances(rendered, target, self.perceptual)
            losses = lpips + settings.pixel_weight * mse
            if settings.mesh_weight:
                # Weights learn a weave of twice the mesh's period, and colours of their own; features do not.
                pattern = target.weave(rendered) if settings.weights else target.mesh(rendered)
                losses = losses + settings.mesh_weight * pattern
            total += self._add_gradients(losses.sum() / count)
            distances += lpips.tolist()
        if settings.features is not None and settings.feature_penalty:
            residual = state.tensors[residual_name(settings.features)] / self._feature_size
            total += self._add_gradients(settings.feature_penalty * residual.square().mean())
        if settings.locality_weight:
            weights = changed_weights(self._originals, state.tensors)
            total += self._add_gradients(settings.locality_weight * self._locality(weights, state.step))
        return total, tuple(distances)

    def _add_gradients(self, loss: Tensor) -> float:
        """Add a loss's gradients to those on the state's tensors, and only there; the loss."""
        free = list(self._state.tensors.values())  # the generator's own weights may want gradients too
        torch.autograd.backward(loss, inputs=free)
        return float(loss.detach())

    def _locality(self, weights: Mapping[str, Tensor], step: int) -> Tensor:
        settings = self.settings
        pivot = self._ws[[step % len(self._ws)]]
        ws = neighbour(pivot, self.generator, settings.locality_distance, settings.locality_psi, (settings.seed, step))
        with torch.no_grad():
            target = Target.of(self._render({}, ws), self.perceptual, settings.resolution)
        lpips, mse = _distances(self._render(weights, ws), target, self.perceptual)
        return (lpips + settings.pixel_weight * mse).sum()


def _free(generator: Generator, settings: TuningSettings) -> tuple[nn.Module, dict[str, Tensor]]:
    """The synthesis network, with a residual of features if one is wanted, and what changes in it by name."""
    synthesis = synthesis_module(generator)
    last_block = settings.last_block or generator.resolution <= settings.resolution
    originals = tunable_weights(generator, settings.affines, last_block) if settings.weights else {}
    if settings.features is None:
        return synthesis, originals
    synthesis = with_residual(synthesis, settings.features)
    name = residual_name(settings.features)
    return synthesis, {**originals, name: synthesis.get_parameter(name).detach()}


def neighbour(pivot: Tensor, generator: Generator, distance: float, psi: float, seed: tuple[int, int]) -> Tensor:
    """Move from `pivot (1, num_ws, w_dim)` by `distance` towards a random latent at `psi` (the paper's section 3.2)."""
    z = np.random.default_rng(seed).standard_normal((1, generator.z_dim)).astype(np.float32)
    with torch.no_grad():
        way = map_any_class(generator, torch.from_numpy(z).to(pivot.device), psi, seed[1]) - pivot
        moved: Tensor = pivot + distance * way / way.norm()
    return moved


def _distances(rendered: Tensor, target: Target, perceptual: PerceptualDistance) -> tuple[Tensor, Tensor]:
    """LPIPS and MSE of renderings `(b, 3, r, r)`, `(b,)` each."""
    small = target.to_size(rendered.float())
    mse = masked_mean((small - target.images).square(), target.mask)
    return perceptual(small, target.pyramid, target.mask), mse


def _digest(inputs: MaskedImages, ws: Tensor, noise: Mapping[str, Tensor]) -> str:
    """Hash of all that a tuning is given besides settings and networks."""
    parts: list[Any] = [inputs.images, ws, *(noise[name] for name in sorted(noise))]
    parts += [] if inputs.mask is None else [inputs.mask]
    return hashlib.sha256(b"".join(x.float().cpu().numpy().tobytes() for x in parts)).hexdigest()


def _check(
    n: int, ws: Tensor, generator: Generator, noise: Mapping[str, Tensor], buffers: Mapping[str, Tensor]
) -> None:
    """Raise UserError where latents and noise maps do not fit `n` images or the generator."""
    check_has_w(generator, "tuning")
    check_square(generator, "tuning")
    if ws.shape != (n, generator.num_ws, generator.w_dim):
        raise UserError(f"the latents must be ({n}, {generator.num_ws}, {generator.w_dim}), not {tuple(ws.shape)}")
    if not ws.isfinite().all():
        raise UserError("the latents hold numbers that are not finite")
    for name, value in noise.items():
        if name not in buffers or value.shape != (n, 1, *buffers[name].shape):
            raise UserError(f"the generator has no noise map {name} of the shape {tuple(value.shape)} for {n} images")
