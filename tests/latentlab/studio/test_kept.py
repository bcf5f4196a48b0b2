"""Dragged faces that were kept, and opened again."""

import pytest

from latentlab.errors import UserError
from latentlab.pipelines.photos import photo_recipe
from latentlab.studio.faces import CodeFace, PhotoFace
from latentlab.studio.kept import CODE, kept_face, note_photo
from latentlab.studio.visitors import Visitors, new_token


@pytest.fixture
def place(tmp_path):
    return Visitors(tmp_path)


def dragged(place, token, photo=None):
    with place.new_folder(token, "dragged") as folder:
        if photo is not None:
            note_photo(photo, folder)
        (folder / CODE).touch()
    return folder


def test_a_generated_face_is_its_code(place):
    token = new_token()
    folder = dragged(place, token)
    assert kept_face(place.result(token, "dragged", "dragged-1"), None) == CodeFace(folder / CODE)


RECIPES = [photo_recipe(), photo_recipe(fast=True), photo_recipe(steps=3, tune=False), photo_recipe(fast=True, steps=2)]


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_face_of_a_photo_is_the_one_that_was_projected(place, tmp_path, recipe):
    face, token = PhotoFace(tmp_path / "me.png", 2, recipe), new_token()
    folder = dragged(place, token, face)
    found = kept_face(place.result(token, "dragged", "dragged-1"), lambda name: tmp_path / name)
    assert found == CodeFace(folder / CODE, face)


def test_a_photo_of_another_visitor_is_not_opened(place, tmp_path):
    owner, other = new_token(), new_token()
    dragged(place, other, PhotoFace(tmp_path / "me.png", 1, photo_recipe()))
    (place.folder_of(owner) / "photos").mkdir()
    (place.folder_of(owner) / "photos" / "me.png").touch()
    with pytest.raises(UserError, match="this photo is not there any more"):
        kept_face(place.result(other, "dragged", "dragged-1"), lambda name: place.photo(other, name))


def test_a_drag_without_a_code_is_told(place):
    token = new_token()
    with place.new_folder(token, "dragged") as folder:
        (folder / "photo.json").touch()
    with pytest.raises(UserError, match="drag the face again"):
        kept_face(place.result(token, "dragged", "dragged-1"), None)
