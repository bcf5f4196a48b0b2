"""The task of squares and circles: every mask is known, so that success is counted and no network judges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from latentlab.comparison.protocol import Columns, Figure, Method
from latentlab.comparison.run import digest
from latentlab.datasets.shapes import ground_of, make_shapes
from latentlab.errors import UserError
from latentlab.metrics import Interval
from latentlab.metrics.shapes import circle_of, judge_scene, shapes_of
from latentlab.progress import Stage, silent
from latentlab.tasks.baselines import Nothing
from latentlab.tasks.building import chosen, fingerprint, made_once
from latentlab.tasks.trained import Trained
from latentlab.translation.data.folders import images_in, masked_in
from latentlab.translation.data.sets import open_unpaired
from latentlab.translation.data.transforms import Augmentation
from latentlab.translation.methods import CycleGANConfig, InstaGANConfig

SHAPES_METHODS = ("instagan", "cyclegan", "nothing")
SHAPES_FLOORS = ("nothing",)
"""Those that are no contestants."""
FIGURES = (
    Figure("changed", "squares that became circles", "more"),
    Figure("circle_iou", "overlap with the circle that should be there", "more"),
    Figure("colour", "change of the shapes' colours", "less"),
    Figure("size", "change of their areas", "less"),
    Figure("ground", "change of the ground", "less"),
)
_LEAST_SIDE = 64


@dataclass(frozen=True)
class ShapesSettings:
    """The task, and how much each method gets.

    Attributes
    ----------
    size
        Side of the pictures, 64 at least: smaller circles and squares are the same few pixels.
    scenes, held_out
        Of each kind to train on; scenes with squares to be judged on.
    most
        Shapes in a scene, one at least.
    width
        Feature maps at the thinnest.
    epochs
        Passes through the training scenes, by method.
    batch_size
        Of both trainings.
    seed
        Of all that is random.
    """

    size: int = 64
    scenes: int = 200
    held_out: int = 24
    most: int = 3
    width: int = 16
    epochs: Mapping[str, float] = field(default_factory=lambda: {"instagan": 4, "cyclegan": 4})
    batch_size: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        if self.size < _LEAST_SIDE:
            raise UserError(f"circles and squares can be told apart from {_LEAST_SIDE} pixels a side, not {self.size}")
        if min(self.scenes, self.held_out, self.most) < 1:
            raise UserError(f"scenes to train on, scenes held out and shapes in them are 1 at least, unlike {self}")


SHAPES_PRESETS = {
    "quick": ShapesSettings(),
    "full": ShapesSettings(128, 2000, 100, width=64, epochs={"instagan": 100, "cyclegan": 100}),
}
"""'quick': within 20 minutes on two cores; 'full': for a GPU."""


class ShapesTask:
    """Scenes with squares that are to become circles; see `Task`.

    Parameters
    ----------
    settings
        What was asked for.
    folder
        Of the comparison.
    scenes
        The set, as `make_shapes` writes it; scenes of testA are held out.
    place
        See `Task`.

    Attributes
    ----------
    settings, scenes, place
        As given.
    masks
        Of the held-out squares, `(1, k, size, size)` in {-1, 1} each.
    """

    def __init__(self, settings: ShapesSettings, folder: Path, scenes: Path, place: torch.device):
        self.settings, self.folder, self.scenes, self.place = settings, folder, scenes, place
        self.size = settings.size
        held_out = masked_in(scenes / "testA", "error").files
        self.names: Sequence[str] = held_out.names
        self.masks = [held_out.masks(k) for k in range(len(self.names))]
        self._pictures = torch.cat([held_out.image(k) for k in range(len(self.names))])
        self.title = f"Making circles of the squares in {len(self.names)} scenes"
        self.figures: Sequence[Figure] = FIGURES
        self.training_key: Mapping[str, Any] = _key(scenes, "trainA", "trainA_seg", "trainB", "trainB_seg")
        self.held_out_key: Mapping[str, Any] = _key(scenes, "testA", "testA_seg")
        self.limits = (
            "The scenes are drawn, plain shapes on a known ground: they tell whether a method can change the shape of "
            "instances, and nothing of photos. InstaGAN is given the true masks of the squares. Each method was "
            "trained once: intervals are over scenes, 95 %."
        )

    def inputs(self) -> Tensor:
        """See `Task`."""
        return self._pictures

    def shown(self) -> Tensor:
        """See `Task`."""
        return self._pictures

    def truth(self) -> Tensor:
        """Every square replaced by the circle of its area, middle and colour."""
        return torch.cat([_rounded(x, m[0]) for x, m in zip(self._pictures.split(1), self.masks, strict=True)])

    def measure(self, made: Tensor) -> Columns:
        """See `judge_scene`."""
        scenes, ground = zip(self._pictures, made.cpu(), self.masks, strict=True), ground_of(self.size)
        judged = [judge_scene(before, after, masks[0], ground) for before, after, masks in scenes]
        return {figure.name: np.array([one[figure.name] for one in judged]) for figure in self.figures}

    def over_all(self, made: Tensor) -> dict[str, Interval]:
        """Nothing: every scene can be judged alone."""
        return {}


def _key(scenes: Path, *parts: str) -> dict[str, str]:
    return {part: fingerprint(images_in(scenes / part)) for part in parts}


def _rounded(picture: Tensor, masks: Tensor) -> Tensor:
    """`picture (1, 3, h, w)` with circles for the squares of `masks (k, h, w)`."""
    made = torch.where((masks > 0).any(dim=0), ground_of(picture.shape[3]), picture)
    for mask in masks > 0:
        colour = picture[:, :, mask].mean(dim=2)[..., None, None]
        made = torch.where(torch.from_numpy(circle_of(mask.numpy())), colour, made)
    return made


def true_masks(pictures: Tensor) -> list[Tensor | None]:
    """The masks of the shapes in scenes `(n, 3, h, h)`: of each `(1, k, h, h)` in {-1, 1}, None if it has none.

    Scenes are plain, and their shapes do not touch: found are the very masks that they were drawn with.
    """
    found = []
    for picture in pictures:
        masks = [torch.from_numpy(region) for region in shapes_of(picture, ground_of(picture.shape[2]))]
        found.append(torch.where(torch.stack(masks), 1.0, -1.0)[None] if masks else None)
    return found


def make_shapes_task(
    settings: ShapesSettings, folder: Path, stage: Stage = silent, place: torch.device | str = "cpu"
) -> ShapesTask:
    """Draw the scenes of a comparison in `folder`, or find them there; its networks are to work in `place`.

    Raises
    ------
    UserError
        They cannot be written.
    """
    key = {name: getattr(settings, name) for name in ("size", "scenes", "held_out", "most", "seed")}
    scenes = folder / f"scenes-{digest(key)}"

    def make() -> None:
        with stage("drawing scenes") as step:
            share = settings.held_out / settings.scenes
            make_shapes(settings.scenes, scenes, settings.size, settings.most, settings.seed, share, step)

    made_once(scenes, make)
    return ShapesTask(settings, folder, scenes, torch.device(place))


def shapes_methods(task: ShapesTask, names: Sequence[str] = SHAPES_METHODS) -> list[Method]:
    """The methods of those names: 'instagan', 'cyclegan', 'nothing'.

    Raises
    ------
    UserError
        There is no such method.
    """
    settings, augmentation = task.settings, Augmentation.for_resolution(task.size)
    instagan = InstaGANConfig.for_resolution(task.size, settings.width)
    cyclegan = CycleGANConfig.for_resolution(task.size, settings.width)
    return chosen(
        {
            "instagan": lambda: Trained(
                "instagan",
                instagan,
                lambda stage: open_unpaired(task.scenes, "train", augmentation, instagan.instances).source,
                settings.epochs["instagan"],
                settings.batch_size,
                settings.seed,
                to_masks=true_masks,
            ),
            "cyclegan": lambda: Trained(
                "cyclegan",
                cyclegan,
                lambda stage: open_unpaired(task.scenes, "train", augmentation).source,
                settings.epochs["cyclegan"],
                settings.batch_size,
                settings.seed,
            ),
            "nothing": Nothing,
        },
        names,
    )
