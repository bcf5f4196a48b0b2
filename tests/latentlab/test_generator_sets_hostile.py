"""Training sets of generators as they come: turned photos, links, every kind of bad file, labels that mean nothing."""

import json
import os
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from latentlab import images
from latentlab.errors import UserError
from latentlab.generators import ImageSetSettings, open_images
from latentlab.generators.labels import labels_of


def picture(seed=0, width=32, height=32):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))


def folder_of(root, *names, **sizes):
    """A folder with a picture of each name, numbered."""
    for k, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        picture(k, **sizes).save(root / name)
    return root


def read(path, cache, **settings):
    return open_images(path, ImageSetSettings(32, **settings), cache, progress=False)


def bytes_of(k):
    return np.asarray(picture(k)).transpose(2, 0, 1)


def refused(path, cache, **settings):
    """The message, one line; nothing of the set is left behind."""
    with pytest.raises(UserError) as told:
        read(path, cache, **settings)
    assert "\n" not in str(told.value)
    assert not cache.exists() or not {"images.bin", "set.json"} & set(os.listdir(cache))
    return str(told.value)


def output_of(program, *arguments):
    """What a process of its own prints."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), *arguments],
        check=True, capture_output=True, text=True, timeout=60, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    return done.stdout


# --- what is read -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["png", "jpg", "tiff"])
@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_photos_are_turned_once_as_they_say(tmp_path, suffix, orientation):
    stored = Image.new("RGB", (32, 32))
    stored.paste("white", (0, 0, 16, 16))
    exif = Image.Exif()
    exif[0x0112] = orientation
    (tmp_path / "in").mkdir()
    stored.save(tmp_path / "in" / f"a.{suffix}", exif=exif)
    found = read(tmp_path / "in", tmp_path / "cache").images[0, 0]
    corner = {3: (28, 28), 6: (4, 28), 8: (28, 4)}[orientation]
    assert found[corner] > 250 and [found[y, x] > 250 for y in (4, 28) for x in (4, 28)].count(True) == 1
    shown = images.load_image(tmp_path / "in" / f"a.{suffix}")
    np.testing.assert_array_equal(found, images.to_bytes(shown)[0, 0])


def test_grey_sets_have_one_channel_and_all_kinds_of_pixels_are_read(tmp_path):
    root = tmp_path / "in"
    root.mkdir()
    for k, mode in enumerate(("L", "RGBA", "P", "1", "CMYK")):
        picture(k).convert(mode).save(root / f"{mode}.{'tiff' if mode == 'CMYK' else 'png'}")
    Image.fromarray(np.full((32, 32), 40_000, np.uint16)).save(root / "deep.png")
    grey, colour = (read(root, tmp_path / str(channels), channels=channels) for channels in (1, 3))
    assert grey.images.shape == (6, 1, 32, 32) and colour.images.shape == (6, 3, 32, 32)
    deep = sorted(os.listdir(root)).index("deep.png")
    assert np.unique(grey.images[deep]).tolist() == [round(40_000 / 65_535 * 255)]


def test_links_in_a_circle_give_each_image_once(tmp_path):
    """In a process of its own: with two of them in a folder the ways through them are without number."""
    root = folder_of(tmp_path / "in", "a/one.png", "b/two.png")
    os.symlink(".", root / "a" / "again")
    os.symlink("../a", root / "b" / "aside")
    os.symlink("../b", root / "a" / "across")
    os.symlink("one.png", root / "a" / "copy.png")
    program = "import sys; from pathlib import Path; from latentlab.files import images_in; "
    program += "print(*sorted(path.name for path in images_in(Path(sys.argv[1]), recursive=True)))"
    assert output_of(program, root / "a").split() == ["copy.png", "one.png", "two.png"]


# --- what is refused ----------------------------------------------------------------------------------------


def broken_set(root):
    """A folder with a good picture and every kind of bad file."""
    folder_of(root, "good.png")
    (root / "cut.png").write_bytes((root / "good.png").read_bytes()[:900])
    (root / "fake.jpg").write_bytes(b"no image")
    os.mkfifo(root / "pipe.png")
    os.symlink("nowhere.png", root / "gone.png")
    picture(0, width=40).save(root / "wide.png")
    Image.fromarray(np.zeros((32, 32), np.float32)).save(root / "floats.tiff")
    return root


def test_bad_files_are_named_all_at_once(tmp_path):
    told = refused(broken_set(tmp_path / "in"), tmp_path / "cache")
    assert told.startswith("6 of 7 images cannot be used: ") and told.endswith("; and 1 more")
    for reason in (
        "cannot read the image cut.png: ",
        "fake.jpg is not an image in a format that is read here",
        "floats.tiff: an image of 32-bit floats has no agreed range",
        "cannot read the image gone.png: No such file",
        "pipe.png is a named pipe",
    ):
        assert reason in told
    (tmp_path / "in" / "fake.jpg").unlink()
    assert "wide.png: it is 40x32, not square: set fit (--fit) to crop or to stretch" in refused(
        tmp_path / "in", tmp_path / "cache"
    )


def test_bad_files_are_left_out_on_demand_with_their_labels(tmp_path):
    root = broken_set(tmp_path / "in")
    names = sorted(path.name for path in root.iterdir())
    (root / "dataset.json").write_text(json.dumps({"labels": [[name, k] for k, name in enumerate(names)]}))
    for _ in range(2):  # read, and found again
        found = read(root, tmp_path / "cache", labels=True, on_problem="skip")
        assert len(found) == 1 and len(found.problems) == 6
        assert found.labels.shape == (1, 7) and found.labels[0, names.index("good.png")] == 1
    with pytest.raises(UserError, match="6 of 7 images cannot be used"):
        read(root, tmp_path / "cache", labels=True)
    (root / "good.png").unlink()
    with pytest.raises(UserError, match="6 of 6 images cannot be used"):
        read(root, tmp_path / "cache", on_problem="skip")


def test_archives_that_lead_out_and_places_that_cannot_be_written(tmp_path):
    (tmp_path / "file.txt").write_text("")
    assert "there is no folder" in refused(tmp_path / "file.txt", tmp_path / "cache")
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.writestr("a.png", b"")
        archive.writestr("../b.png", b"")
    assert "leads out of it" in refused(tmp_path / "set.zip", tmp_path / "cache")
    (tmp_path / "set.zip").write_bytes(b"no archive")
    assert "not a zip archive" in refused(tmp_path / "set.zip", tmp_path / "cache")
    root = folder_of(tmp_path / "in", "a.png")
    assert "file.txt" in refused(root, tmp_path / "file.txt" / "cache")


def test_a_read_that_fails_leaves_the_set_before_it(tmp_path):
    root, cache = folder_of(tmp_path / "in", "a.png"), tmp_path / "cache"
    before = read(root, cache).description
    (root / "b.png").write_bytes(b"no image")
    with pytest.raises(UserError, match="1 of 2 images cannot be used: b.png"):
        read(root, cache)
    (root / "b.png").unlink()
    assert sorted(os.listdir(cache)) == ["images.bin", "set.json"]
    assert read(root, cache).description == before


# --- labels -------------------------------------------------------------------------------------------------


def labelled(tmp_path, labels):
    path = tmp_path / "dataset.json"
    path.write_text(labels if isinstance(labels, str) else json.dumps({"labels": labels}))
    return labels_of(path, ["a.png", "b/c.png"])


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ('{"labels": [["a.png", [NaN]], ["b/c.png", [0]]]}', "is not valid JSON"),
        ([["a.png", 0], ["b/c.png", 1], ["a.png", 1]], r"has two labels of 'a\.png'"),
        ([["a.png", 0], ["b/c.png", [1]]], "labels: "),
        ([["a.png", True], ["b/c.png", False]], "labels: "),
        ([["a.png", None], ["b/c.png", None]], "labels: "),
        ([["a.png", [1e300]], ["b/c.png", [0]]], "labels have numbers beyond 3.4e"),
        ({"a.png": 0}, "labels: "),
        ([[0, "a.png"]], "labels: "),
    ],
)
@pytest.mark.filterwarnings("error")
def test_labels_that_mean_nothing_are_refused(tmp_path, labels, told):
    with pytest.raises(UserError, match=rf"dataset\.json.*{told}"):
        labelled(tmp_path, labels)


def test_a_label_may_stand_twice_and_names_may_be_those_of_windows(tmp_path):
    labels = [["a.png", 1], ["b\\c.png", 0], ["a.png", 1]]
    assert labelled(tmp_path, labels).tolist() == [[0, 1], [1, 0]]


HOSTILE = """
    import resource, sys
    from pathlib import Path
    from latentlab.errors import UserError
    from latentlab.generators import ImageSetSettings, open_images

    def peak():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10

    root, before = Path(sys.argv[1]), peak()
    try:
        found = open_images(root / "in", ImageSetSettings(32, labels=True, on_problem="skip"), root / "cache", False)
        print(len(found), *found.problems.values(), sep="; ")
    except UserError as error:
        print(error)
    print(peak() - before)
"""


def test_bombs_and_high_classes_take_no_memory(tmp_path):
    """In a process of its own, which says how much memory it took."""
    root = folder_of(tmp_path / "in", "a.png", "b.png")
    header = b"P6 20000 20000 255\n"  # 1.2 GB, of which nothing is there
    (root / "bomb.ppm").write_bytes(header)
    with open(root / "large.ppm", "wb") as file:
        file.write(b"P6 30000 30000 255\n")
        file.truncate(2_700_000_019)
    labels = [["a.png", 16_383], ["b.png", 0], ["bomb.ppm", 0], ["large.ppm", 0]]
    (root / "dataset.json").write_text(json.dumps({"labels": labels}))
    told, taken = output_of(HOSTILE, tmp_path).splitlines()
    assert told.startswith("2; ") and told.count("megapixels") == 2 and int(taken) < 300
