"""Images of one, three and four channels, of 8 and of 16 bits: read, trained on, translated, written."""

import struct
import zlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from latentlab.errors import UserError
from latentlab.translation import Reading, Translator, load_translator
from latentlab.translation.data.folders import pairs_across, singles_in
from latentlab.translation.data.masks import load_mask
from latentlab.translation.data.pixels import PixelFormat, as_colour
from latentlab.translation.data.transforms import Augmentation
from latentlab.translation.methods import CycleGAN, InstaGAN, Pix2Pix

MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def noise(channels, seed=0, size=(12, 16)):
    shape = size if channels == 1 else (*size, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def saved(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)
    return path


@pytest.mark.parametrize("channels", MODES)
def test_bytes_survive(tmp_path, channels):
    array, form = noise(channels), PixelFormat(channels)
    image = form.read(saved(tmp_path / "a.png", array))
    assert image.shape == (1, channels, 12, 16) and image.min() >= -1 and image.max() <= 1
    form.write(image, tmp_path / "b.png")
    with Image.open(tmp_path / "b.png") as again:
        assert again.mode == MODES[channels] and np.array_equal(np.asarray(again), array)


@settings(max_examples=30)
@given(st.integers(0, 60_000), st.integers(1, 5000))
def test_sixteen_bits_are_scaled_by_the_range_of_the_set_and_survive(tmp_path_factory, low, spread):
    folder = tmp_path_factory.mktemp("deep")
    rng = np.random.default_rng(low)
    arrays = [rng.integers(low, low + spread + 1, (8, 8)).astype(np.uint16) for _ in range(2)]
    arrays[0][0, 0], arrays[1][0, 0] = low, low + spread
    paths = [saved(folder / f"{k}.tif", array) for k, array in enumerate(arrays)]
    form = PixelFormat.of_files(paths, 1)
    assert (form.low, form.high) == (low, low + spread)
    read = [form.read(path) for path in paths]
    assert min(image.min() for image in read) == -1 and max(image.max() for image in read) == 1
    form.write(read[0], folder / "out.png")
    with Image.open(folder / "out.png") as again:
        assert np.array_equal(np.asarray(again), arrays[0])


def test_the_format_of_a_set_says_what_is_wrong(tmp_path):
    deep = saved(tmp_path / "deep.png", np.full((8, 8), 900, np.uint16))
    with pytest.raises(UserError, match="all pixels of 1 images are 900"):
        PixelFormat.of_files([deep], 1)
    shallow = saved(tmp_path / "shallow.png", noise(1))
    with pytest.raises(UserError, match=r"deep\.png is of 16 bits and .*shallow\.png is not"):
        PixelFormat.of_files([shallow, deep], 1)
    for wrong in ({"channels": 6}, {"low": 5, "high": 5}, {"high": 1 << 16}):
        with pytest.raises(UserError):
            PixelFormat(**wrong)
    with pytest.raises(UserError, match="no format of pixels"):
        PixelFormat.from_dict({"depth": 8})


def test_files_of_the_other_depth(tmp_path):
    deep = saved(tmp_path / "deep.png", np.full((8, 8), 65535, np.uint16))
    for channels in MODES:
        assert torch.equal(PixelFormat(channels).read(deep), torch.ones(1, channels, 8, 8))
    with pytest.raises(UserError, match=r"shallow\.png: it has 8 bits.* have 16, 100 to 4000"):
        PixelFormat(1, 100, 4000, True).read(saved(tmp_path / "shallow.png", noise(1)))


@pytest.mark.parametrize("method", [Pix2Pix, CycleGAN])
def test_what_is_held_out_has_the_range_of_the_training(tmp_path, method):
    for part, low, high in (("train", 100, 4100), ("test", 1100, 2100)):
        for side in "AB":
            values = np.full((8, 8), low, np.uint16)
            values[:, 4:] = high
            saved(tmp_path / f"{part}{side}" / "x.png", values)
    config, plain = method.configure(32, 2).for_channels(1, 1), Augmentation.none(8)
    opened = method.open_folder(tmp_path, "train", config, plain)
    reading = Reading(pixels=opened.pixels)
    sample = method.open_folder(tmp_path, "test", config, plain, reading).source.sample(0, None)
    for name in "ab":
        torch.testing.assert_close(sample[name].unique(), torch.tensor([-0.5, 0]))
    saved(tmp_path / "testB" / "x.png", noise(1, size=(8, 8)))
    with pytest.raises(UserError, match=r"testB/x.png is of 8 bits, and the images that are learnt from are of 16"):
        method.open_folder(tmp_path, "test", config, plain, reading)


@pytest.mark.parametrize(("skipped", "deep", "kept"), [("one", 1, ["0", "2", "3"]), ("most", 3, ["1", "2", "3"])])
def test_a_file_of_another_depth_is_left_out(tmp_path, skipped, deep, kept):
    for k in range(4):
        grey = noise(1, k, (8, 8))
        for side in "AB":
            is_deep = side == "A" and k in ([1] if deep == 1 else [1, 2, 3])
            saved(tmp_path / f"train{side}" / f"{k}.png", np.uint16(257) * grey if is_deep else grey)
    for found in (
        lambda reading: singles_in(tmp_path / "trainA", reading),
        lambda reading: pairs_across(tmp_path / "trainA", tmp_path / "trainB", reading),
        lambda reading: pairs_across(tmp_path / "trainB", tmp_path / "trainA", reading),
    ):
        with pytest.raises(
            UserError, match=r"it is of (8|16) bits, and 3 of 4 images, such as .*png, are of (8|16): con"
        ):
            found(Reading())
        names = found(Reading(on_problem="skip"))
        assert list((names.files if hasattr(names, "files") else names.before).names) == kept
    config, plain = Pix2Pix.configure(32, 2).for_channels(1, 1), Augmentation.none(8)
    opened = Pix2Pix.open_folder(tmp_path, "train", config, plain, Reading(on_problem="skip"))
    assert len(opened.source) == 3 and opened.pixels[0].deep == (deep == 3)


# --- what Pillow would leave out ----------------------------------------------------------------------------


def deep_png(path, array):
    """Write a PNG of 16 bits in several channels, which Pillow cannot."""
    height, width, channels = array.shape

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 16, {2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in array)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)


