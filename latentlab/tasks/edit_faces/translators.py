"""Editing by translators, such as pix2pix, CycleGAN and InstaGAN, trained on the task's faces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from latentlab.comparison.protocol import Method
from latentlab.datasets.labelled_faces import find_mouth, write_masks
from latentlab.directions import Direction
from latentlab.editing import move
from latentlab.images import save_image
from latentlab.progress import Stage
from latentlab.samples import SampleTable
from latentlab.tasks.edit_faces.definition import PAIRS
from latentlab.tasks.edit_faces.response import Learnt, calibrated
from latentlab.tasks.edit_faces.task import EditTask
from latentlab.tasks.trained import Trained
from latentlab.translation.data.sources import Source
from latentlab.translation.data.transforms import Augmentation
from latentlab.translation.methods import TranslationConfig, TranslationMethod, load_method

_PAIRED_BATCH = 4


def translator(name: str, task: EditTask, learnt: Learnt) -> Method:
    """Construct a translator by its registered name, such as 'pix2pix', as in its paper but for size and length.

    Parameters
    ----------
    name
        A translation method.
    task
        Task it learns.
    learnt
        Direction along which pairs are edited.
    """
    settings, method = task.settings, load_method(name)
    config = method.configure(settings.size, settings.base_channels)

    def masks(photos: Tensor) -> list[Tensor | None]:
        regions = [find_mouth(photo, task.components.detector, task.size) for photo in torch.split(photos, 1)]
        return [None if region is None else 2 * region - 1 for region in regions]

    trained = Trained(
        name,
        config,
        lambda stage: _open_set(method, config, task, learnt, stage),
        settings.epochs_of(name),
        _PAIRED_BATCH if method.paired else 1,
        settings.seed,
        to_masks=masks if config.masks_per_image else None,
    )
    if method.paired or settings.data == "pairs":  # what was learnt from pairs of another direction is not used again
        trained.inputs = {**trained.inputs, "pairs": PAIRS}
    return trained


def _open_set(
    method: type[TranslationMethod], config: TranslationConfig, task: EditTask, learnt: Learnt, stage: Stage
) -> Source:
    """Make the training set where it is not there yet, and open it."""
    augmentation = Augmentation.for_resolution(task.size)
    if method.paired:
        write_pairs(task, learnt, stage)
        return method.open_folder(_pairs_folder(task), "train", config, augmentation).source
    folder = task.set
    if task.settings.data == "pairs":
        folder = task.folder / f"edited-{PAIRS}"
        write_edited_set(task, learnt, folder, stage)
    for part in ("trainA", "trainB") if config.masks_per_image else ():
        with stage("masking mouths") as step:
            write_masks(folder / part, task.components.detector, step)
    return method.open_folder(folder, "train", config, augmentation).source


def _pairs_folder(task: EditTask) -> Path:
    """Folder of the pairs; earlier versions, which edited along another direction, have theirs in `pairs`."""
    return task.folder / f"pairs-{PAIRS}"


def write_pairs(task: EditTask, learnt: Learnt, stage: Stage) -> None:
    """Write faces of the source side by side with their edits along a direction, to FOLDER/pairs-METHOD/train."""
    direction, strength = _edit_of(task, learnt, stage)
    with stage("rendering pairs") as step:
        rows = task.domains.source
        for k, seed in enumerate(rows.seeds):
            path = _pairs_folder(task) / "train" / f"{seed:06d}.png"
            if not path.exists():
                one = rows.subset(np.array([k]))
                pair = [_render(task, one, direction, distance) for distance in (0.0, strength)]
                save_image(torch.cat(pair, dim=3), path)
            step(k + 1, len(rows))


def write_edited_set(task: EditTask, learnt: Learnt, folder: Path, stage: Stage) -> None:
    """Write every other face of the source as it is to FOLDER/trainA, and the rest edited to FOLDER/trainB."""
    direction, strength = _edit_of(task, learnt, stage)
    with stage("rendering edits") as step:
        rows = task.domains.source
        for k, seed in enumerate(rows.seeds):
            path = folder / ("trainB" if k % 2 else "trainA") / f"{seed:06d}.png"
            if not path.exists():
                one = rows.subset(np.array([k]))
                save_image(_render(task, one, direction, strength if k % 2 else 0.0), path)
            step(k + 1, len(rows))


def _edit_of(task: EditTask, learnt: Learnt, stage: Stage) -> tuple[Direction, float]:
    """Direction and signed strength that turn faces of the source into faces of the target."""
    direction, response = learnt(stage)
    return direction, task.sign * calibrated(response)


@torch.no_grad()
def _render(task: EditTask, row: SampleTable, direction: Direction, strength: float) -> Tensor:
    ws = row.ws(task.components.generator.num_ws).to(task.device)
    latents = move(ws, [(direction, strength)], task.components.generator)
    return task.renderer(latents).clamp(-1, 1).cpu()
