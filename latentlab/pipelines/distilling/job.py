"""From directions to an editor: strips of edited faces, training, a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from latentlab.directions import Direction
from latentlab.directions.teaching import falls_along
from latentlab.errors import UserError
from latentlab.pipelines.components import Components
from latentlab.pipelines.distilling.strips import StripSettings, Taught, make_strips
from latentlab.pipelines.library import scorer_of
from latentlab.progress import Stage
from latentlab.rendering import Renderer
from latentlab.translation.data.transforms import Augmentation
from latentlab.translation.methods.distilled import Distilled, DistilledConfig
from latentlab.translation.training import RunOptions, TrainingSettings, train
from latentlab.translation.training.settings import Precision
from latentlab.translation.translator import Translator

# Scorers see faces at this resolution or near it.
_SCORED = 256
# Training images are this much larger than what is cropped out of them at a random place.
_ENLARGED = 1.05


@dataclass(frozen=True)
class DistilSettings:
    """How an editor is distilled.

    Attributes
    ----------
    strips
        Faces that it learns from.
    method
        Shape of the editor, and weights of the losses.
    training
        Length and speed of the training.
    resolution
        Resolution of the editor, up to that of the faces.
    """

    strips: StripSettings = field(default_factory=StripSettings)
    method: DistilledConfig = field(default_factory=lambda: DistilledConfig.for_resolution(128, 12))
    training: TrainingSettings = field(
        default_factory=lambda: TrainingSettings(
            epochs=14, batch_size=8, learning_rate=2e-3, betas=(0.9, 0.999), ema=0.995
        )
    )
    resolution: int = 128

    def __post_init__(self) -> None:
        if self.resolution > self.strips.resolution:
            raise UserError(
                f"an editor of {self.resolution} pixels learns from faces as large or larger, not of "
                f"{self.strips.resolution}"
            )

    @classmethod
    def for_resolution(cls, resolution: int, base_channels: int = 12) -> DistilSettings:
        """Return the defaults for faces of a resolution.

        Raises
        ------
        UserError
            The editor cannot halve it often enough, or cannot have so many channels.
        """
        method = DistilledConfig.for_resolution(resolution, base_channels)
        if resolution % (1 << method.generator.halvings):
            raise UserError(
                f"an editor works at a multiple of {1 << method.generator.halvings} pixels, not {resolution}"
            )
        return cls(StripSettings(resolution=max(resolution, _SCORED)), method, resolution=resolution)


def taught_by(direction: Direction, components: Components) -> Taught:
    """Return a direction with the score that taught it, as its card says.

    Raises
    ------
    UserError
        The card does not say which score taught it, or the direction does not fit the generator.
    """
    direction.check(components.generator)
    scorer, score = scorer_of(direction)
    own = Components.load(components.generator, scorer)
    own.check_attribute(score)
    return Taught(direction, own.scorer, score)


def renderer_for(components: Components, resolution: int, precision: Precision = "32-true") -> Renderer:
    """Return the generator at its lowest resolution that is below neither that of the faces nor 256 pixels.

    A generator that does not reach 256 pixels is taken at its own resolution. A mixed precision renders in bfloat16.

    Raises
    ------
    UserError
        The faces are larger than the generator's images.
    """
    known = components.plain_generator.resolutions
    if resolution > max(known):
        raise UserError(f"the generator renders {max(known)} pixels at most, and faces of {resolution} are asked for")
    taken = min(r for r in known if r >= min(max(resolution, _SCORED), max(known)))
    return replace(components.renderer(taken), dtype=torch.float32 if precision == "32-true" else torch.bfloat16)


def distil(
    taught: Mapping[str, Taught],
    render: Renderer,
    folder: Path,
    settings: DistilSettings | None = None,
    options: RunOptions | None = None,
    progress: bool | Stage = True,
    strips: Path | None = None,
) -> Translator:
    """Distil directions into an editor; a stopped run resumes.

    Parameters
    ----------
    taught
        Directions by the names of what they edit.
    render
        Generator at a resolution, not below that of the faces.
    folder
        Folder of the training.
    settings
        Faces, network and training; None for the defaults.
    options
        Options of this run that do not change the result.
    progress
        True for progress bars, False for none, or a `Stage` of your own.
    strips
        Folder of the strips, where those made for other editors are used again; None for one in `folder`.

    Returns
    -------
    Translator
        The editor, with what it learnt from in its card.

    Raises
    ------
    UserError
        See `make_strips` and `latentlab.translation.train`.
    """
    settings = settings or DistilSettings()
    size, strips = settings.resolution, folder / "strips" if strips is None else strips
    make_strips(taught, render, settings.strips, strips, progress)
    config = settings.method.for_attributes(tuple(taught))
    # Aligned faces lie nearly alike: cropped out of images larger by as much as pix2pix's they would all be too large.
    placed = Augmentation((size, size), (round(_ENLARGED * size),) * 2)
    source = Distilled.open_folder(strips, "train", config, placed).source
    held_out = None
    if settings.strips.total > settings.strips.faces:
        held_out = Distilled.open_folder(strips, "test", config, Augmentation.none(size)).source
    train(config, source, settings.training, folder, held_out, options=options, progress=progress)
    return _with_card(Translator.load(folder / "translator.safetensors"), taught, render, settings)


def _with_card(
    editor: Translator, taught: Mapping[str, Taught], render: Renderer, settings: DistilSettings
) -> Translator:
    strips = settings.strips
    learnt: dict[str, Any] = {
        name: {
            "direction": one.direction.attribute,
            "method": one.direction.method,
            "score": one.score,
            "reversed": falls_along(one.direction, one.score),
            "low": strips.low,
            "high": strips.high,
        }
        for name, one in taught.items()
    }
    card = {
        "framing": "ffhq",
        "resolution": settings.resolution,
        "learnt": learnt,
        "seed_start": strips.seed_start,
        "psi": strips.psi,
        "generator": render.generator.fingerprint,
    }
    return Translator(editor.networks, {**editor.card, **card})
