"""Put edits back into the photos they were cut out of."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from latentlab.comparison.run import Comparison
from latentlab.datasets.labelled_faces import PHOTO_RESOLUTION
from latentlab.errors import UserError
from latentlab.faces import align, paste_back
from latentlab.files import images_in
from latentlab.images import load_image, resize, save_image
from latentlab.progress import Stage, stage_of
from latentlab.tasks.edit_faces.definition import LATENT, PROJECTION
from latentlab.tasks.edit_faces.task import EditTask


def paste_edits(comparison: Comparison, photos: Path, progress: bool | Stage = True) -> None:
    """Put every method's edit of every photo back: FOLDER/pasted/METHOD/PHOTO.png.

    What a method changed is added to the photo, the rest of which stays sharp: see `paste_back`. A latent method
    changed the projection, a translator the photo.

    Parameters
    ----------
    comparison
        A comparison of an `EditTask`.
    photos
        Folder of the photos.
    progress
        True for a progress bar, False for none, or a `Stage` of your own.

    Raises
    ------
    UserError
        The comparison is of another task.
    """
    task = comparison.task
    if not isinstance(task, EditTask):
        raise UserError(f"only edits of faces are pasted into photos, not the results of {type(task).__name__}")
    paths = {path.stem: path for path in images_in(photos)}
    shown = task.shown()
    projected = next((one.images for one in comparison.done if one.name == PROJECTION), None)
    with stage_of(progress)("pasting") as step:
        for k, name in enumerate(task.names):
            photo = load_image(paths[name])
            face = align(photo, task.components.detector, PHOTO_RESOLUTION, name=str(paths[name]))[0]
            for one in comparison.done:
                start = projected if one.name in LATENT and projected is not None else shown
                edited, original = (_enlarged(images, k) for images in (one.images, start))
                with torch.no_grad():
                    whole = paste_back(edited, face.geometry, photo, original=original)
                save_image(whole, task.folder / "pasted" / one.name / f"{name}.png")
            step(k + 1, len(task.names))


def _enlarged(images: Tensor | None, k: int) -> Tensor:
    assert images is not None  # of a method that did not fail
    return resize(images[k : k + 1], PHOTO_RESOLUTION, PHOTO_RESOLUTION)
