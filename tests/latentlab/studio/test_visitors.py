"""Folders of visitors, and what is uploaded into them."""

import os

import pytest
from PIL import Image

from latentlab.errors import UserError
from latentlab.studio.visitors import Visitors, free_stem, is_token, new_token, plain_name


@pytest.fixture
def place(tmp_path):
    return Visitors(tmp_path / "studio")


@pytest.fixture
def photo(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "me.png")
    return tmp_path / "me.png"


def test_tokens_are_told_from_everything_else():
    assert is_token(new_token())
    assert new_token() != new_token()
    assert not any(is_token(one) for one in ("", "..", "/etc", "A" * 32, "0" * 31, "0" * 33, None, 7, ["0" * 32]))


@pytest.mark.parametrize("token", ["", "../../x", "/tmp/x", None])
def test_what_is_no_token_leads_to_no_folder(place, token, tmp_path):
    with pytest.raises(UserError, match="load it anew"):
        place.folder_of(token)
    assert place.photos_of(token) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("me.JPG", "me.jpg"),
        ("../../etc/passwd", "passwd"),
        ("..", "file"),
        (".png", "png.png"),
        ("a b<img src=x>.png", "a-b-img-src-x.png"),
        ("Grüße.webp", "Gr-e.webp"),
        ("con\x1b[31m.png", "con-x1b-31m.png"),
        ("x" * 300 + ".png", "x" * 60 + ".png"),
    ],
)
def test_names_are_made_plain(name, plain):
    assert plain_name(name) == plain


def test_a_photo_is_kept_and_found_by_its_visitor_alone(place, photo):
    token = new_token()
    kept = place.take_photo(token, photo)
    assert kept.read_bytes() == photo.read_bytes()
    assert place.photos_of(token) == ["me.png"]
    assert place.photo(token, "me.png") == kept
    assert place.photos_of(new_token()) == []
    for name in ("../me.png", "other.png"):
        with pytest.raises(UserError, match="not there"):
            place.photo(token, name)


def test_photos_of_one_name_replace_none(place, photo):
    token = new_token()
    first = place.take_photo(token, photo)
    assert place.take_photo(token, photo) == first
    Image.new("RGB", (8, 8), "red").save(photo)
    second = place.take_photo(token, photo)
    assert second.name == "me-photo2.png"
    assert first.read_bytes() != second.read_bytes() == photo.read_bytes()


def test_what_is_no_photo_is_refused_by_its_name(place, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no image")
    with pytest.raises(UserError) as error:
        place.take_photo(new_token(), bad)
    assert str(error.value).startswith("bad.png is not an image")
    assert not list(tmp_path.glob("studio/*/photos/*"))


def test_a_bomb_is_refused_by_its_header(place, tmp_path):
    bomb = tmp_path / "bomb.png"
    Image.new("1", (10_001, 10_000)).save(bomb)
    with pytest.raises(UserError, match=r"^bomb.png: .*megapixels"):
        place.take_photo(new_token(), bomb)


def test_a_file_that_is_too_large_is_refused_unread(place, photo):
    os.truncate(photo, 51_000_000)
    with pytest.raises(UserError, match="^me.png has 51 MB; 50 MB are the most$"):
        place.take_photo(new_token(), photo)


def fill(place, token, kind, name="a.png"):
    """A result of a visitor, in a folder of its own."""
    with place.new_folder(token, kind) as folder:
        (folder / name).touch()
    return folder.name


def test_results_are_found_by_their_visitor_alone_the_latest_first(place):
    token, other = new_token(), new_token()
    assert [fill(place, token, "export") for _ in range(11)][::10] == ["export-1", "export-11"]
    fill(place, token, "dragged")
    assert place.results_of(token, "export")[:3] == ["export-11", "export-10", "export-9"]
    assert [path.name for path in place.result(token, "export", "export-2")] == ["a.png"]
    assert place.results_of(other, "export") == place.results_of("../..", "export") == []
    for who, name in ((other, "export-2"), (token, "dragged-1"), (token, "../photos"), (token, None)):
        with pytest.raises(UserError, match="not there any more"):
            place.result(who, "export", name)


def test_folders_without_a_result_are_not_offered_and_empty_ones_go_again(place):
    token = new_token()
    with pytest.raises(RuntimeError), place.new_folder(token, "export") as empty:
        raise RuntimeError
    assert not empty.exists()
    with place.new_folder(token, "queue") as begun:
        (begun / "projections").mkdir()
        (begun / ".half-written.png").touch()
    assert begun.exists()
    assert place.results_of(token, "queue") == []


def test_results_replace_none(tmp_path):
    (tmp_path / "me.png").touch()
    assert free_stem(tmp_path, tmp_path / "elsewhere" / "me.jpg") == "me-2"
