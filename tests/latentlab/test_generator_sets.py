"""Training sets of generators: every layout, labels, what cannot be used, and what was read before."""

import json
import os
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from latentlab.errors import UserError
from latentlab.generators import ImageSetSettings, open_images
from latentlab.generators.labels import labels_of

SETTINGS = ImageSetSettings(8)


def picture(colour, size=(16, 16), mode="RGB"):
    return Image.new(mode, size, colour)


def write(folder, pictures):
    for name, image in pictures.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path)
    return folder


@pytest.fixture
def folder(tmp_path):
    return write(
        tmp_path / "set",
        {
            "a.png": picture((255, 0, 0)),
            "in/b.jpg": picture((0, 255, 0), (8, 8)),
            "in/deep/c.png": picture((0, 0, 255)),
        },
    )


def opened(path, cache, settings=SETTINGS):
    return open_images(path, settings, cache, progress=False)


def test_folders_are_read_whole(folder, tmp_path):
    found = opened(folder, tmp_path / "cache")
    assert len(found) == 3 and found.c_dim == 0 and found.problems == {}
    images, labels = found.batch([0, 2])
    assert labels is None and images.shape == (2, 3, 8, 8) and images.dtype == torch.float32
    assert images[0, :, 3, 3].tolist() == [1, -1, -1] and images[1, :, 3, 3].tolist() == [-1, -1, 1]
    assert found.description["images"] == 3 and len(found.description["digest"]) == 64


def test_archives_are_those_of_their_folders(folder, tmp_path):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for path in sorted(folder.rglob("*.*")):
            archive.write(path, path.relative_to(folder))
    found, plain = opened(tmp_path / "set.zip", tmp_path / "zipped"), opened(folder, tmp_path / "cache")
    assert found.description == plain.description
    np.testing.assert_array_equal(found.images, plain.images)


def test_a_set_is_read_once(folder, tmp_path):
    first = opened(folder, tmp_path / "cache").description
    before = (tmp_path / "cache" / "images.bin").stat().st_mtime_ns
    assert opened(folder, tmp_path / "cache").description == first
    assert (tmp_path / "cache" / "images.bin").stat().st_mtime_ns == before
    write(folder, {"d.png": picture("white")})
    assert len(opened(folder, tmp_path / "cache")) == 4
    write(folder, {"a.png": picture("black")})
    assert opened(folder, tmp_path / "cache").batch([0])[0].max() == -1
    (tmp_path / "cache" / "images.bin").write_bytes(b"short")
    with pytest.raises(UserError, match="is not what was written there: remove"):
        opened(folder, tmp_path / "cache")


def test_mirrored_images_are_mirrored(tmp_path):
    image = picture("black")
    image.paste("white", (0, 0, 8, 16))
    found = opened(write(tmp_path / "set", {"a.png": image}), tmp_path / "cache")
    plain, mirrored = found.batch([0])[0], found.batch([0, 0], [False, True])[0]
    assert torch.equal(mirrored[0], plain[0]) and torch.equal(mirrored[1], plain[0].flip(2))


def test_shapes_are_asked_for(tmp_path):
    image = picture("black", (32, 16))
    image.paste("white", (8, 0, 24, 16))
    folder = write(tmp_path / "set", {"wide.png": image, "square.png": picture("black")})
    with pytest.raises(UserError, match=r"1 of 2 images cannot be used: wide.png: it is 32x16, not square: set fit"):
        opened(folder, tmp_path / "cache")
    assert not (tmp_path / "cache" / "images.bin").exists()
    cropped = opened(folder, tmp_path / "cropped", ImageSetSettings(8, fit="crop")).batch([1])[0]
    assert cropped[:, :, :, 1:-1].min() > 0.9
    stretched = opened(folder, tmp_path / "stretched", ImageSetSettings(8, fit="stretch")).batch([1])[0]
    assert stretched[0, 0, 4].tolist()[0] < -0.9 and stretched[0, 0, 4].tolist()[4] > 0.9


def test_sets_are_of_the_shape_that_is_asked_for(tmp_path):
    marked = picture("black", (16, 32))
    marked.paste("white", (0, 8, 16, 24))
    folder = write(tmp_path / "set", {"tall.png": marked, "twice.png": marked.resize((32, 64), Image.Resampling.BOX)})
    found = opened(folder, tmp_path / "cache", ImageSetSettings((16, 8)))
    assert found.images.shape == (2, 3, 16, 8) and found.description["resolution"] == [16, 8]
    assert np.abs(found.images[0].astype(int) - found.images[1]).max() <= 3
    assert opened(folder, tmp_path / "cache", ImageSetSettings((16, 8))).description == found.description
    assert opened(folder, tmp_path / "cache", ImageSetSettings((8, 8), fit="crop")).description["resolution"] == 8
    write(folder, {"square.png": marked.crop((0, 8, 16, 24))})  # white
    with pytest.raises(UserError, match=r"1 of 3 .* square.png: it is 16x16, not of the proportions of 8x16: set fit"):
        opened(folder, tmp_path / "cache", ImageSetSettings((16, 8)))
    cropped = opened(folder, tmp_path / "cropped", ImageSetSettings((8, 16), fit="crop")).images[1]
    stretched = opened(folder, tmp_path / "stretched", ImageSetSettings((8, 16), fit="stretch")).images[1]
    assert cropped.shape == stretched.shape == (3, 8, 16)
    assert cropped[:, 1:-1].min() > 250 and stretched[0, :, 4].tolist()[::4] == [0, 255]


