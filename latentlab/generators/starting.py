"""Networks that a training continues from: those of a checkpoint, for fine-tuning."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import stylegan2
from latentlab.errors import UserError
from latentlab.rendering import check_channels
from stylegan2.errors import CheckpointError
from stylegan2.mobile import MobileGenerator
from stylegan2.training.levels import AnyDiscriminator, AnyGenerator
from stylegan2.training.presets import Preset

_BESIDE = "discriminator.safetensors"


@dataclass(frozen=True)
class Start:
    """Networks of a checkpoint.

    Attributes
    ----------
    generator
        The generator.
    discriminator
        The discriminator; None where there is none.
    """

    generator: AnyGenerator
    discriminator: AnyDiscriminator | None


def start_of(name: str) -> Start:
    """Load what a training continues from.

    Parameters
    ----------
    name
        A known name, or a file. The discriminator is in it, or beside it as `discriminator.safetensors`, where
        trainings of this package write it.

    Raises
    ------
    UserError
        The generator is of a kind that cannot be trained here.
    CheckpointError
        The checkpoint cannot be read.
    """
    generator = stylegan2.load(name)
    if isinstance(generator, MobileGenerator):
        raise UserError(f"{name} is a mobile generator, which is distilled from another one and cannot be trained here")
    advice = "train it in Python, by stylegan2.training, without changes of colour"
    check_channels(generator, "training on files", name=name, advice=advice)
    beside = Path(name).parent / _BESIDE
    source = beside if Path(name).exists() and beside.exists() else name
    try:
        return Start(generator, stylegan2.load(source, "D"))
    except CheckpointError:
        return Start(generator, None)


def networks_from(start: Start, preset: Preset) -> tuple[AnyGenerator, AnyDiscriminator]:
    """Networks of a start; if it lacks a discriminator, that is the preset's, with new weights.

    Raises
    ------
    UserError
        Layers of a discriminator that has learnt nothing are to be frozen.
    """
    if start.discriminator is not None:
        return start.generator, start.discriminator
    if preset.settings.freeze:
        raise UserError("there is no discriminator in the checkpoint whose layers could be frozen: leave out --freeze")
    return start.generator, preset.networks()[1]
