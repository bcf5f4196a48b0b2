"""Editing by translators: pix2pix, CycleGAN and InstaGAN trained on the task's faces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from latentlab import images
from latentlab.comparison.protocol import Method
from latentlab.directions import Direction
from latentlab.editing import edit
from latentlab.progress import Stage
from latentlab.samples import SampleTable
from latentlab.tasks.edit_faces.faces import mouth_of, renderer_for, write_masks
from latentlab.tasks.edit_faces.latent import Learnt
from latentlab.tasks.edit_faces.task import EditTask
from latentlab.tasks.trained import Trained
from latentlab.translation.data.sources import Source
from latentlab.translation.data.transforms import Augmentation
from latentlab.translation.methods import load_method

_BATCH = {"pix2pix": 4, "cyclegan": 1, "instagan": 1}


def translator(name: str, task: EditTask, learnt: Learnt) -> Method:
    """The translator called 'pix2pix', 'cyclegan' or 'instagan', as its paper has it but for size and length.

    Parameters
    ----------
    name, task
        Which, and what it learns.
    learnt
        The direction of edited pairs.
    """
    settings = task.settings
    method = load_method(name)
    config = method.configure(settings.size, settings.width)
    augmentation = Augmentation.for_resolution(settings.size)

    def open_set(stage: Stage) -> Source:
        if method.paired:
            write_pairs(task, learnt, stage)
            return method.open_folder(task.folder / "pairs", "train", config, augmentation).source
        folder = task.set
        if settings.data == "pairs":
            folder = task.folder / "edited_set"
            write_edited_set(task, learnt, folder, stage)
        for part in ("trainA", "trainB") if config.masks_per_image else ():
            with stage("masking mouths") as step:
                write_masks(folder / part, task.lab, step)
        return method.open_folder(folder, "train", config, augmentation).source

    def masks(photos: Tensor) -> list[Tensor | None]:
        regions = [mouth_of(photo, task.lab, task.size) for photo in photos.split(1)]
        return [None if region is None else 2 * region - 1 for region in regions]

    return Trained(
        name,
        config,
        open_set,
        settings.epochs[name],
        _BATCH[name],
        settings.seed,
        to_masks=masks if config.masks_per_image else None,
    )


def write_pairs(task: EditTask, learnt: Learnt, stage: Stage) -> None:
    """Faces of the source, and the same edited along a direction, side by side in FOLDER/pairs/train."""
    direction, strength = _edit_of(task, learnt, stage)
    with stage("rendering pairs") as step:
        rows = task.domains.source
        for k, seed in enumerate(rows.seeds):
            path = task.folder / "pairs" / "train" / f"{seed:06d}.png"
            if not path.exists():
                one = rows.subset(np.array([k]))
                pair = [_picture(task, one, direction, distance) for distance in (0.0, strength)]
                images.save_image(torch.cat(pair, dim=3), path)
            step(k + 1, len(rows))


def write_edited_set(task: EditTask, learnt: Learnt, folder: Path, stage: Stage) -> None:
    """Every other face of the source as it is in FOLDER/trainA, the rest edited in FOLDER/trainB: nothing is paired."""
    direction, strength = _edit_of(task, learnt, stage)
    with stage("rendering edits") as step:
        rows = task.domains.source
        for k, seed in enumerate(rows.seeds):
            path = folder / ("trainB" if k % 2 else "trainA") / f"{seed:06d}.png"
            if not path.exists():
                one = rows.subset(np.array([k]))
                images.save_image(_picture(task, one, direction, strength if k % 2 else 0.0), path)
            step(k + 1, len(rows))


def _edit_of(task: EditTask, learnt: Learnt, stage: Stage) -> tuple[Direction, float]:
    """What turns faces of the source into faces of the target: a direction, and how far."""
    direction, response = learnt(stage)
    return direction, task.sign * response.calibrated()


@torch.no_grad()
def _picture(task: EditTask, row: SampleTable, direction: Direction, strength: float) -> Tensor:
    ws = row.ws(task.lab.generator.num_ws).to(task.place)
    return renderer_for(task.settings, task.lab)(edit(ws, direction, strength)).clamp(-1, 1).cpu()
