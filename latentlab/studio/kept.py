"""Faces that were dragged, as they lie in a visitor's folder: the code, and the face of a photo that it came from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from latentlab.errors import UserError
from latentlab.files import read_json, write_json
from latentlab.pipelines.photos.settings import photo_recipe
from latentlab.studio.faces import CodeFace, PhotoFace
from latentlab.studio.recipes import recipe_options

CODE = "dragged.safetensors"
_PHOTO = "photo.json"


@dataclass(frozen=True)
class _Photo:
    """Name of a photo, the number of its face, and the options of its projection."""

    name: str
    face: int
    fast: bool
    tune: bool
    steps: int | None


def note_photo(face: PhotoFace, folder: Path) -> None:
    """Note, beside a code, which photo's face it was dragged from."""
    fast, tune, steps = recipe_options(face.recipe)
    write_json(folder / _PHOTO, asdict(_Photo(face.path.name, face.number, fast, tune, steps)))


def kept_face(files: list[Path], photo: Callable[[str], Path]) -> CodeFace:
    """The dragged face that these files hold; `photo` gives the file of a visitor's photo by its name.

    Raises
    ------
    UserError
        If there is no code among the files, or the photo is no longer kept.
    """
    by_name = {path.name: path for path in files}
    if CODE not in by_name:
        raise UserError("this drag has not come to its end; drag the face again")
    if _PHOTO not in by_name:
        return CodeFace(by_name[CODE])
    noted = read_json(by_name[_PHOTO], _Photo)
    recipe = photo_recipe(steps=noted.steps, tune=noted.tune, fast=noted.fast)
    return CodeFace(by_name[CODE], PhotoFace(photo(noted.name), noted.face, recipe))
