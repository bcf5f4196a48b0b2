"""The shapes task: scenes with squares that are to become circles."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from latentlab.comparison.caching import digest, files_digest, made_once
from latentlab.comparison.definition import Job, choose_methods
from latentlab.comparison.protocol import Columns, Measure, Method
from latentlab.datasets.shapes import ground_of, make_shapes
from latentlab.devices import find_device
from latentlab.files import images_in
from latentlab.metrics import Interval
from latentlab.progress import Stage
from latentlab.tasks.baselines import Nothing
from latentlab.tasks.shapes.definition import METHODS, ShapesSettings
from latentlab.tasks.shapes.judging import circle_of, judge_scene, shapes_of
from latentlab.tasks.trained import Trained
from latentlab.translation.data.folders import Reading, masked_in
from latentlab.translation.data.sources import Source
from latentlab.translation.data.transforms import Augmentation
from latentlab.translation.methods import load_method

MEASURES = (
    Measure("changed", "squares that became circles", "more"),
    Measure("circle_iou", "overlap with the circle that should be there", "more"),
    Measure("colour", "change of the shapes' colours", "less", unknown="no shape is left"),
    Measure("size", "change of their areas", "less"),
    Measure("ground", "change of the ground", "less", unknown="shapes cover the whole ground"),
)


class ShapesTask:
    """Scenes with squares that are to become circles; see `Task`.

    Parameters
    ----------
    settings
        What is asked for.
    folder
        Folder of the comparison.
    scenes
        Folder of the set, as `make_shapes` writes it; scenes of testA are held out.
    device
        See `Task`.

    Attributes
    ----------
    settings, scenes, device
        As given.
    masks
        Masks of the squares in each held-out scene, `(1, k, size, size)` in {-1, 1}.
    """

    def __init__(self, settings: ShapesSettings, folder: Path, scenes: Path, device: torch.device) -> None:
        self.settings, self.folder, self.scenes, self.device = settings, folder, scenes, device
        self.size = settings.size
        held_out = masked_in(scenes / "testA", Reading()).files
        self.names: Sequence[str] = held_out.names
        self.labels = [f"scene {int(name)}" for name in self.names]
        self.masks = [held_out.masks(k) for k in range(len(self.names))]
        self._images = torch.cat([held_out.image(k) for k in range(len(self.names))])
        self.title = f"Turning the squares in {len(self.names)} scenes into circles"
        self.measures: Sequence[Measure] = MEASURES
        self.training_key: Mapping[str, Any] = _key(scenes, "trainA", "trainA_seg", "trainB", "trainB_seg")
        self.held_out_key: Mapping[str, Any] = _key(scenes, "testA", "testA_seg")
        self.limits = (
            "The scenes are drawn, plain shapes on a known ground: they tell whether a method can change the shape of "
            "instances, and nothing about photos. InstaGAN is given the true masks of the squares. Each method was "
            "trained once: intervals are over scenes, 95 %."
        )

    def inputs(self) -> Tensor:
        """See `Task`."""
        return self._images

    def shown(self) -> Tensor:
        """See `Task`."""
        return self._images

    def truth(self) -> Tensor:
        """See `Task`: every square replaced by the circle of its area, centroid and colour."""
        return torch.cat([_rounded(x, m[0]) for x, m in zip(torch.split(self._images, 1), self.masks, strict=True)])

    def measure(self, made: Tensor) -> Columns:
        """See `judge_scene`."""
        scenes, ground = zip(self._images, made.cpu(), self.masks, strict=True), ground_of(self.size)
        judged = [judge_scene(before, after, masks[0], ground) for before, after, masks in scenes]
        return {measure.name: np.array([one[measure.name] for one in judged]) for measure in self.measures}

    def measure_set(self, made: Tensor) -> dict[str, Interval]:
        """See `Task`: empty, because every scene can be judged alone."""
        return {}


def _key(scenes: Path, *parts: str) -> dict[str, str]:
    return {part: files_digest(images_in(scenes / part)) for part in parts}


def _rounded(image: Tensor, masks: Tensor) -> Tensor:
    """`image (1, 3, h, w)` with circles for the squares of `masks (k, h, w)`."""
    made = torch.where((masks > 0).any(dim=0), ground_of(image.shape[3]), image)
    for mask in masks > 0:
        colour = image[:, :, mask].mean(dim=2)[..., None, None]
        made = torch.where(torch.from_numpy(circle_of(mask.numpy())), colour, made)
    return made


def true_masks(images: Tensor) -> list[Tensor | None]:
    """Find the masks of the shapes in scenes `(n, 3, h, h)`.

    Scenes are plain, and their shapes do not touch: the masks are the ones the shapes were drawn with.

    Returns
    -------
    list
        Masks `(1, k, h, h)` in {-1, 1} of each scene; None where it has no shapes.
    """
    found = []
    for image in images:
        masks = [torch.from_numpy(region) for region in shapes_of(image, ground_of(image.shape[2]))]
        found.append(torch.where(torch.stack(masks), 1.0, -1.0).float()[None] if masks else None)
    return found


def make_shapes_task(
    settings: ShapesSettings, folder: Path, device: torch.device | str = "cpu", progress: bool | Stage = True
) -> ShapesTask:
    """Draw the scenes of a comparison in `folder`, or find them there.

    Parameters
    ----------
    settings
        What is asked for.
    folder
        Folder of the comparison.
    device
        Device of the networks.
    progress
        True for a progress bar, False for none, or a `Stage` of your own.

    Raises
    ------
    UserError
        If the scenes cannot be written, or the device is not available.
    """
    place = find_device(device)
    key = {name: getattr(settings, name) for name in ("size", "scenes", "held_out", "most", "seed")}
    scenes = folder / f"scenes-{digest(key)}"

    def make() -> None:
        share = settings.held_out / settings.scenes
        make_shapes(settings.scenes, scenes, settings.size, settings.most, settings.seed, share, progress)

    made_once(scenes, make)
    return ShapesTask(settings, folder, scenes, place)


def make_from_inputs(settings: ShapesSettings, inputs: None, job: Job) -> ShapesTask:
    """Make the task of `latentlab compare shapes`."""
    return make_shapes_task(settings, job.folder, job.device, job.progress)


def shapes_methods(task: ShapesTask, names: Sequence[str] = METHODS) -> list[Method]:
    """Construct the methods with these names.

    Parameters
    ----------
    task
        Task they are for.
    names
        'instagan', 'cyclegan', 'nothing'.

    Raises
    ------
    UserError
        If a name is unknown.
    """
    known: dict[str, Callable[[], Method]] = {
        "instagan": partial(_trained, task, "instagan"),
        "cyclegan": partial(_trained, task, "cyclegan"),
        "nothing": Nothing,
    }
    return choose_methods(known, names)


def _trained(task: ShapesTask, name: str) -> Trained:
    settings, method = task.settings, load_method(name)
    config = method.configure(task.size, settings.base_channels)

    def open_set(stage: Stage) -> Source:
        augmentation = Augmentation.for_resolution(task.size)
        return method.open_folder(task.scenes, "train", config, augmentation).source

    return Trained(
        name,
        config,
        open_set,
        settings.epochs[name],
        settings.batch_size,
        settings.seed,
        to_masks=true_masks if config.masks_per_image else None,
    )
