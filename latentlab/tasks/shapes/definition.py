"""Settings of the shapes task, its presets, and its place on the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from latentlab.comparison.definition import TaskDefinition, without_users
from latentlab.errors import UserError

__all__ = ["BASELINES", "METHODS", "PRESETS", "SHAPES", "ShapesSettings"]

METHODS = ("instagan", "cyclegan", "nothing")
BASELINES = ("nothing",)
_LEAST_SIZE = 64


@dataclass(frozen=True)
class ShapesSettings:
    """The task, and how much each method gets.

    Attributes
    ----------
    size
        Resolution of the images, at least 64: smaller circles and squares are the same few pixels.
    scenes, held_out
        Scenes of each kind to train on; scenes with squares to be judged on.
    most
        Largest number of shapes in a scene, at least one.
    base_channels
        Base channel count (ngf, ndf).
    epochs
        Passes through the training scenes, by method.
    batch_size
        Batch size of both trainings.
    seed
        Random seed.

    Raises
    ------
    UserError
        If a setting is out of its range.
    """

    size: int = field(default=64, metadata={"help": "Resolution of the images.", "min": _LEAST_SIZE})
    scenes: int = field(
        default=200, metadata={"help": "Scenes of each kind to learn from.", "min": 2, "flags": ("--scenes", "--faces")}
    )
    held_out: int = field(default=24, metadata={"help": "Held-out scenes.", "min": 2})
    most: int = 3
    base_channels: int = field(default=16, metadata={"help": "Base channel count (ngf, ndf).", "min": 1})
    epochs: Mapping[str, float] = field(default_factory=lambda: {"instagan": 4, "cyclegan": 4})
    batch_size: int = 1
    seed: int = field(default=0, metadata={"help": "Random seed."})

    def __post_init__(self) -> None:
        if self.size < _LEAST_SIZE:
            raise UserError(f"circles and squares can be told apart at {_LEAST_SIZE} pixels or more, not {self.size}")
        if min(self.scenes, self.held_out, self.most) < 1:
            raise UserError(f"scenes to train on, scenes held out and shapes in them are at least 1, unlike {self}")


PRESETS = {
    "quick": ShapesSettings(),
    "full": ShapesSettings(128, 2000, 100, base_channels=64, epochs={"instagan": 100, "cyclegan": 100}),
}
"""'quick': within 20 minutes on two cores; 'full': for a GPU."""


def _unused(settings: ShapesSettings, inputs: None, names: Sequence[str]) -> dict[str, str]:
    return without_users(names, ("instagan", "cyclegan"), "base_channels", "epoch_scale")


SHAPES = TaskDefinition(
    summary="Turn squares into circles: InstaGAN against CycleGAN where every mask is known.",
    presets=PRESETS,
    methods=METHODS,
    make="latentlab.tasks.shapes.task:make_from_inputs",
    build_methods="latentlab.tasks.shapes.task:shapes_methods",
    baselines=BASELINES,
    unused=_unused,
)
