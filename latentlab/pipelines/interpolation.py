"""Animations between keyframes: seeds, latent codes and projected photos, one turning into the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab import images
from latentlab.batching import Batches, BatchSize
from latentlab.errors import UserError
from latentlab.mapping import check_class, check_has_w, check_truncation, latents_of_codes, map_z
from latentlab.pipelines.components import Components
from latentlab.pipelines.keyframes import Keyframe
from latentlab.pipelines.walks import walk_renderer
from latentlab.precision import Precision, check_precision
from latentlab.progress import Stage, Step, stage_of
from latentlab.projection import WeightDelta
from latentlab.projection.mixing import check_features_agree, mixed_delta
from latentlab.rendering import (
    Latents,
    Renderer,
    is_noise_map,
    noise_maps_in,
    rows_of,
    synthesis_module,
    with_noise_maps,
)
from latentlab.samples import check_psi
from latentlab.video import FPS, Frames, check_video, write_video
from stylegan2.protocol import Generator
from stylegan2.sampling import slerp, z_from_seeds

Mode = Literal["linear", "smooth", "spherical"]
FRAMES = 50  # from one keyframe to the next: two seconds


@dataclass(frozen=True)
class InterpolationSettings:
    """How an animation between keyframes is made.

    Attributes
    ----------
    mode
        'linear': straight from one keyframe to the next in W+. 'smooth': through the keyframes along a curve without
        corners in W+, the cubic of Catmull and Rom. 'spherical': between seeds in Z, along great circles (Shoemake
        1985).
    loop
        Whether it goes back from the last keyframe to the first, so that it can be shown again and again.
    frames
        Number of frames in all, at least as many as there are keyframes; None for 50 from each keyframe to the next.
    fps
        Frames per second, see `latentlab.video`.
    resolution
        Height and width of the animation; None for 256, or the generator's own where that is less.
    psi, class_label
        Truncation of seeds, and their class where the generator is conditional.
    batch_size
        Images rendered at once, see `latentlab.batching`.
    precision
        Type that images are rendered in, see `latentlab.precision`.
    cutoff
        Rows of ws of seeds that are truncated, from the first; None for all.

    Raises
    ------
    UserError
        If the mode or the precision is unknown, or psi out of range.
    """

    mode: Mode = "linear"
    loop: bool = False
    frames: int | None = None
    fps: float = FPS
    resolution: int | None = None
    psi: float = 0.7
    class_label: int | None = None
    batch_size: BatchSize = "auto"
    precision: Precision = "float32"
    cutoff: int | None = None

    def __post_init__(self) -> None:
        if self.mode not in get_args(Mode):
            raise UserError(f"the mode is one of {', '.join(get_args(Mode))}, not {self.mode!r}")
        check_psi(self.psi)
        check_precision(self.precision)

    def positions(self, keyframes: int) -> NDArray[np.float64]:
        """Where each frame lies: 0 at the first keyframe, 1 at the second one; evenly spaced.

        Without a loop the last frame is the last keyframe. In a loop it is the one before the first would come again.

        Raises
        ------
        UserError
            If there is only one keyframe, or there are fewer frames than keyframes.
        """
        if keyframes < 2:
            raise UserError(f"an animation goes between two keyframes or more, and {keyframes} is given")
        ways = keyframes if self.loop else keyframes - 1
        frames = FRAMES * ways + (not self.loop) if self.frames is None else self.frames
        if frames < keyframes:
            raise UserError(f"{frames} frames cannot show {keyframes} keyframes; take {keyframes} frames or more")
        return np.arange(frames, dtype=np.float64) * ways / (frames if self.loop else frames - 1)


def interpolate(
    keyframes: Sequence[Keyframe],
    path: str | Path,
    components: Components | None = None,
    settings: InterpolationSettings | None = None,
    progress: bool | Stage = True,
) -> Path:
    """Write an animation in which each keyframe turns into the next one.

    Latents are interpolated and rendered. Between photos on which the generator was tuned, its weights are interpolated
    along with them: at a photo they are those that were tuned on it, at seeds and codes the generator's own. Noise maps
    that were optimised are mixed, too, and keep their size. Every frame covers the same share of the way; the keyframes
    themselves are among the frames where the number of these allows it, as by default.

    Parameters
    ----------
    keyframes
        Two or more, see `latentlab.pipelines.keyframes_of`.
    path
        The file, .gif or .mp4.
    components
        Networks, of which the generator is used; None for the defaults.
    settings
        How it is made; None for the defaults.
    progress
        True for a progress bar, False for none, or a `Stage` of your own.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    UserError
        If keyframes, generator and settings do not go together, 'spherical' is asked for between anything but seeds, or
        the file cannot be written.
    """
    components = Components.load() if components is None else components
    settings = InterpolationSettings() if settings is None else settings
    check_video(path, settings.fps)
    frames = frames_between(keyframes, components, settings)
    with stage_of(progress)("rendering", "frame") as step:
        write_video(_Counted(frames, step), path, settings.fps, frames.batches.size)
    return Path(path)


@torch.inference_mode()
def frames_between(
    keyframes: Sequence[Keyframe], components: Components, settings: InterpolationSettings
) -> RenderedFrames:
    """Frames of the animation that `interpolate` writes, each rendered when it is asked for.

    Parameters and errors are those of `interpolate`.
    """
    positions = settings.positions(len(keyframes))
    _check(keyframes, components, settings)
    generator = components.generator
    shares = frame_shares(positions, len(keyframes), settings.mode, settings.loop)
    renderer, size = walk_renderer(components, settings.resolution, settings.precision)
    if any(keyframe.delta is not None for keyframe in keyframes):
        renderer = components.renderer(precision=settings.precision)  # a preview does not know of tuned weights
    batches = Batches.of(settings.batch_size, renderer)
    if settings.mode == "spherical":
        z = z_from_seeds([keyframe.seed for keyframe in keyframes if keyframe.seed is not None], generator.z_dim)
        between = between_seeds(z.to(generator.w_avg), positions, settings.loop)
        codes = map_z(generator, between, settings.psi, settings.class_label, settings.cutoff)
        return RenderedFrames(
            lambda rows: latents_of_codes(codes[rows], generator), shares, [], renderer, size, batches
        )
    of_seeds = (settings.psi, settings.class_label, settings.cutoff)
    stacked = _stacked([one.latents(generator, *of_seeds) for one in keyframes], generator)
    deltas = [keyframe.delta for keyframe in keyframes]
    return RenderedFrames(lambda rows: _mixed(stacked, shares[rows]), shares, deltas, renderer, size, batches)


def frame_shares(positions: NDArray[np.float64], keyframes: int, mode: Mode, loop: bool) -> NDArray[np.float64]:
    """Share of each keyframe in each frame, `(frames, keyframes)`: a row adds up to 1.

    For 'smooth' they are those of Catmull and Rom's cubic (1974), which has the slope of the chord between the
    neighbours at each keyframe; beyond an end, its keyframe counts once more.
    """
    shares = np.zeros((len(positions), keyframes))
    left = np.minimum(np.floor(positions).astype(int), keyframes - (1 if loop else 2))
    t = positions - left
    if mode == "smooth":
        before, after = -t * (1 - t) ** 2 / 2, -(t**2) * (1 - t) / 2
        weights = {-1: before, 0: 1 + t**2 * (3 * t - 5) / 2, 1: t * (1 + t * (4 - 3 * t)) / 2, 2: after}
    else:
        weights = {0: 1 - t, 1: t}
    for offset, weight in weights.items():
        at = left + offset
        np.add.at(shares, (np.arange(len(t)), at % keyframes if loop else at.clip(0, keyframes - 1)), weight)
    return shares


def between_seeds(z: Tensor, positions: NDArray[np.float64], loop: bool) -> Tensor:
    """Latents `(frames, z_dim)` between `z (keyframes, z_dim)`: on great circles, the length along with the angle."""
    ends = torch.cat([z, z[:1]]) if loop else z
    left = np.minimum(np.floor(positions).astype(int), len(ends) - 2)
    t = torch.from_numpy(positions - left).to(z)[:, None]
    a, b = ends[left], ends[left + 1]
    return slerp(a, b, t) * torch.lerp(a.norm(dim=1, keepdim=True), b.norm(dim=1, keepdim=True), t)


def _check(keyframes: Sequence[Keyframe], components: Components, settings: InterpolationSettings) -> None:
    """Refuse what does not go together, before any frame is rendered."""
    seeds = [keyframe for keyframe in keyframes if keyframe.seed is not None]
    if settings.mode == "spherical" and len(seeds) < len(keyframes):
        other = next(keyframe for keyframe in keyframes if keyframe.seed is None)
        raise UserError(f"spherical goes between seeds, in Z, and {other.title} is a code of W; take linear or smooth")
    if settings.mode != "spherical":
        check_has_w(components.generator, f"the mode {settings.mode} (spherical goes between seeds in Z)")
    if seeds:
        check_class(components.generator, settings.class_label)
        check_truncation(components.generator, settings.psi, settings.cutoff)
    components.check_images()
    for keyframe in keyframes:
        keyframe.check(components.generator)
    check_features_agree([keyframe.delta for keyframe in keyframes if keyframe.delta is not None])


def _stacked(latents: Sequence[Latents], generator: Generator) -> Latents:
    """Latents of all keyframes; where only some have noise maps of their own, others have the generator's."""
    stacked = {"ws": torch.cat([one["ws"] for one in latents])}
    for name in sorted({name for one in latents for name in noise_maps_in(one)}):
        own = synthesis_module(generator).get_buffer(name)[None, None]
        stacked |= with_noise_maps({}, {name: torch.cat([noise_maps_in(one).get(name, own) for one in latents])})
    return stacked


