"""Latents of a clip, and one generator that is tuned on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from latentlab import cards
from latentlab.errors import UserError
from latentlab.filling import check_fits
from latentlab.pipelines.components import Components
from latentlab.pipelines.videos.settings import VideoEditSettings
from latentlab.pipelines.videos.tracking import Clip
from latentlab.progress import Stage, titled
from latentlab.projection import TuningSettings, WeightDelta, tune
from latentlab.projection.clips import project_clip
from latentlab.reprs import ShortRepr
from stylegan2.protocol import Generator

KIND = cards.Kind("latentlab.clip", 1, "the latents of a clip", "remove it")
_LATENTS, _DELTA = "latents.safetensors", "delta.safetensors"


@dataclass(frozen=True, eq=False, repr=False)
class FilmedFace(ShortRepr):
    """A clip, its latents, and the generator that renders them.

    Attributes
    ----------
    clip
        The clip.
    image
        The face in its middle frame, `(1, 3, h, h)`.
    ws
        `(t, num_ws, w_dim)` on the generator's device.
    generator
        The generator tuned on the clip or, without a tuning, the original.
    distances
        `(t,)`: LPIPS of each frame before the tuning.
    tuned_distances
        LPIPS, before and after, of the frames that the tuning saw; None without one.
    """

    clip: Clip
    image: Tensor
    ws: Tensor
    generator: Generator
    distances: Tensor
    tuned_distances: tuple[Sequence[float], Sequence[float]] | None


def is_done(folder: Path, settings: VideoEditSettings) -> bool:
    """Whether the latents of a clip, and its tuning, are in its folder."""
    return (folder / _LATENTS).exists() and (settings.tuning is None or (folder / _DELTA).exists())


def find_latents(
    clip: Clip,
    crops: Tensor | None,
    components: Components,
    settings: VideoEditSettings,
    folder: Path,
    progress: bool | Stage = True,
) -> FilmedFace:
    """Project a clip and tune the generator on it; what is in its folder already is taken from there.

    Parameters
    ----------
    clip
        The clip.
    crops
        The face in its frames, `(t, 3, h, h)`, as bytes; None where all is done.
    components
        Networks.
    settings
        How they are found.
    folder
        Folder of the clip, where a stopped run resumes.
    progress
        True for a progress bar, False for none, or a `Stage` of your own.

    Raises
    ------
    UserError
        If the search or the tuning fails, or a file in the folder is broken.
    """
    generator, perceptual = components.generator, components.fast_perceptual
    if not (folder / _LATENTS).exists():
        assert crops is not None
        found = project_clip(_floats(crops), generator, perceptual, settings.clip, folder, progress)
        tensors = {"image": crops[[clip.middle]], "ws": found.ws, "distances": found.distances}
        cards.write(folder / _LATENTS, KIND, tensors, {})
    tensors, _ = cards.read(folder / _LATENTS, KIND)
    with cards.guard(folder / _LATENTS, KIND):
        frames, side, w_avg = len(clip), tensors["image"].shape[-1], generator.w_avg
        image = torch.zeros(1, 3, side, side, dtype=torch.uint8)
        shapes = {"ws": w_avg.expand(frames, generator.num_ws, -1), "distances": torch.zeros(frames), "image": image}
        check_fits(tensors, shapes)
    ws, distances, image = tensors["ws"].to(w_avg), tensors["distances"], _floats(tensors["image"])
    if settings.tuning is None:
        return FilmedFace(clip, image, ws, generator, distances, None)
    if not (folder / _DELTA).exists():
        assert crops is not None
        rows = spread_rows(len(clip), settings.tuning_frames)
        recipe = recipe_of(settings.tuning, len(rows), settings.tuning_steps)
        shown = titled(progress, "tuning on the clip")
        tuned = tune(_floats(crops[rows]), ws[rows], generator, perceptual, recipe, folder=folder, progress=shown)
        tuned.delta.save(folder / _DELTA)
    delta = WeightDelta.load(folder / _DELTA)
    before, after = (delta.figures.get(name) for name in ("lpips_before", "lpips"))
    if not isinstance(before, list) or not isinstance(after, list):
        raise UserError(f"{folder / _DELTA} does not say how near the frames are; remove it")
    return FilmedFace(clip, image, ws, delta.apply(generator), distances, (before, after))


def recipe_of(tuning: TuningSettings, frames: int, steps: float) -> TuningSettings:
    """The recipe of a tuning that takes each of so many frames `steps` times; never fewer steps than it has itself."""
    return replace(tuning, steps=max(tuning.steps, round(frames * steps / (tuning.images_per_step or frames))))


def spread_rows(count: int, most: int) -> list[int]:
    """Indices of at most `most` of `count` frames, evenly spaced, the first and the last among them."""
    if count <= most:
        return list(range(count))
    return sorted({round(float(at)) for at in torch.linspace(0, count - 1, most)})


def _floats(crops: Tensor) -> Tensor:
    """Bytes as images in [-1, 1]."""
    return crops.float() / 127.5 - 1
