"""A photo with all of its faces edited."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from latentlab import images
from latentlab.pipelines.photos.edits import PhotoEdit
from latentlab.pipelines.photos.pasting import paste
from latentlab.pipelines.photos.portraits import Portrait
from latentlab.pipelines.photos.settings import Pasting
from latentlab.pipelines.photos.writing import file_names


class Together:
    """Puts one face after the other into their photo, for each strength or target.

    A face that is not added stays as it is in the photo.
    """

    def __init__(self, pasting: Pasting) -> None:
        self._pasting = pasting
        self._photos: dict[str, Tensor] = {}

    def add(self, portrait: Portrait, edits: Sequence[PhotoEdit]) -> None:
        """Put in the edits of one face."""
        for name, edit in zip(file_names(edits), edits, strict=True):
            before = self._photos.get(name)
            self._photos[name] = edit.photo if before is None else paste(portrait, edit.crop, self._pasting, before)

    def write(self, folder: Path) -> None:
        """Write `photo_STRENGTH.png` into the folder; nothing where no face was added."""
        for name, photo in self._photos.items():
            images.save_image(photo, folder / f"photo_{name}.png")