def test_grey_images_have_one_channel(folder, tmp_path):
    grey = opened(folder, tmp_path / "cache", ImageSetSettings(8, channels=1)).batch([0, 1])[0]
    assert grey.shape == (2, 1, 8, 8) and grey[0].mean() < grey[1].mean()


def test_broken_files_are_named_or_left_out(folder, tmp_path):
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n nothing")
    (folder / "in" / "text.jpg").write_text("no image")
    with pytest.raises(UserError) as caught:
        opened(folder, tmp_path / "cache")
    assert str(caught.value).startswith("2 of 5 images cannot be used: cannot read the image broken.png: ")
    assert "; in/text.jpg is not an image" in str(caught.value) and str(folder) not in str(caught.value)
    found = opened(folder, tmp_path / "cache", ImageSetSettings(8, on_problem="skip"))
    assert len(found) == 3 and list(found.problems) == ["broken.png", "in/text.jpg"]
    assert found.description == opened(folder, tmp_path / "cache", ImageSetSettings(8, on_problem="skip")).description
    with pytest.raises(UserError, match="2 of 5"):
        opened(folder, tmp_path / "cache")


def test_a_set_of_nothing_is_refused(tmp_path):
    (tmp_path / "set").mkdir()
    for path, message in ((tmp_path / "set", "there is no image in"), (tmp_path / "none", "there is no folder")):
        with pytest.raises(UserError, match=message):
            opened(path, tmp_path / "cache")
    (tmp_path / "set" / "a.png").write_bytes(b"")
    with pytest.raises(UserError, match="1 of 1 images cannot be used"):
        opened(tmp_path / "set", tmp_path / "cache", ImageSetSettings(8, on_problem="skip"))


def test_pipes_and_links_out_are_no_trap(folder, tmp_path):
    os.mkfifo(folder / "pipe.png")
    with pytest.raises(UserError, match="pipe.png"):
        opened(folder, tmp_path / "cache")


def labelled(folder, labels):
    (folder / "dataset.json").write_text(json.dumps({"labels": labels}))
    return ImageSetSettings(8, labels=True)


def test_classes_become_rows_of_ones(folder, tmp_path):
    settings = labelled(folder, [["a.png", 2], ["in/b.jpg", 0], ["in/deep/c.png", 1], ["another.png", 9]])
    found = opened(folder, tmp_path / "cache", settings)
    assert found.c_dim == 3
    assert found.batch([0, 1, 2])[1].tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 0]]
    others = labelled(folder, [["a.png", 1], ["in/b.jpg", 0], ["in/deep/c.png", 2]])
    assert opened(folder, tmp_path / "cache", others).description["digest"] != found.description["digest"]


def test_labels_may_be_numbers(folder, tmp_path):
    settings = labelled(folder, [["a.png", [0.5, -1]], ["in/b.jpg", [0, 1]], ["in/deep/c.png", [2, 3]]])
    assert opened(folder, tmp_path / "cache", settings).batch([0, 2])[1].tolist() == [[0.5, -1], [2, 3]]


def test_labels_stay_with_their_images(folder, tmp_path):
    (folder / "b.png").write_bytes(b"")
    labelled(folder, [["a.png", 0], ["b.png", 1], ["in/b.jpg", 2], ["in/deep/c.png", 3]])
    found = opened(folder, tmp_path / "cache", ImageSetSettings(8, labels=True, on_problem="skip"))
    assert found.labels.argmax(axis=1).tolist() == [0, 2, 3]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no dataset.json beside the images"),
        ('{"labels": null}', "has no labels: train without labels"),
        ("[1]", "has no labels"),
        ('{"labels": [["a.png", 0]]}', "has no label of 1 images, such as 'b.png'"),
        ('{"labels": [["a.png", 0], ["b.png", "x"]]}', "labels"),
        ('{"labels": [["a.png", -1], ["b.png", 0]]}', "classes are numbers from 0 to 16383, not -1 to 0"),
        ('{"labels": [["a.png", 100000000], ["b.png", 0]]}', "classes are numbers from 0"),
        ('{"labels": [["a.png", [1]], ["b.png", [1, 2]]]}', "labels have 1, 2 numbers; all must have as many"),
        ('{"labels": [["a.png", []], ["b.png", []]]}', "all must have as many"),
        ('{"labels": [["a.png"], ["b.png"]]}', "labels"),
        ("{", "is not valid JSON"),
    ],
)
def test_labels_that_are_none_are_refused(tmp_path, content, message):
    path = tmp_path / "dataset.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError, match=message):
        labels_of(path, ["a.png", "b.png"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"resolution": 12}, "resolution must be a power of two"),
        ({"resolution": (8, 0)}, r"a height and a width in pixels, not \(8, 0\)"),
        ({"resolution": (8, 8, 8)}, "a height and a width in pixels"),
        ({"channels": 2}, "3 channels or 1, not 2"),
        ({"fit": "pad"}, "fit is one of square, crop, stretch, not 'pad'"),
    ],
)
def test_settings_of_no_set_are_refused(changes, message):
    with pytest.raises(UserError, match=message):
        ImageSetSettings(**{"resolution": 8, **changes})
