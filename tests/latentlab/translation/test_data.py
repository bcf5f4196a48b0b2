"""Training data: folders as users have them, good and bad; samples; masks."""

import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from latentlab.errors import UserError
from latentlab.files import images_in
from latentlab.translation.data.folders import Reading, masked_in, pairs_across, pairs_in, singles_in
from latentlab.translation.data.sets import open_pairs, open_unpaired
from latentlab.translation.data.transforms import Augmentation, largest_masks


def picture(path, value=0, size=(8, 8)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (value, value, value)).save(path)


def mask(path, size=(8, 8)):
    picture(path, 0, size)
    with Image.open(path) as image:
        image.paste((255, 255, 255), (0, 0, 4, 2))
    image.save(path)


def pair(path, left=0, right=255):
    path.parent.mkdir(parents=True, exist_ok=True)
    both = Image.new("RGB", (16, 8), (left,) * 3)
    both.paste(Image.new("RGB", (8, 8), (right,) * 3), (8, 0))
    both.save(path)


# --- folders ------------------------------------------------------------------------------------------------


def test_pairs_lie_side_by_side_in_either_order(tmp_path):
    pair(tmp_path / "train" / "one.png")
    (tmp_path / "train" / "notes.txt").write_text("no picture")
    for order, first in (("AB", -1), ("BA", 1)):
        source = open_pairs(tmp_path, "train", Augmentation.none(8), Reading(order)).source
        sample = source.sample(0, None)
        assert len(source) == 1
        assert torch.equal(sample["a"], torch.full((1, 3, 8, 8), float(first)))
        assert torch.equal(sample["b"], -sample["a"])


