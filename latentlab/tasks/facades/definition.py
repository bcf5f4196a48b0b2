"""Settings of the facades task, its presets, and its place on the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from latentlab.comparison.definition import TaskDefinition, without_users

__all__ = ["FACADES", "METHODS", "PIX2PIX_VARIANTS", "PRESETS", "FacadesInputs", "FacadesSettings"]

PIX2PIX_VARIANTS = {
    "pix2pix": "paper",
    "pix2pix-l1": "l1",
    "pix2pix-cgan": "cgan",
    "encoder-decoder": "encoder-decoder",
    "encoder-decoder-l1": "encoder-decoder-l1",
}
"""Variants of pix2pix by the names of the methods."""
METHODS = (*PIX2PIX_VARIANTS, "cyclegan", "retrieval")


@dataclass(frozen=True)
class FacadesSettings:
    """The task, and how much each method gets.

    Attributes
    ----------
    size
        Resolution of the images, a power of two.
    held_out
        Number of pairs of val/ to judge on, the first ones.
    base_channels
        Base channel count (ngf, ndf).
    epochs
        Passes through the training pairs, by method: 'pix2pix', which holds for its variants too, and 'cyclegan',
        whose samples take about five times as long.
    batch_size
        Batch size of pix2pix; CycleGAN's is 1.
    judge_epochs
        Passes through the training pairs of the judge of layouts.
    seed
        Random seed of the trainings.
    """

    size: int = field(default=64, metadata={"help": "Resolution of the images.", "min": 16})
    held_out: int = field(default=24, metadata={"help": "Held-out pairs.", "min": 2})
    base_channels: int = field(default=32, metadata={"help": "Base channel count (ngf, ndf).", "min": 1})
    epochs: Mapping[str, float] = field(default_factory=lambda: {"pix2pix": 8, "cyclegan": 2})
    batch_size: int = 4
    judge_epochs: float = 20
    seed: int = field(default=0, metadata={"help": "Random seed."})


PRESETS = {
    "quick": FacadesSettings(),
    "full": FacadesSettings(256, 100, 64, {"pix2pix": 200, "cyclegan": 200}, batch_size=1, judge_epochs=60),
}
"""'quick': within 20 minutes on two cores; 'full': the paper's trainings, for a GPU."""


@dataclass(frozen=True)
class FacadesInputs:
    """What the task is given on the command line besides its settings.

    Attributes
    ----------
    folder
        Folder with train/ and val/, pairs of photo (left) and labels (right).
    """

    folder: Path | None = field(
        default=None, metadata={"help": "Folder with train/ and val/: pairs of photo (left) and labels (right)."}
    )


def _unused(settings: FacadesSettings, inputs: FacadesInputs, names: Sequence[str]) -> dict[str, str]:
    return without_users(names, (*PIX2PIX_VARIANTS, "cyclegan"), "base_channels", "epoch_scale", "seed")


FACADES = TaskDefinition(
    summary="Build facades from their labels: pix2pix, its variants without some part, and CycleGAN.",
    presets=PRESETS,
    methods=METHODS,
    make="latentlab.tasks.facades.task:make_from_inputs",
    build_methods="latentlab.tasks.facades.task:facades_methods",
    baselines=("retrieval",),
    inputs=FacadesInputs,
    unused=_unused,
)
