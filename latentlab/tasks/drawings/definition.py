"""Settings of the drawings task, its presets, and its place on the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from latentlab.comparison.definition import TaskDefinition, without_users

__all__ = ["DRAWINGS", "METHODS", "PRESETS", "DrawingsInputs", "DrawingsSettings"]

METHODS = ("pix2pix", "retrieval", "projection-of-drawing", "projection-of-face")


@dataclass(frozen=True)
class DrawingsSettings:
    """The task, and how much each method gets.

    Attributes
    ----------
    size
        Resolution of the images, a power of two.
    faces, held_out
        Numbers of generated faces to train on and to hold out; of a folder's faces, the last `held_out` are held out.
    base_channels
        Base channel count (ngf, ndf).
    epochs
        Passes through the training faces, by method.
    batch_size, seed
        Batch size and random seed of the training.
    projection_steps
        Steps of each projection, which takes the longest by far.
    psi, seed_start
        Truncation and first seed of generated faces.
    """

    size: int = field(default=64, metadata={"help": "Resolution of the images.", "min": 16})
    faces: int = field(default=300, metadata={"help": "Generated faces to learn from.", "min": 2})
    held_out: int = field(default=24, metadata={"help": "Held-out faces.", "min": 2})
    base_channels: int = field(default=32, metadata={"help": "Base channel count (ngf, ndf).", "min": 1})
    epochs: Mapping[str, float] = field(default_factory=lambda: {"pix2pix": 25})
    batch_size: int = 4
    seed: int = field(default=0, metadata={"help": "Random seed."})
    projection_steps: int = field(
        default=10, metadata={"help": "Steps of each projection.", "min": 1, "flags": ("--steps",)}
    )
    psi: float = 0.7
    seed_start: int = 600


PRESETS = {
    "quick": DrawingsSettings(),
    "full": DrawingsSettings(
        size=256,
        faces=2000,
        held_out=100,
        base_channels=64,
        epochs={"pix2pix": 200},
        batch_size=1,
        projection_steps=280,
    ),
}
"""'quick': within 20 minutes on two cores; 'full': for a GPU."""


@dataclass(frozen=True)
class DrawingsInputs:
    """What the task is given on the command line besides its settings.

    Attributes
    ----------
    folder
        Folder of aligned faces; None for generated ones.
    network
        Generator, by name or file.
    """

    folder: Path | None = field(default=None, metadata={"help": "Folder of aligned faces; by default generated ones."})
    network: str = field(
        default="mobile-ffhq", metadata={"help": "Generator: a name of `latentlab weights list`, or a checkpoint."}
    )


def _unused(settings: DrawingsSettings, inputs: DrawingsInputs, names: Sequence[str]) -> dict[str, str]:
    projections = ("projection-of-drawing", "projection-of-face")
    return {
        **without_users(names, ("pix2pix",), "base_channels", "epoch_scale", "seed"),
        **without_users(names, projections, "projection_steps"),
        **({} if inputs.folder is None else without_users(names, projections, "network")),
        **({} if inputs.folder is None else {"faces": "with --folder, all of whose faces are used"}),
    }


DRAWINGS = TaskDefinition(
    summary="Paint faces from line drawings: pix2pix against projections into a generator.",
    presets=PRESETS,
    methods=METHODS,
    make="latentlab.tasks.drawings.task:make_from_inputs",
    build_methods="latentlab.tasks.drawings.task:drawings_methods",
    baselines=("retrieval",),
    oracles=("projection-of-face",),
    inputs=DrawingsInputs,
    unused=_unused,
)
