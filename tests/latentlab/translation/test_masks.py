"""Masks of instances in all the forms that users have: values, colours, alpha, numbers, polygons, names."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from latentlab.errors import UserError
from latentlab.images import save_image
from latentlab.translation.data.folders import Reading, masked_in
from latentlab.translation.data.mask_files import MaskFolder
from latentlab.translation.data.masks import load_mask

INSIDE = np.zeros((48, 64), bool)
INSIDE[10:30, 12:40] = True


def saved(folder, array, name="mask.png", **options):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = array if isinstance(array, Image.Image) else Image.fromarray(array)
    picture.save(path, **options)
    return path


def holds(path, *instances):
    """Whether the file gives these masks."""
    masks = load_mask(path)
    assert masks.dtype == torch.float32 and set(masks.unique().tolist()) == {-1.0, 1.0}
    return np.array_equal((masks > 0).numpy(), np.stack(instances))


# --- values -------------------------------------------------------------------------------------------------


@given(st.integers(1, 255))
def test_any_grey_on_black_is_the_mask(tmp_path_factory, level):
    assert holds(saved(tmp_path_factory.mktemp("grey"), np.uint8(level) * INSIDE), INSIDE)


@given(st.tuples(*[st.integers(0, 255)] * 3).filter(any))
def test_any_colour_on_black_is_the_mask(tmp_path_factory, colour):
    assert holds(saved(tmp_path_factory.mktemp("colour"), np.uint8(colour) * INSIDE[..., None]), INSIDE)


def test_one_bit_palette_and_sixteen_bit_masks(tmp_path):
    assert holds(saved(tmp_path, Image.fromarray(INSIDE), "bit.png"), INSIDE)
    assert holds(saved(tmp_path, Image.fromarray(INSIDE.astype(np.uint16) * 40_000), "deep.png"), INSIDE)
    palette = Image.fromarray(INSIDE.astype(np.uint8), "P")
    palette.putpalette([0, 0, 0, 128, 0, 0])
    assert holds(saved(tmp_path, palette, "palette.png"), INSIDE)


@pytest.mark.parametrize("colour", [(30, 30, 30), (0, 0, 0), (255, 255, 255)])
def test_an_alpha_channel_that_varies_is_the_mask(tmp_path, colour):
    array = np.dstack([np.full((*INSIDE.shape, 3), colour, np.uint8), 255 * INSIDE.astype(np.uint8)])
    assert holds(saved(tmp_path, array), INSIDE)
    picture = np.random.default_rng(0).integers(0, 256, array.shape, dtype=np.uint8)  # a picture that was cut out
    picture[..., 3] = array[..., 3]
    assert holds(saved(tmp_path, picture), INSIDE)


def test_an_opaque_alpha_channel_says_nothing(tmp_path):
    array = np.dstack([200 * np.uint8(INSIDE)[..., None].repeat(3, 2), np.full(INSIDE.shape, 255, np.uint8)])
    assert holds(saved(tmp_path, array), INSIDE)


# --- instances ----------------------------------------------------------------------------------------------

OTHER = np.zeros_like(INSIDE)
OTHER[35:44, 45:60] = True
TINY = np.zeros_like(INSIDE)
TINY[2, 50:52] = True


@pytest.mark.parametrize("ids", [(1, 2), (1, 7), (26_001, 26_004)])
def test_each_number_is_an_instance(tmp_path, ids):
    array = np.uint16(ids[0]) * INSIDE + np.uint16(ids[1]) * OTHER
    assert holds(saved(tmp_path, array), INSIDE, OTHER)


def test_each_colour_is_an_instance(tmp_path):
    array = np.uint8((0, 0, 200)) * INSIDE[..., None] + np.uint8((200, 0, 0)) * OTHER[..., None]
    assert holds(saved(tmp_path, array), INSIDE, OTHER)


def test_an_instance_of_two_pixels_counts_where_numbers_have_no_gap(tmp_path):
    assert holds(saved(tmp_path, np.uint8(TINY) + np.uint8(2) * INSIDE + np.uint8(3) * OTHER), TINY, INSIDE, OTHER)


@pytest.mark.parametrize(("suffix", "options"), [("png", {}), ("jpg", {"quality": 70}), ("webp", {"quality": 60})])
@pytest.mark.parametrize("colour", [(255, 255, 255), (0, 200, 0)])
def test_soft_edges_are_cut_at_half(tmp_path, suffix, options, colour):
    picture = Image.fromarray(np.uint8(colour) * INSIDE[..., None]).filter(ImageFilter.GaussianBlur(0.8))
    masks = load_mask(saved(tmp_path, picture, f"mask.{suffix}", **options))
    assert masks.shape[0] == 1
    assert ((masks[0] > 0).numpy() != INSIDE).mean() < 0.01


# --- background and void ------------------------------------------------------------------------------------


def in_palette(codes, *colours):
    picture = Image.fromarray(np.asarray(codes, np.uint8), "P")
    picture.putpalette([value for colour in colours for value in colour])
    return picture


@pytest.mark.parametrize("name", ["mask.png", "mask.jpg"])
def test_black_on_white_is_the_mask(tmp_path, name):
    white = np.where(INSIDE, np.uint8(0), np.uint8(255))
    assert holds(saved(tmp_path, white, name), INSIDE)
    assert holds(saved(tmp_path, np.uint16(257) * white, "deep.png"), INSIDE)
    assert holds(saved(tmp_path, Image.fromarray(~INSIDE), "bit.png"), INSIDE)


def test_soft_black_on_white_is_the_mask(tmp_path):
    soft = Image.fromarray(np.where(INSIDE, np.uint8(0), np.uint8(255))).filter(ImageFilter.GaussianBlur(0.8))
    masks = load_mask(saved(tmp_path, soft))
    assert masks.shape[0] == 1 and ((masks[0] > 0).numpy() != INSIDE).mean() < 0.01


def test_colours_on_white_are_instances(tmp_path):
    array = np.full((*INSIDE.shape, 3), 255, np.uint8)
    array[INSIDE], array[OTHER] = (0, 0, 200), (200, 0, 0)
    assert holds(saved(tmp_path, array), INSIDE, OTHER)


def test_a_value_that_covers_the_border_is_the_background(tmp_path):
    assert holds(saved(tmp_path, np.uint8(1) + INSIDE), INSIDE)


def test_palettes_are_read_by_index(tmp_path):
    black, white, green = (0, 0, 0), (255, 255, 255), (0, 128, 0)
    assert holds(saved(tmp_path, in_palette(INSIDE, white, black)), INSIDE)
    assert holds(saved(tmp_path, in_palette(INSIDE, green, black)), INSIDE)
    assert holds(saved(tmp_path, in_palette(~INSIDE, white, black)), INSIDE)  # as quantisers order them
    assert holds(saved(tmp_path, in_palette(INSIDE + 2 * OTHER, black, green, green)), INSIDE, OTHER)


def around(inside, pixels):
    """Pixels in a line of that width around a region."""
    whole = Image.fromarray(inside).convert("L").filter(ImageFilter.MaxFilter(2 * pixels + 1))
    return (np.asarray(whole) > 0) & ~inside


@pytest.mark.parametrize("pixels", [1, 5])
def test_the_void_of_pascal_voc_is_no_instance(tmp_path, pixels):
    void = around(INSIDE, pixels) | around(OTHER, 1)
    numbers = np.uint8(15) * INSIDE + np.uint8(255) * void
    assert holds(saved(tmp_path, numbers + np.uint8(3) * OTHER), OTHER, INSIDE)
    assert holds(saved(tmp_path, np.where(OTHER | around(OTHER, 1), np.uint8(0), numbers)), INSIDE)
    colours = [(k, 0, 0) for k in range(255)] + [(224, 224, 192)]
    assert holds(saved(tmp_path, in_palette(numbers + 3 * OTHER, *colours)), OTHER, INSIDE)
    drawn = np.uint8((128, 0, 0)) * INSIDE[..., None] + np.uint8((224, 224, 192)) * around(INSIDE, pixels)[..., None]
    assert holds(saved(tmp_path, drawn), INSIDE)


def test_shades_of_grey_are_instances(tmp_path):
    assert holds(saved(tmp_path, np.uint8(128) * INSIDE + np.uint8(255) * OTHER), INSIDE, OTHER)


BUST = np.zeros_like(INSIDE)
BUST[20:, 10:50] = True
AMBIGUOUS = {
    "lines": (
        np.uint8(24) * INSIDE + np.uint8(26) * OTHER + np.uint8(200) * around(INSIDE, 1),
        r"several ways: it holds 0 \(\d+%\), 24 \(18%\), 26 \(4%\) and 1 more",
    ),
    "outline": (
        np.uint8(2) * INSIDE + np.uint8(1) * around(INSIDE, 1),
        r"1 may be an instance, or an outline of the others; it holds 0",
    ),
    "trimap": (np.uint8(2) - INSIDE + around(INSIDE, 4), "3 may be an instance, or an outline"),
    "far void": (np.uint8(1) * INSIDE + np.uint8(255) * OTHER, "255 may be an instance, or void as in Pascal VOC"),
    "bust": (
        np.where(BUST, np.uint8(0), np.uint8(255)),
        r"no background that is certain: it holds 255 \(64%\), 0 \(36%\), and 255 has 82% of its border",
    ),
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_an_ambiguous_background_or_void_is_refused_with_what_was_seen(tmp_path, name):
    array, message = AMBIGUOUS[name]
    with pytest.raises(UserError, match=message):
        load_mask(saved(tmp_path, array))


def test_the_advice_on_an_ambiguous_mask_works(tmp_path):
    assert holds(saved(tmp_path, np.uint8(~BUST)), ~BUST)
    clear = np.dstack([np.zeros((*BUST.shape, 3), np.uint8), 255 * np.uint8(BUST)])
    assert holds(saved(tmp_path, clear), BUST)


# --- refusals -----------------------------------------------------------------------------------------------


def many_greys():
    return np.random.default_rng(0).integers(0, 256, INSIDE.shape, dtype=np.uint8)


REFUSED = {
    "empty": (np.zeros_like(INSIDE, np.uint8), "empty: black everywhere"),
    "full": (np.full_like(INSIDE, 255, np.uint8), "full: one value is everywhere"),
    "no background": (
        np.uint8(1) + (np.arange(64) > 20) * np.ones((48, 1), np.uint8),
        r"no background that is certain: it holds 2 \(67%\), 1 \(33%\), and no 0, and 2 has \d+% of its border",
    ),
    "photo": (many_greys(), r"several ways: it holds .* and 25\d more values; save a PNG"),
    "blurred numbers": (
        np.asarray(Image.fromarray(np.uint8(120) * INSIDE + np.uint8(240) * OTHER).filter(ImageFilter.BoxBlur(2))),
        "several ways",
    ),
    "floats": (INSIDE.astype(np.float32), "32-bit floats"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_be_guessed_is_refused_with_what_was_seen(tmp_path, name):
    array, message = REFUSED[name]
    with pytest.raises(UserError, match=message) as caught:
        load_mask(saved(tmp_path, array, "mask.tif"))
    assert str(tmp_path / "mask.tif") in str(caught.value)


def test_colours_that_a_jpeg_has_mixed_are_refused(tmp_path):
    array = np.uint8((0, 0, 220)) * INSIDE[..., None] + np.uint8((220, 0, 0)) * OTHER[..., None]
    with pytest.raises(UserError, match="several ways"):
        load_mask(saved(tmp_path, array, "mask.jpg"))


# --- files --------------------------------------------------------------------------------------------------


def picture(folder, name, size=(64, 48)):
    return saved(folder, Image.new("RGB", size, "grey"), f"{name}.png")


def mask(folder, name, inside=INSIDE):
    return saved(folder, np.uint8(1) * inside, f"{name}.png")


def own_masks(folder, name):
    path = folder / "in" / f"{name}.png"
    return MaskFolder.for_files(folder / "seg", {name: path}).read(path, name)


def test_the_very_name_comes_before_numbers(tmp_path):
    """img_12.png is the mask of picture img_12, and no twelfth mask of picture img."""
    for name in ("img", "img_12", "other", "third"):
        picture(tmp_path / "in", name)
    for name, inside in (("img_12", OTHER), ("img_3", INSIDE), ("img_0", TINY), ("other_mask", OTHER), ("third", TINY)):
        mask(tmp_path / "seg", name, inside)
    expected = {"img": [TINY, INSIDE], "img_12": [OTHER], "other": [OTHER], "third": [TINY]}
    for name, instances in expected.items():
        assert np.array_equal((own_masks(tmp_path, name) > 0)[0].numpy(), np.stack(instances))


def test_the_rule_for_training_is_the_same(tmp_path):
    for name in ("a", "a_1"):
        picture(tmp_path / "trainA", name)
    for name, inside in (("a_1", OTHER), ("a_0", INSIDE)):
        mask(tmp_path / "trainA_seg", name, inside)
    files = masked_in(tmp_path / "trainA", Reading()).files
    assert np.array_equal((files.masks(0) > 0)[0, 0].numpy(), INSIDE)
    assert np.array_equal((files.masks(1) > 0)[0, 0].numpy(), OTHER)


def test_files_named_in_two_ways_are_refused(tmp_path):
    path = picture(tmp_path / "in", "a")
    mask(tmp_path / "seg", "a"), mask(tmp_path / "seg", "a_0")
    with pytest.raises(UserError, match=r"a\.png: its masks in seg are named in two ways, a.png and a_0.png; keep one"):
        own_masks(tmp_path, "a")
    (tmp_path / "seg" / "a_0.png").unlink()
    mask(tmp_path / "seg", "a", np.zeros_like(INSIDE))
    with pytest.raises(UserError, match=f"{path}: its mask a.png: the mask is empty"):
        own_masks(tmp_path, "a")


def test_a_picture_that_its_camera_turned_has_masks_as_it_is_shown(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    (tmp_path / "in").mkdir()
    Image.new("RGB", (64, 48), "grey").save(tmp_path / "in" / "a.png", exif=exif)
    mask(tmp_path / "seg", "a", INSIDE.T)
    assert np.array_equal((own_masks(tmp_path, "a") > 0)[0, 0].numpy(), INSIDE.T)


# --- polygons -----------------------------------------------------------------------------------------------

CORNERS = [[12, 10], [40, 10], [40, 30], [12, 30]]
OTHERS = [[45, 35], [60, 44]]


def labelme(folder, name, shapes, **more):
    folder.mkdir(parents=True, exist_ok=True)
    data = {"version": "5.4", "shapes": shapes, "imagePath": f"{name}.png", "imageHeight": 48, "imageWidth": 64, **more}
    (folder / f"{name}.json").write_text(json.dumps(data))


def coco(folder, annotations, size=(48, 64)):
    folder.mkdir(parents=True, exist_ok=True)
    pictures = [{"id": 7, "file_name": "some/where/a.jpg", "height": size[0], "width": size[1]}]
    data = {"images": pictures, "annotations": [{"id": 1, "image_id": 7, **one} for one in annotations]}
    (folder / "instances.json").write_text(json.dumps(data))


def flat(corners):
    return [value for corner in corners for value in corner]


def test_polygons_of_labelme(tmp_path):
    picture(tmp_path / "in", "a")
    shapes = [
        {"label": "sheep", "points": CORNERS, "shape_type": "polygon", "group_id": None},
        {"label": "sheep", "points": OTHERS, "shape_type": "rectangle", "group_id": None},
    ]
    labelme(tmp_path / "seg", "a", shapes)
    assert np.array_equal((own_masks(tmp_path, "a") > 0)[0].numpy(), np.stack([INSIDE, OTHER]))
    for shape in shapes:
        shape["group_id"] = 3
    labelme(tmp_path / "seg", "a", shapes)
    assert np.array_equal((own_masks(tmp_path, "a") > 0)[0].numpy(), (INSIDE | OTHER)[None])
    labelme(tmp_path / "seg", "a", [{"points": [[30, 24], [30, 14]], "shape_type": "circle"}])
    assert float((own_masks(tmp_path, "a") > 0).sum()) == pytest.approx(np.pi * 100, rel=0.03)


def test_polygons_of_coco(tmp_path):
    picture(tmp_path / "in", "a"), picture(tmp_path / "in", "bare")
    whole = [flat(CORNERS)]
    parts = [flat([[12, 10], [26, 10], [26, 30], [12, 30]]), flat([[26, 10], [40, 10], [40, 30], [26, 30]])]
    crowd = {"segmentation": {"counts": [1], "size": [48, 64]}, "iscrowd": 1}
    for segmentation in (whole, parts):
        coco(tmp_path / "seg", [{"segmentation": segmentation, "iscrowd": 0}, crowd])
        assert np.array_equal((own_masks(tmp_path, "a") > 0)[0].numpy(), INSIDE[None])
    with pytest.raises(UserError, match="bare.png: it has no mask bare.png or bare_0.png in seg"):
        own_masks(tmp_path, "bare")


def test_pictures_of_coco_with_one_name_in_several_folders_keep_their_own(tmp_path):
    for name in ("x", "one/x", "two/x", "y"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        picture(tmp_path / "in", name)
    boxes = {"one/x.jpg": (2, 2, 4), "x.jpg": (10, 10, 6), "two/x.jpg": (20, 20, 8), "a/y.jpg": (3, 3, 3)}

    def write(names):
        rows = [{"id": k, "file_name": name, "height": 48, "width": 64} for k, name in enumerate(names)]
        areas = [
            {"id": k, "image_id": k, "segmentation": [[x, y, x + n, y, x + n, y + n, x, y + n]]}
            for k, (x, y, n) in enumerate(boxes[name] for name in names)
        ]
        (tmp_path / "seg").mkdir(exist_ok=True)
        (tmp_path / "seg" / "instances.json").write_text(json.dumps({"images": rows, "annotations": areas}))

    def area(name, pictures=("x", "one/x", "two/x", "y")):
        found = MaskFolder.open(tmp_path / "seg", pictures).read(tmp_path / "in" / f"{name}.png", name)
        return int((found > 0).sum())

    write(boxes)
    assert [area(name) for name in ("x", "one/x", "two/x", "y")] == [36, 16, 64, 9]
    write(["one/x.jpg", "two/x.jpg"])
    with pytest.raises(UserError, match="it has no mask x.png"):
        area("x")
    with pytest.raises(UserError, match="instances.json has several pictures of that name, one/x and two/x"):
        area("x", ("x",))
    boxes["x.png"] = (1, 1, 2)
    write(["x.jpg", "x.png"])
    with pytest.raises(UserError, match="several pictures of that name, x and x"):
        area("x")


def test_polygons_that_cannot_be_used_say_why(tmp_path):
    picture(tmp_path / "in", "a")
    seg = tmp_path / "seg"
    coco(seg, [{"segmentation": {"counts": "abc", "size": [48, 64]}}])
    with pytest.raises(UserError, match=r"instances.json holds an annotation as run lengths \(RLE\), 1"):
        own_masks(tmp_path, "a")
    coco(seg, [{"segmentation": []}])
    with pytest.raises(UserError, match="instances.json: the annotation 1 has no polygon"):
        own_masks(tmp_path, "a")
    coco(seg, [{"segmentation": [flat(CORNERS)]}], (24, 32))
    with pytest.raises(UserError, match="its mask instances.json is of another size: drawn on 32x24, not 64x48"):
        own_masks(tmp_path, "a")
    coco(seg, [])
    with pytest.raises(UserError, match="its mask instances.json has no instance for it"):
        own_masks(tmp_path, "a")
    coco(seg, [{"segmentation": [flat([[-9, -9], [-2, -9], [-2, -2]])]}])
    with pytest.raises(UserError, match="lies outside the picture"):
        own_masks(tmp_path, "a")
    (seg / "instances.json").unlink()
    for content, message in (
        (
            {"shapes": [{"points": CORNERS, "shape_type": "mask"}]},
            " holds a mask: masks are drawn as polygon, rectangle",
        ),
        ({"shapes": [{"points": CORNERS[:2]}]}, " cannot be read as polygons: a polygon of 2 corners"),
        (
            {"shapes": [{"points": CORNERS, "shape_type": "circle"}]},
            " cannot be read as polygons: a circle of 4 points",
        ),
        ({"shapes": [{"points": CORNERS, "shape_type": "rectangle"}]}, " cannot be read as polygons: a rectangle of 4"),
        ({"images": [{}], "annotations": []}, " cannot be used: cannot be read as .*missing required field `id`"),
        ({"licence": "MIT"}, " cannot be used: is a JSON file of neither labelme nor COCO"),
    ):
        (seg / "a.json").write_text(json.dumps(content))
        with pytest.raises(UserError, match=f"a.json{message}"):
            own_masks(tmp_path, "a")


def test_skipping_covers_outlines(tmp_path):
    for name in ("a", "b", "c"):
        picture(tmp_path / "trainA", name)
    seg = tmp_path / "trainA_seg"
    polygon = {"points": CORNERS, "shape_type": "polygon"}
    labelme(seg, "a", [polygon])
    labelme(seg, "b", [polygon, {"points": CORNERS[:1], "shape_type": "point"}])
    labelme(seg, "c", [{"points": CORNERS[:2], "shape_type": "mask", "mask": "iVBO"}])
    (seg / "other.json").write_text("{}"), (seg / "torn.json").write_text("{")
    with pytest.raises(UserError, match=r"other.json: is a JSON file of neither labelme nor COCO \(and 3 more: "):
        masked_in(tmp_path / "trainA", Reading())
    found = masked_in(tmp_path / "trainA", Reading(on_problem="skip"))
    assert list(found.files.names) == ["a"]
    assert {problem.path.name for problem in found.problems} == {"other.json", "torn.json", "b.png", "c.png"}


def test_skipping_leaves_the_other_pictures_of_coco(tmp_path):
    pictures = [{"id": k, "file_name": f"{k}.jpg", "height": 48, "width": 64} for k in range(4)]
    good, runs = [flat(CORNERS)], {"counts": [1], "size": [48, 64]}
    rows = [good, runs, [], [flat(CORNERS)[:-1]]]
    areas = [{"id": k, "image_id": k, "segmentation": segmentation} for k, segmentation in enumerate(rows)]
    for k in range(4):
        picture(tmp_path / "trainA", str(k))
    (tmp_path / "trainA_seg").mkdir()
    (tmp_path / "trainA_seg" / "all.json").write_text(json.dumps({"images": pictures, "annotations": areas}))
    found = masked_in(tmp_path / "trainA", Reading(on_problem="skip"))
    assert list(found.files.names) == ["0"]
    reasons = [problem.reason for problem in found.problems]
    assert "run lengths" in reasons[0] and "no polygon" in reasons[1] and "corner of one number" in reasons[2]


def test_folders_without_masks_are_refused(tmp_path):
    picture(tmp_path / "in", "a")
    with pytest.raises(UserError, match="there is no folder .*seg of masks"):
        own_masks(tmp_path, "a")
    (tmp_path / "seg").mkdir()
    with pytest.raises(UserError, match="no mask in .*seg: neither an image nor polygons"):
        own_masks(tmp_path, "a")


def test_masks_that_are_written_are_read_as_they_were(tmp_path):
    written = torch.from_numpy(np.where(INSIDE, np.float32(1), np.float32(-1)))
    save_image(written.expand(3, -1, -1), tmp_path / "mask.png")
    assert torch.equal(load_mask(tmp_path / "mask.png")[0], written)
