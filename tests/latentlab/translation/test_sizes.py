"""Sizes: what networks take, and how images of any size are placed in training."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from latentlab.cli.options import parse_size
from latentlab.errors import UserError
from latentlab.translation import CycleGAN, InstaGAN, Pix2Pix, Reading, load_translator
from latentlab.translation.data.sets import open_pairs, open_unpaired
from latentlab.translation.data.transforms import Augmentation

# --- sizes --------------------------------------------------------------------------------------------------


def test_sizes_are_a_number_or_width_and_height():
    assert parse_size("256") == 256 and parse_size("960x540") == (540, 960) and parse_size(" 64X32 ") == (32, 64)
    for wrong in ("", "x", "64x", "-64", "64x32x3", "6.4", "64 32"):
        with pytest.raises(UserError, match="such as 960x540"):
            parse_size(wrong)
    with pytest.raises(UserError, match="16 pixels or more"):
        parse_size("64x8", 16)


@pytest.mark.parametrize(
    ("size", "found"),
    [(16, 16), (256, 256), (512, 512), ((512, 1024), 512), (96, 32), ((544, 960), 32), ((16, 64), 16)],
)
def test_a_unet_halves_as_often_as_both_sides_can_be(size, found):
    assert Pix2Pix.configure(size, 2).generator.size == found


@pytest.mark.parametrize(
    ("size", "found"), [(48, 32), ((540, 960), 64), ((720, 1280), 256), ((1080, 1920), 128), ((33, 47), 32)]
)
def test_a_unet_takes_other_sizes_padded(size, found):
    assert Pix2Pix.configure(size, 2).generator.size == found


def test_sizes_that_networks_do_not_take_are_refused_with_some_that_they_take():
    for method in (CycleGAN, InstaGAN):
        assert method.configure((540, 960), 2).generator.blocks == 9
        assert method.configure((64, 128), 2).generator.blocks == 6
        with pytest.raises(UserError, match="not 962x541; the nearest are 964x540"):
            method.configure((541, 962), 2)


# --- placing ------------------------------------------------------------------------------------------------


def test_the_papers_proportions():
    assert Augmentation.for_resolution(256) == Augmentation((256, 256), (286, 286), True, "stretch")
    assert Augmentation.for_resolution((128, 256)).load_size == (143, 286)
    assert Augmentation.for_resolution(128, "crop").load_size == (128, 128)
    for wrong, told in (
        (((16, 16), (16, 8)), "not to 8x16 for 16x16"),
        (((16, 16), (20, 20), True, "crop"), "not resized to 20x20"),
        (((16, 16), (20, 20), True, "fill"), "stretch, cover, crop, not 'fill'"),
    ):
        with pytest.raises(UserError, match=told):
            Augmentation(*wrong)


@given(st.integers(0, 2**32 - 1), st.sampled_from(["stretch", "cover", "crop"]))
def test_images_and_masks_are_placed_alike(seed, fit):
    """Drawn on a picture whose resizing changes nothing, so that soft edges cannot tell them apart."""
    augmentation = Augmentation((12, 16), (12, 16) if fit == "crop" else (20, 24), True, fit)
    placement = augmentation.place(20, 24, np.random.default_rng(seed))
    masks = torch.full((1, 2, 20, 24), -1.0)
    masks[:, 0, 3:9, 4:12] = 1
    masks[:, 1, 10:, :7] = 1
    placed = placement.image(masks[:, :1].expand(-1, 3, -1, -1))
    assert torch.equal(placement.masks(masks)[:, 0], placed[:, 0]) and placed.shape == (1, 3, 12, 16)
    assert 0 <= placement.left <= 8 and 0 <= placement.top <= 8


def test_every_place_and_both_sides_are_drawn():
    draws = [Augmentation((16, 16), (18, 18)).place(9, 9, np.random.default_rng(k)) for k in range(200)]
    assert {d.left for d in draws} == {d.top for d in draws} == {0, 1, 2}
    assert 60 < sum(d.mirrored for d in draws) < 140
    still = Augmentation((16, 16), (18, 18), flip=False)
    assert not any(still.place(9, 9, np.random.default_rng(k)).mirrored for k in range(50))


@given(st.integers(1, 400), st.integers(1, 400), st.integers(1, 60), st.integers(1, 60))
def test_covering_keeps_the_shape_and_fills_the_size(height, width, rows, columns):
    augmentation = Augmentation.for_resolution((rows, columns), "cover")
    for rng, least in ((None, augmentation.size), (np.random.default_rng(0), augmentation.load_size)):
        placement = augmentation.place(height, width, rng)
        tall, wide = placement.load_size
        assert tall >= least[0] and wide >= least[1] and (tall == least[0] or wide == least[1])
        assert abs(tall * width - wide * height) <= max(width, height)  # to a pixel
        assert 0 <= placement.top <= tall - rows and 0 <= placement.left <= wide - columns


def ramp(path, size, mode="RGB"):
    """A picture whose columns rise from 0 by one each."""
    path.parent.mkdir(parents=True, exist_ok=True)
    row = np.arange(size[0], dtype=np.uint8)
    Image.fromarray(np.tile(row, (size[1], 1))).convert(mode).save(path)


def test_the_middle_is_cropped_of_what_is_held_out(tmp_path):
    ramp(tmp_path / "trainA" / "x.png", (40, 10)), ramp(tmp_path / "trainB" / "x.png", (40, 10))
    for fit, middle in (("crop", list(range(15, 25))), ("stretch", [1.5 + 4 * k for k in range(10)])):
        sample = open_pairs(tmp_path, "train", Augmentation.none(10, fit), Reading()).source.sample(0, None)
        columns = (sample["a"][0, 0, 0] + 1) * 127.5
        torch.testing.assert_close(columns[2:-2], torch.tensor(middle, dtype=torch.float32)[2:-2], atol=0.1, rtol=0)
        assert torch.equal(sample["a"], sample["b"])
    cover = open_pairs(tmp_path, "train", Augmentation.none((5, 10), "cover"), Reading()).source.sample(0, None)
    assert cover["a"].shape == (1, 3, 5, 10)  # halved to 20x5, whose middle starts at column 5
    assert abs(float((cover["a"][0, 0, 0, 0] + 1) * 127.5) - 10.5) < 0.1


def test_mates_are_placed_alike_also_where_they_differ_in_size(tmp_path):
    ramp(tmp_path / "a" / "x.png", (40, 20)), ramp(tmp_path / "b" / "x.png", (80, 40))
    folders, reading = (tmp_path / "a", tmp_path / "b"), Reading(unequal="resize")
    for fit in ("stretch", "cover", "crop"):
        augmentation = Augmentation.for_resolution((8, 12), fit)
        source = open_pairs(folders, "train", augmentation, reading).source
        sample = source.sample(0, np.random.default_rng(3))
        own, other = ((sample[name][0, 0, 0] + 1) * 127.5 for name in "ab")
        assert own.shape == (12,)
        torch.testing.assert_close(other, own * 2 + 0.5, atol=0.6, rtol=0)


def test_images_smaller_than_the_crop_are_named_with_their_size(tmp_path):
    for side in "AB":
        ramp(tmp_path / f"train{side}" / "large.png", (20, 20)), ramp(tmp_path / f"train{side}" / "small.png", (12, 20))
    crop = Augmentation.for_resolution(16, "crop")
    told = "small.png: it is 12x20, and 16x16 are to be cropped out of it"
    for opens in (
        lambda r: open_pairs(tmp_path, "train", crop, r),
        lambda r: open_unpaired(tmp_path, "train", crop, 0, r),
    ):
        with pytest.raises(UserError, match=told):
            opens(Reading())
        found = opens(Reading(on_problem="skip"))
        assert len(found.source) == 1 and found.source.sample(0, np.random.default_rng(0))["b"].shape == (1, 3, 16, 16)
        assert all(str(problem).endswith(told) for problem in found.problems)
    ramp(tmp_path / "pairs" / "x.png", (28, 20))
    with pytest.raises(UserError, match="of each of its two images it is 14x20"):
        open_pairs(tmp_path / "pairs", "train", crop, Reading())
    with pytest.raises(UserError, match="an image cannot be placed: it is 12x20"):
        crop.place(20, 12, None)


# --- training -----------------------------------------------------------------------------------------------

SMALL = ("--base-channels", 2, "--epochs", 1, "--accelerator", "cpu")


@pytest.mark.parametrize(
    ("method", "size", "flags", "placed"),
    [
        ("pix2pix", "64x32", ("--keep-aspect",), {"fit": "cover", "flip": True, "load_size": [36, 72]}),
        ("cyclegan", "48x32", ("--no-resize", "--no-flip"), {"fit": "crop", "flip": False, "load_size": [32, 48]}),
        ("instagan", "48x32", (), {"fit": "stretch", "flip": True, "load_size": [36, 54]}),
    ],
)
def test_sizes_that_are_not_square_are_trained(run, tmp_path, method, size, flags, placed):
    for side in "AB":
        ramp(tmp_path / f"train{side}" / "x.png", (72, 40))
        ramp(tmp_path / f"test{side}" / "y.png", (50, 60))
        for part, name, of in (("train", "x", (72, 40)), ("test", "y", (50, 60))):
            mask = np.zeros(of[::-1], np.uint8)
            mask[8:20, 8:30] = 255
            path = tmp_path / f"{part}{side}_seg" / f"{name}.png"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(mask).save(path)
    code, _, err = run(
        "translate", "train", method, tmp_path, "--out", tmp_path / "run", "--size", size, *SMALL, *flags
    )
    assert code == 0, err
    card = load_translator(tmp_path / "run" / "translator.safetensors").card
    width, height = map(int, size.split("x"))
    assert card["training"]["data"]["augmentation"] == {"size": [height, width], **placed}
    assert Augmentation.from_dict(card["training"]["data"]["augmentation"]).size == (height, width)
    columns = 3 if method == "pix2pix" else 4
    with Image.open(next((tmp_path / "run" / "samples").glob("*.png"))) as grid:
        assert grid.size[0] % width == 0 and grid.size[0] // width >= columns and grid.size[1] % height == 0
    again = run("translate", "train", method, tmp_path, "--out", tmp_path / "run", "--size", "32", *SMALL, *flags)
    assert again[0] == 2 and "whose" in again[2] and "size" in again[2]


def test_options_of_sizes_that_make_no_sense_are_refused(refused, tmp_path):
    line = ("translate", "train", "pix2pix", tmp_path, "--out", tmp_path / "run")
    assert "--keep-aspect has no effect with --no-resize" in refused(*line, "--no-resize", "--keep-aspect")
    assert "such as 960x540" in refused(*line, "--size", "large")
    assert "16 pixels or more" in refused(*line, "--size", "8")
    with pytest.raises(UserError, match="no placement of images"):
        Augmentation.from_dict({"size": [1]})