def test_bad_pairs_are_an_error_or_a_named_skip(tmp_path):
    pair(tmp_path / "good.png")
    picture(tmp_path / "odd.png", size=(7, 8))
    (tmp_path / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n torn")
    with pytest.raises(UserError, match=r"odd.png: it is 7 pixels wide.*and 1 more.*skip"):
        pairs_in(tmp_path, Reading())
    found = pairs_in(tmp_path, Reading(on_problem="skip"))
    assert list(found.before.names) == list(found.after.names) == ["good"]
    assert [problem.path.name for problem in found.problems] == ["odd.png", "torn.png"]
    assert "odd.png: it is 7" in str(found.problems[0]) and "torn.png: " in str(found.problems[1])


SHAPES = {
    "squares": ([(16, 8)] * 3, None),
    "wide": ([(48, 16), (24, 8), (30, 10)], None),
    "sizes of one shape": ([(200, 100), (201, 100), (400, 199), (64, 32)], None),
    "square": ([(8, 8)] * 3 + [(16, 8)], "3 of 4 pictures are narrower than two square images"),
    "upright": ([(8, 16)] * 3 + [(16, 8)], "3 of 4 pictures are narrower"),
    "3:2": ([(24, 16)] * 3, "3 of 3 pictures are narrower"),
    "16:9": ([(64, 36)] * 3, "3 of 3 pictures are narrower"),
    "mixed": ([(40, 20), (60, 20), (90, 20), (24, 16), (16, 24)], "the 5 pictures are of many shapes"),
}


@pytest.mark.parametrize("name", SHAPES)
def test_single_pictures_given_as_pairs_are_noticed(tmp_path, name):
    sizes, told = SHAPES[name]
    for k, (width, height) in enumerate(sizes):
        picture(tmp_path / f"{k}.png", size=(width // 2 * 2, height))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        pairs_in(tmp_path, Reading())
    assert len(caught) == (told is not None)
    if told:
        message = str(caught[0].message)
        assert told in message and "give two folders" in message and f"such as {tmp_path}" in message


def test_pairs_of_two_folders_have_one_name_and_any_suffix(tmp_path):
    for name, value in (("one", 0), ("two", 255)):
        picture(tmp_path / "trainA" / f"{name}.png", value)
        picture(tmp_path / "trainB" / f"{name}.bmp", 255 - value)
    for folders, order in ((tmp_path, "AB"), ((tmp_path / "trainA", tmp_path / "trainB"), "BA")):
        source = open_pairs(folders, "train", Augmentation.none(8), Reading(order)).source
        assert len(source) == 2
        first = -1.0 if order == "AB" else 1.0
        assert torch.equal(source.sample(0, None)["a"], torch.full((1, 3, 8, 8), first))
        assert torch.equal(source.sample(1, None)["b"], torch.full((1, 3, 8, 8), first))


def test_pictures_without_a_mate_are_named_with_the_nearest(tmp_path):
    for name in ("street_01", "street_02", "market"):
        picture(tmp_path / "a" / f"{name}.png")
    for name in ("street_01", "street-02"):
        picture(tmp_path / "b" / f"{name}.png")
    told = (
        "3 images in .*/a and .*/b have no mate of their name: a/market.png: there is no image market in b; "
        "a/street_02.png: there is no image street_02 in b; the nearest name is street-02; b/street-02.png: "
    )
    with pytest.raises(UserError, match=told):
        pairs_across(tmp_path / "a", tmp_path / "b", Reading())
    found = pairs_across(tmp_path / "a", tmp_path / "b", Reading(on_problem="skip"))
    assert list(found.before.names) == list(found.after.names) == ["street_01"]
    assert [str(problem).removeprefix(f"{tmp_path}/") for problem in found.problems] == [
        "a/market.png: there is no image market in b",
        "a/street_02.png: there is no image street_02 in b; the nearest name is street-02",
        "b/street-02.png: there is no image street-02 in a; the nearest name is street_02",
    ]


def test_ten_pictures_without_a_mate_are_listed(tmp_path):
    for k in range(14):
        picture(tmp_path / "a" / f"{k:02}.png"), picture(tmp_path / "b" / f"{k:02}{'_label' if k else ''}.png")
    with pytest.raises(UserError, match=r"^26 images .*; and 16 more\. Rename or remove them") as caught:
        pairs_across(tmp_path / "a", tmp_path / "b", Reading())
    assert str(caught.value).count("there is no image") == 10
    assert "a/10.png: there is no image 10 in b; and" in str(caught.value)


def test_two_images_of_one_name_are_no_pair(tmp_path):
    picture(tmp_path / "a" / "x.png"), picture(tmp_path / "a" / "x.bmp"), picture(tmp_path / "b" / "x.png")
    with pytest.raises(UserError, match=r"x\.bmp and .*x\.png have one name"):
        pairs_across(tmp_path / "a", tmp_path / "b", Reading())


def test_two_images_of_one_name_have_no_masks_of_their_own(tmp_path):
    (
        picture(tmp_path / "trainA" / "x.png"),
        picture(tmp_path / "trainA" / "x.bmp"),
        mask(tmp_path / "trainA_seg" / "x.png"),
    )
    with pytest.raises(UserError, match=r"x\.bmp and .*x\.png have one name: keep one of them, or rename it"):
        masked_in(tmp_path / "trainA", Reading())


def test_images_in_nested_folders_are_called_by_the_way_to_them(tmp_path):
    for name in ("one/x", "two/x", ".hidden/x", "y"):
        picture(tmp_path / "trainA" / f"{name}.png")
        mask(tmp_path / "trainA_seg" / f"{name}_0.png")
    assert list(masked_in(tmp_path / "trainA", Reading(on_problem="skip")).files.names) == ["y"]
    files = masked_in(tmp_path / "trainA", Reading(recursive=True)).files
    assert list(files.names) == ["one/x", "two/x", "y"]
    assert [files.masks(k).shape[1] for k in range(3)] == [1, 1, 1]
    for name in ("one/x", "two/x"):
        picture(tmp_path / "deep" / f"{name}.png")
    with pytest.raises(UserError, match="no image in .*deep itself, only in the folders in it"):
        singles_in(tmp_path / "deep", Reading())
    found = pairs_across(tmp_path / "trainA", tmp_path / "deep", Reading(on_problem="skip", recursive=True))
    assert list(found.after.names) == ["one/x", "two/x"]


def test_mates_of_another_size_are_refused_or_resized(tmp_path):
    picture(tmp_path / "a" / "x.png", size=(8, 8))
    picture(tmp_path / "b" / "x.png", size=(16, 16))
    with pytest.raises(UserError, match=r"x.png: it is 8x8, and its mate .*b/x.png is 16x16; resize unequal pairs"):
        pairs_across(tmp_path / "a", tmp_path / "b", Reading())
    sample = open_pairs(
        (tmp_path / "a", tmp_path / "b"), "train", Augmentation.none(8), Reading(unequal="resize")
    ).source.sample(0, None)
    assert sample["a"].shape == sample["b"].shape == (1, 3, 8, 8)
    picture(tmp_path / "b" / "x.png", size=(16, 8))
    with pytest.raises(UserError, match="one would be stretched"):
        pairs_across(tmp_path / "a", tmp_path / "b", Reading())
    (tmp_path / "b" / "x.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"a/x.png: its mate .*b/x.png: is not an image"):
        pairs_across(tmp_path / "a", tmp_path / "b", Reading(unequal="resize"))


def test_folders_without_images_are_refused(tmp_path):
    with pytest.raises(UserError, match="no folder .*nowhere"):
        singles_in(tmp_path / "nowhere", Reading(on_problem="skip"))
    with pytest.raises(UserError, match="no image in"):
        images_in(tmp_path)
    (tmp_path / "torn.jpg").write_bytes(b"no")
    with pytest.raises(UserError, match="nothing in .* can be used; the first of 1"):
        singles_in(tmp_path, Reading(on_problem="skip"))
    with pytest.raises(UserError, match="trainA and trainB"):
        open_unpaired(tmp_path, "train", Augmentation.none(8), 0, Reading())


def masked_set(folder):
    for name, masks in (("x", 2), ("y", 1), ("bare", 0), ("small", 1)):
        picture(folder / "trainA" / f"{name}.png")
        for k in range(masks):
            mask(folder / "trainA_seg" / f"{name}_{k}.png", (4, 4) if name == "small" else (8, 8))
    picture(folder / "trainA_seg" / "stray_0.png")


def test_masks_without_mates_or_of_another_size_are_named(tmp_path):
    masked_set(tmp_path)
    with pytest.raises(UserError, match="stray_0.png: there is no image stray"):
        masked_in(tmp_path / "trainA", Reading())
    found = masked_in(tmp_path / "trainA", Reading(on_problem="skip"))
    assert list(found.files.names) == ["x", "y"]
    reasons = {problem.path.name: problem.reason for problem in found.problems}
    assert set(reasons) == {"stray_0.png", "bare.png", "small.png"}
    assert "no mask bare.png or bare_0.png in trainA_seg" in reasons["bare.png"]
    assert "small_0.png is of another size, 4x4, not 8x8" in reasons["small.png"]
    assert found.files.masks(0).shape == (1, 2, 8, 8) and (found.files.masks(1) == 1).sum() == 8


def test_names_with_numbers_keep_their_own_masks(tmp_path):
    """a_1.png is a picture of its own, whose mask is a_1_0.png, and no mask of a.png."""
    for name in ("a", "a_1"):
        picture(tmp_path / "trainA" / f"{name}.png")
        mask(tmp_path / "trainA_seg" / f"{name}_0.png")
    files = masked_in(tmp_path / "trainA", Reading()).files
    assert [files.masks(k).shape[1] for k in range(2)] == [1, 1]


def test_unpaired_samples_take_a_in_turn_and_b_at_random(tmp_path):
    for k in range(3):
        picture(tmp_path / "trainA" / f"{k}.png", 10 * k)
    for k in range(5):
        picture(tmp_path / "trainB" / f"{k}.png", 100 + 10 * k)
    source = open_unpaired(tmp_path, "train", Augmentation.none(8), 0, Reading()).source
    assert len(source) == 5
    assert torch.equal(source.sample(4, None)["a"], source.sample(1, None)["a"])
    drawn = {float(source.sample(0, np.random.default_rng(k))["b"].mean()) for k in range(60)}
    assert len(drawn) == 5


def test_sets_of_as_many_images_with_other_names_are_told_apart(tmp_path):
    for folder, name in (("one", "x"), ("same", "x"), ("other", "y")):
        pair(tmp_path / folder / f"{name}.png")
    one, same, other = (
        open_pairs(tmp_path / name, "train", Augmentation.none(8), Reading()).source.describe()
        for name in ("one", "same", "other")
    )
    assert one == same != other


# --- masks ---------------------------------------------------------------------------------------------------


def test_the_largest_instances_come_first_and_empty_ones_not_at_all():
    masks = torch.full((1, 4, 8, 8), -1.0)
    masks[:, 1, :2, :2] = 1
    masks[:, 3, :5, :5] = 1
    masks[:, 0, :1, :1] = 1
    chosen = largest_masks(masks, 2)
    assert torch.equal(chosen, masks[:, [3, 1]])
    assert torch.equal(largest_masks(masks, 6)[:, 3:], torch.full((1, 3, 8, 8), -1.0))
