"""Images of one, three and four channels, of 8 and of 16 bits: read, trained on, translated, written."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from latentlab.errors import UserError
from latentlab.translation import Reading, Translator, load_translator
from latentlab.translation.data.pixels import PixelFormat, as_colour
from latentlab.translation.data.transforms import Augmentation
from latentlab.translation.methods import CycleGAN, InstaGAN, Pix2Pix

MODES = {1: "L", 3: "RGB", 4: "RGBA"}


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
    for wrong in ({"channels": 2}, {"low": 5, "high": 5}, {"high": 1 << 16}):
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


def test_for_the_eye_all_are_colour():
    grey, clear = torch.zeros(2, 1, 4, 4), torch.full((2, 4, 4, 4), -1.0)
    assert as_colour(grey).shape == (2, 3, 4, 4)
    assert torch.equal(as_colour(clear), torch.ones(2, 3, 4, 4))  # transparent black lies on white


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
    [("pix2pix", 1, 3), ("pix2pix", 3, 1), ("pix2pix", 4, 4), ("pix2pix", "deep", "deep"), ("cyclegan", 1, 3)],
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