def tiff(path, array, order):
    """Write a plain TIFF with any number of channels."""
    height, width, channels = array.shape
    bits, data = 8 * array.itemsize, array.astype(array.dtype.newbyteorder(order)).tobytes()
    entries = [
        (256, 1, width),
        (257, 1, height),
        (258, channels, None),
        (259, 1, 1),
        (262, 1, 2 if channels > 2 else 1),
    ]
    entries += [(273, 1, None), (277, 1, channels), (278, 1, height), (279, 1, len(data))]
    place = 8 + 2 + 12 * len(entries) + 4
    parts = [(b"II" if order == "<" else b"MM"), struct.pack(f"{order}HIH", 42, 8, len(entries))]
    for tag, count, value in entries:
        value = {258: place, 273: place + 2 * channels}.get(tag, value)
        parts.append(struct.pack(f"{order}HHII", tag, 4 if tag != 258 else 3, count, value))
    path.write_bytes(b"".join(parts) + struct.pack(f"{order}I{channels}H", 0, *[bits] * channels) + data)


@pytest.mark.parametrize("kind", ["png2", "png3", "png4", "little", "big", "ppm"])
def test_colour_of_sixteen_bits_is_refused_by_name(tmp_path, kind):
    array = np.random.default_rng(0).integers(200, 4000, (8, 10, 3)).astype(np.uint16)
    path = tmp_path / f"deep.{kind[:3] if kind[0] == 'p' else 'tif'}"
    if kind.startswith("png"):
        deep_png(path, np.concatenate([array, array], axis=2)[:, :, : int(kind[3])])
    elif kind == "ppm":
        path.write_bytes(b"P6 10 8 65535\n" + array.astype(">u2").tobytes())
    else:
        tiff(path, array, "<" if kind == "little" else ">")
    for read in (PixelFormat(3).read, load_mask):
        with pytest.raises(UserError, match=rf"{path.name}: it has 16 bits in several channels.*: save it with 8 bits"):
            read(path)
    saved(tmp_path / "good.png", np.uint8(array // 16))
    found = singles_in(tmp_path, Reading(on_problem="skip"))
    assert list(found.files.names) == ["good"] and "16 bits" in found.problems[0].reason


def test_files_with_more_than_one_page_or_other_bands_are_refused_by_name(tmp_path):
    pages = [Image.fromarray(noise(3, k)) for k in range(3)]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(
        UserError, match=r"pages\.tif: it has 3 pages, of which only the first would be read: save each"
    ):
        PixelFormat(3).read(tmp_path / "pages.tif")
    small = pages[1].resize((4, 4))
    pages[0].save(tmp_path / "preview.tif", save_all=True, append_images=[small])
    assert PixelFormat(3).read(tmp_path / "preview.tif").shape == (1, 3, 12, 16)
    tiff(tmp_path / "bands.tif", np.zeros((8, 8, 6), np.uint8), "<")
    with pytest.raises(UserError, match=r"bands\.tif is a TIFF with a layout that Pillow does not read"):
        PixelFormat(3).read(tmp_path / "bands.tif")


def test_for_the_eye_all_are_colour():
    grey, clear = torch.zeros(2, 1, 4, 4), torch.full((2, 4, 4, 4), -1.0)
    assert as_colour(grey).shape == (2, 3, 4, 4)
    for channels in (2, 4):
        assert torch.equal(as_colour(clear[:, :channels]), torch.ones(2, 3, 4, 4))  # transparent black lies on white


# --- methods ------------------------------------------------------------------------------------------------


def test_networks_have_the_channels_of_their_sides():
    pix2pix = Pix2Pix.configure(32, 2).for_channels(1, 4)
    assert pix2pix.channels == (1, 4) and pix2pix.discriminator.channels == 5
    cyclegan = CycleGAN.configure(32, 2).for_channels(1, 3)
    assert cyclegan.identity_weight == 0 and CycleGAN.configure(32, 2).for_channels(1, 1).identity_weight == 0.5
    method = cyclegan.build()
    x, y = torch.zeros(1, 1, 32, 32), torch.zeros(1, 3, 32, 32)
    made, back = method.networks["G_A"](x), method.networks["G_B"](y)
    assert made.shape == y.shape and back.shape == x.shape
    assert method.networks["D_A"](y).shape == method.networks["D_B"](x).shape
    with pytest.raises(UserError, match="takes colour images"):
        InstaGAN.configure(32, 2).for_channels(1, 3)


SMALL = ("--size", 32, "--base-channels", 2, "--epochs", 1, "--batch", 2, "--accelerator", "cpu")


def deep_scene(seed):
    """12-bit values, as a camera gives them."""
    return np.random.default_rng(seed).integers(200, 3000, (32, 32)).astype(np.uint16)


@pytest.mark.parametrize(
    ("method", "a", "b"),
    [
        ("pix2pix", 1, 3),
        ("pix2pix", 3, 1),
        ("pix2pix", 4, 4),
        ("pix2pix", 2, 2),
        ("pix2pix", "deep", "deep"),
        ("cyclegan", 1, 3),
    ],
)
def test_any_number_of_channels_is_trained_and_translated(run, tmp_path, method, a, b):
    for side, kind in (("A", a), ("B", b)):
        for k in range(2):
            array = deep_scene(k) if kind == "deep" else noise(kind, k, (32, 32))
            saved(tmp_path / f"train{side}" / f"{k}.{'tif' if kind == 'deep' else 'png'}", array)
    counts = [1 if kind == "deep" else kind for kind in (a, b)]
    channels = ("--input-channels", counts[0], "--output-channels", counts[1])
    code, _, err = run("translate", "train", method, tmp_path, "--out", tmp_path / "run", *SMALL, *channels)
    assert code == 0, err
    model = tmp_path / "run" / "translator.safetensors"
    ways = {"a2b": ("A", b), "b2a": ("B", a)} if method == "cyclegan" else {"a2b": ("A", b)}
    for way, (side, kind) in ways.items():
        out = tmp_path / way
        code, _, err = run("translate", "apply", model, tmp_path / f"train{side}", "--way", way, "--out", out)
        assert code == 0, err
        with Image.open(out / "0.png") as made:
            assert made.mode == ("I;16" if kind == "deep" else MODES[kind]) and made.size == (32, 32)
    card = load_translator(model).card["training"]["data"]
    if a == "deep":
        scenes = np.stack([deep_scene(0), deep_scene(1)])
        assert card["pixels"]["a"] == {"channels": 1, "low": int(scenes.min()), "high": int(scenes.max()), "deep": True}
    assert load_translator(model).pixels("a").channels == counts[0]


def test_the_channels_that_a_translator_takes_are_named(run, tmp_path):
    code, _, err = run("translate", "train", "instagan", tmp_path, "--out", tmp_path / "x", "--input-channels", 1)
    assert code == 2 and "takes colour images, of 3 channels, not 1 and 3" in err
    config = Pix2Pix.configure(32, 2).for_channels(1, 3)
    network = config.build().generator("a2b")

    with pytest.raises(UserError, match=r"\(batch, 1, height, width\)"):
        Translator({"a2b": network}, {})(torch.zeros(1, 3, 32, 32))