def _mixed(stacked: Latents, shares: NDArray[np.float64]) -> Latents:
    """Latents of frames; noise maps keep their size, or noise would fade between keyframes."""
    mixed = {}
    for name, value in stacked.items():
        weights = torch.from_numpy(shares).to(value)
        mixed[name] = torch.tensordot(weights, value, dims=1)
        if is_noise_map(name):
            size = (weights @ _sizes(value)) / _sizes(mixed[name]).clamp_min(1e-6)
            mixed[name] *= size[:, None, None, None]
    return mixed


def _sizes(maps: Tensor) -> Tensor:
    """Root mean square of each of `maps (b, 1, r, r)`."""
    return maps.square().mean(dim=(1, 2, 3)).sqrt()


class RenderedFrames:
    """Frames that are rendered as they are asked for, see `latentlab.video.Frames`."""

    def __init__(
        self,
        latents_of: Callable[[list[int]], Latents],
        shares: NDArray[np.float64],
        deltas: Sequence[WeightDelta | None],
        renderer: Renderer,
        size: int,
        batches: Batches,
    ) -> None:
        self._latents_of, self._shares, self._deltas = latents_of, shares, deltas
        self._renderer, self._size, self.batches = renderer, size, batches

    def __len__(self) -> int:
        return len(self._shares)

    @torch.inference_mode()
    def __getitem__(self, rows: list[int]) -> Tensor:
        latents = self._latents_of(rows)
        if any(delta is not None for delta in self._deltas):
            each = [self._tuned(row)(rows_of(latents, torch.tensor([k]))) for k, row in enumerate(rows)]
            rendered = torch.cat(each)
        else:
            own = self.batches(range(len(rows)), lambda some: self._renderer(rows_of(latents, torch.tensor(some))))
            rendered = torch.cat(list(own))
        return images.reduce(rendered, self._size).cpu()

    def _tuned(self, row: int) -> Renderer:
        """What renders a frame: the generator with its weights between those of the keyframes."""
        delta = mixed_delta(self._deltas, self._shares[row])
        if delta is None:
            return self._renderer
        return Renderer(delta.apply(self._renderer.generator), self._renderer.resolution)


class _Counted:
    """Frames that say how many of them were rendered."""

    def __init__(self, frames: Frames, step: Step) -> None:
        self._frames, self._step, self._done = frames, step, 0

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, rows: list[int]) -> Tensor:
        rendered = self._frames[rows]
        self._done += len(rows)
        self._step(self._done, len(self))
        return rendered
