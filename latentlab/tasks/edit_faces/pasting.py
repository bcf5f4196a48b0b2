"""Edits put back into the photos that they were cut out of."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from latentlab import images
from latentlab.comparison.run import Comparison
from latentlab.faces import align, paste_back
from latentlab.progress import Stage, silent
from latentlab.tasks.edit_faces.faces import PHOTO_SIDE
from latentlab.tasks.edit_faces.latent import FLOOR
from latentlab.tasks.edit_faces.settings import LATENT
from latentlab.tasks.edit_faces.task import EditTask
from latentlab.translation.data.folders import images_in


def paste_edits(comparison: Comparison, photos: Path, stage: Stage = silent) -> None:
    """Every method's edit of every photo, put back: FOLDER/pasted/METHOD/PHOTO.png.

    What a method changed is added to the photo, the rest of which stays sharp: see `paste_back`. A latent method
    changed the projection, a translator the photo.
    """
    task = comparison.task
    assert isinstance(task, EditTask)
    places = {path.stem: path for path in images_in(photos)}
    shown = task.shown()
    floor = next((row.pictures for row in comparison.done if row.name == FLOOR), None)
    with stage("pasting") as step:
        for k, name in enumerate(task.names):
            photo = images.load_image(places[name])
            face = align(photo, task.lab.detector, PHOTO_SIDE, name=str(places[name]))[0]
            for row in comparison.done:
                begun = floor if row.name in LATENT and floor is not None else shown
                edited, original = (_large(pictures, k) for pictures in (row.pictures, begun))
                with torch.no_grad():
                    whole = paste_back(edited, face.geometry, photo, original=original)
                images.save_image(whole, task.folder / "pasted" / row.name / f"{name}.png")
            step(k + 1, len(task.names))


def _large(pictures: Tensor | None, k: int) -> Tensor:
    assert pictures is not None  # of a row that is done
    return images.resize(pictures[k : k + 1], PHOTO_SIDE, PHOTO_SIDE)
