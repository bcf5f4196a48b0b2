"""Pivotal tuning: the code of a picture stays, the generator's weights move until they render it.

Roich et al. 2021, "Pivotal Tuning for Latent-based Editing of Real Images". The paper changes every weight;
here the change is of low rank by default, so that it is small enough to be kept with the picture.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from latentlab.errors import UserError
from latentlab.perceptual import PerceptualDistance, masked_mean
from latentlab.progress import Step
from latentlab.projection.deltas import TunedGenerator, WeightDelta, changed_weights, synthesis_module
from latentlab.projection.descent import Descent, Store, TuningSettings, tunable_weights
from latentlab.projection.drift import Drift, measure_drift
from latentlab.projection.losses import Target
from stylegan2.protocol import Generator

STATE = "tuning.safetensors"
SAVE_SECONDS = 30.0


@dataclass(frozen=True, eq=False)
class TuningReport:
    """What a callback is told after each step.

    Attributes
    ----------
    step
        Steps taken.
    loss
        The whole loss before the step.
    distances
        LPIPS of each picture before the step.
    """

    step: int
    loss: float
    distances: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Tuned:
    """What `tune` returns.

    Attributes
    ----------
    delta
        The change of the weights; its figures are those below.
    generator
        The generator with it.
    before, lpips, mse
        `(n,)` each: LPIPS of the pictures before; LPIPS and MSE (in [-1, 1]) after, with the rounded delta.
    drift
        Of other identities.
    steps
        Steps taken.
    """

    delta: WeightDelta
    generator: TunedGenerator
    before: Tensor
    lpips: Tensor
    mse: Tensor
    drift: Drift
    steps: int


def tune(
    pictures: Tensor,
    ws: Tensor,
    generator: Generator,
    perceptual: PerceptualDistance,
    settings: TuningSettings | None = None,
    noise: Mapping[str, Tensor] | None = None,
    mask: Tensor | None = None,
    batch_size: int = 4,
    folder: str | Path | None = None,
    progress: Step | None = None,
    callback: Callable[[TuningReport], object] | None = None,
) -> Tuned:
    """Change the generator's weights, in a delta beside it, so that codes render their pictures.

    Deterministic on a CPU, also over interruptions. The delta is rounded to half precision before its figures
    are taken.

    Parameters
    ----------
    pictures
        `(n, 3, h, h)` in [-1, 1]: one, or several that share the delta.
    ws
        `(n, num_ws, w_dim)`: their codes, the pivots.
    generator
        Its synthesis must be a torch module. It is not changed.
    perceptual
        LPIPS, on the generator's device.
    settings
        None for the default; `PTI` for the published recipe.
    noise
        The pictures' own noise maps `(n, 1, r, r)` by the name of the synthesis network's buffer, as a
        projection gives them; None for the generator's.
    mask
        `(n or 1, 1, h, h)` in 0 … 1: how much each pixel counts; None for all alike.
    batch_size
        Pictures rendered at once: a matter of memory, not of the result.
    folder
        The state is kept here, so that a run that was stopped goes on when called again with the same `perceptual`,
        to the same result.
    progress
        Called with (steps taken, steps at most, the largest LPIPS in words).
    callback
        Called after each step.

    Raises
    ------
    UserError
        The inputs do not fit each other or the generator, the loss is not finite, or `folder` holds another run.
    """
    settings = TuningSettings() if settings is None else settings
    run = _Run.of(pictures, ws, generator, perceptual, settings, noise, mask, batch_size)
    store = Store(None if folder is None else Path(folder) / STATE, run.key())
    before, _ = run.figures({})
    state = store.load(Descent(run.originals, settings))
    _descend(run, state, store, progress, callback)
    return _result(run, state, before)


def _descend(
    run: _Run,
    state: Descent,
    store: Store,
    progress: Step | None,
    callback: Callable[[TuningReport], object] | None,
) -> None:
    saved = time.monotonic()
    while state.step < run.settings.steps:
        loss, distances = run.gradients(state)
        if not math.isfinite(loss):
            raise UserError(f"tuning diverged at step {state.step}: take a lower learning rate")
        if max(distances) <= run.settings.stop_at:
            break
        state.descend()
        if callback is not None:
            callback(TuningReport(state.step, loss, distances))
        if progress is not None:
            progress(state.step, run.settings.steps, f"LPIPS {max(distances):.3f}")
        if time.monotonic() - saved > SAVE_SECONDS:
            store.save(state)
            saved = time.monotonic()
    store.save(state)


def _result(run: _Run, state: Descent, before: Tensor) -> Tuned:
    generator, settings = run.generator, run.settings
    bare = WeightDelta(state.values(), generator.fingerprint)
    tuned = bare.apply(generator)
    lpips, mse = run.figures(bare.weights(run.synthesis))
    drift = measure_drift(generator, tuned, run.perceptual, settings.drift_seeds, settings.drift_psi, settings.side)
    figures = {
        "steps": state.step,
        "lpips_before": before.tolist(),
        "lpips": lpips.tolist(),
        "mse": mse.tolist(),
        **drift.figures(),
    }
    delta = WeightDelta(bare.tensors, bare.generator, asdict(settings), figures)
    return Tuned(delta, TunedGenerator(generator, delta), before, lpips, mse, drift, state.step)


# --- what does not change while the weights move ------------------------------------------------------------


@dataclass(eq=False)
class _Run:
    """Inputs, networks and settings; pictures go through in `batches` of their numbers."""

    targets: list[Target]
    ws: Tensor
    noise: dict[str, Tensor]
    generator: Generator
    perceptual: PerceptualDistance
    settings: TuningSettings
    batches: list[list[int]]
    digest: str

    @classmethod
    def of(
        cls,
        pictures: Tensor,
        ws: Tensor,
        generator: Generator,
        perceptual: PerceptualDistance,
        settings: TuningSettings,
        noise: Mapping[str, Tensor] | None,
        mask: Tensor | None,
        batch_size: int,
    ) -> _Run:
        """Inputs that fit each other, on the generator's device."""
        buffers = dict(synthesis_module(generator).named_buffers())
        device, noise = generator.w_avg.device, dict(noise or {})
        _check(pictures, ws, generator, noise, mask, buffers)
        if batch_size < 1:
            raise UserError(f"batch_size must be 1 at least, not {batch_size}")
        n = len(pictures)
        batches = [list(range(start, min(start + batch_size, n))) for start in range(0, n, batch_size)]
        inputs = [pictures, ws, *(noise[name] for name in sorted(noise)), *([] if mask is None else [mask])]
        digest = hashlib.sha256(b"".join(x.float().cpu().numpy().tobytes() for x in inputs)).hexdigest()
        masks = None if mask is None else mask.to(device, torch.float32).expand(n, -1, -1, -1)
        return cls(
            [
                Target.of(pictures[rows].to(device), None if masks is None else masks[rows], perceptual, settings.side)
                for rows in batches
            ],
            ws.detach().to(device),
            {name: value.detach().to(buffers[name]) for name, value in noise.items()},
            generator,
            perceptual,
            settings,
            batches,
            digest,
        )

    @property
    def synthesis(self) -> nn.Module:
        """The original network."""
        return synthesis_module(self.generator)

    @property
    def originals(self) -> dict[str, Tensor]:
        """The weights that change, by name."""
        return tunable_weights(self.generator, self.settings.affines)

    def key(self) -> dict[str, Any]:
        """What a stopped run must share with the one that goes on."""
        return {
            "pictures, codes, noise or mask": self.digest,
            "settings": json.loads(json.dumps(asdict(self.settings))),
            "generator": self.generator.fingerprint,
        }

    @torch.no_grad()
    def figures(self, weights: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """LPIPS and MSE of all pictures as rendered with `weights`, `(n,)` each, on the CPU."""
        pairs = [
            _distances(self._rendered(weights, k), target, self.perceptual) for k, target in enumerate(self.targets)
        ]
        lpips, mse = (torch.cat(values).cpu() for values in zip(*pairs, strict=True))
        return lpips, mse

    def _rendered(self, weights: Mapping[str, Tensor], batch: int) -> Tensor:
        rows = self.batches[batch]
        maps = {name: value[rows] for name, value in self.noise.items()}
        return self._render({**weights, **maps}, self.ws[rows])

    def _render(self, replaced: Mapping[str, Tensor], ws: Tensor) -> Tensor:
        return functional_call(self.synthesis, dict(replaced), (ws,), {"noise_mode": "const"})

    def gradients(self, state: Descent) -> tuple[float, tuple[float, ...]]:
        """Leave the loss's gradients on the state's tensors; the loss, and the LPIPS of each picture.

        Batches are passed through one after the other and their gradients add up: those of the whole mean.
        """
        originals, total = self.originals, 0.0
        distances: list[float] = []
        free = list(state.tensors.values())  # and nothing else: the generator's own weights may want gradients too
        state.optimiser.zero_grad()
        for batch in range(len(self.batches)):
            with self.perceptual.autocast():
                rendered = self._rendered(changed_weights(originals, state.tensors), batch)
            lpips, mse = _distances(rendered, self.targets[batch], self.perceptual)
            loss = (lpips + self.settings.pixel_weight * mse).sum() / len(self.ws)
            loss.backward(inputs=free)
            total += float(loss.detach())
            distances += lpips.tolist()
        if self.settings.locality_weight:
            loss = self.settings.locality_weight * self._locality(changed_weights(originals, state.tensors), state.step)
            loss.backward(inputs=free)
            total += float(loss.detach())
        return total, tuple(distances)

    def _locality(self, weights: Mapping[str, Tensor], step: int) -> Tensor:
        settings = self.settings
        pivot = self.ws[[step % len(self.ws)]]
        ws = neighbour(pivot, self.generator, settings.locality_distance, settings.locality_psi, (settings.seed, step))
        with torch.no_grad():
            target = Target.of(self._render({}, ws), None, self.perceptual, settings.side)
        lpips, mse = _distances(self._render(weights, ws), target, self.perceptual)
        return (lpips + settings.pixel_weight * mse).sum()


def neighbour(pivot: Tensor, generator: Generator, distance: float, psi: float, seed: tuple[int, int]) -> Tensor:
    """A code `distance` from `pivot (1, num_ws, w_dim)` towards a random one at `psi` (the paper's section 3.2)."""
    z = np.random.default_rng(seed).standard_normal((1, generator.z_dim)).astype(np.float32)
    with torch.no_grad():
        way = generator.mapping(torch.from_numpy(z).to(pivot.device), psi=psi) - pivot
        return pivot + distance * way / way.norm()


def _distances(rendered: Tensor, target: Target, perceptual: PerceptualDistance) -> tuple[Tensor, Tensor]:
    small = target.to_size(rendered.float())
    mse = masked_mean((small - target.pictures).square(), target.mask)
    return perceptual(small, target.pyramid, target.mask), mse


def _check(
    pictures: Tensor,
    ws: Tensor,
    generator: Generator,
    noise: Mapping[str, Tensor],
    mask: Tensor | None,
    buffers: Mapping[str, Tensor],
) -> None:
    """UserError where the inputs of `tune` do not fit each other or the generator."""
    if pictures.ndim != 4 or pictures.shape[1] != 3 or pictures.shape[2] != pictures.shape[3] or not len(pictures):
        raise UserError(f"pictures to tune on are (n, 3, h, h), n at least 1, not {tuple(pictures.shape)}")
    n, side = len(pictures), pictures.shape[-1]
    if ws.shape != (n, generator.num_ws, generator.w_dim):
        raise UserError(f"the codes must be ({n}, {generator.num_ws}, {generator.w_dim}), not {tuple(ws.shape)}")
    if not (pictures.isfinite().all() and ws.isfinite().all()):
        raise UserError("the pictures to tune on, or their codes, hold numbers that are not finite")
    if mask is not None and mask.shape not in ((n, 1, side, side), (1, 1, side, side)):
        raise UserError(f"a mask is ({n} or 1, 1, {side}, {side}) for these pictures, not {tuple(mask.shape)}")
    if mask is not None and not (mask.min() >= 0 and mask.max() <= 1 and mask.flatten(1).any(dim=1).all()):
        raise UserError("a mask lies in 0 … 1, and is not 0 everywhere")
    for name, value in noise.items():
        if name not in buffers or value.shape != (n, 1, *buffers[name].shape):
            raise UserError(f"the generator has no noise map {name} of the shape {tuple(value.shape)} for {n} pictures")
