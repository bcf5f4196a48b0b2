"""Translators: files of ours and published ones, pictures of any size, masks, dropout; the command line."""

import csv
import shutil

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from latentlab import images
from latentlab.datasets import NamedImages, make_drawings, make_shapes
from latentlab.errors import UserError
from latentlab.translation import published
from latentlab.translation.networks import (
    InstaGeneratorConfig,
    PatchConfig,
    ResNetConfig,
    UNetConfig,
    initialise_,
)
from latentlab.translation.networks.padding import pad
from latentlab.translation.translator import Translator


def translator(config, **card):
    network = config.build().eval()
    initialise_(network, 0.2)
    return Translator({"a2b": network}, {"method": "test", **card})


# --- pictures through it ------------------------------------------------------------------------------------


@given(st.integers(1, 30), st.integers(1, 30), st.sampled_from([4, 16]))
def test_padding_mirrors_and_reaches_the_multiple(height, width, multiple):
    x = torch.arange(height * width, dtype=torch.float32).reshape(1, 1, height, width)
    padded = pad(x, multiple, 8)
    assert padded.shape[2] % multiple == padded.shape[3] % multiple == 0
    assert all(new - old < max(multiple, 9) for new, old in zip(padded.shape[2:], (height, width), strict=True))
    assert min(padded.shape[2:]) >= 8
    assert torch.equal(padded[..., :height, :width], x)
    if padded.shape[3] > width:
        assert torch.equal(padded[..., :height, width], x[..., -1])


@pytest.mark.parametrize("config", [ResNetConfig(1, 4), UNetConfig(32, 4, norm="instance", dropout=False)], ids=str)
@pytest.mark.parametrize("size", [(32, 64), (33, 47), (5, 3), (1, 40)])
def test_any_size_goes_through(config, size):
    made, masks = translator(config)(torch.rand(2, 3, *size) * 2 - 1)
    assert made.shape == (2, 3, *size) and masks is None
    assert made.abs().max() <= 1


def test_dropout_is_a_seeded_noise_that_can_be_switched_off():
    loaded, x = translator(UNetConfig(64, 4, norm="instance")), torch.rand(1, 3, 64, 64)
    torch.manual_seed(5)
    first, again, other, off = (loaded(x, **changes)[0] for changes in ({}, {}, {"seed": 1}, {"dropout": False}))
    assert torch.equal(first, again) and not torch.equal(first, other) and not torch.equal(first, off)
    assert torch.equal(off, loaded(x, dropout=False, seed=3)[0])
    after = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(after, torch.rand(1)), "the caller's generator is left alone"


def test_instances_are_translated_in_mini_batches():
    loaded = translator(InstaGeneratorConfig(1, 4), training={"method": {"at_once": 1}})
    x, masks = torch.rand(1, 3, 16, 16), torch.full((1, 2, 16, 16), -1.0)
    masks[:, 0, :4, :4] = masks[:, 1, 8:, 8:] = 1
    made, made_masks = loaded(x, masks=masks)
    network = loaded.network("a2b")
    with torch.no_grad():
        y, n0 = network(x, masks[:, :1])
        y, n1 = network(y, masks[:, 1:])
    torch.testing.assert_close(made, y)
    torch.testing.assert_close(made_masks, torch.cat([n0, n1], 1))
    with pytest.raises(UserError, match="needs masks"):
        loaded(x)
    with pytest.raises(UserError, match="takes no masks"):
        translator(ResNetConfig(1, 4))(x, masks=masks)
    with pytest.raises(UserError, match="goes a2b, not 'b2a'"):
        loaded(x, "b2a", masks)


# --- files --------------------------------------------------------------------------------------------------


def test_a_file_holds_networks_and_card(tmp_path):
    loaded = translator(UNetConfig(16, 4, skips=False), licence="none")
    loaded.save(tmp_path / "t.safetensors")
    again = Translator.load(tmp_path / "t.safetensors")
    x = torch.rand(1, 3, 16, 16)
    assert torch.equal(again(x)[0], loaded(x)[0])
    assert again.card == loaded.card


@pytest.mark.parametrize("name", ["pix2pix", "cyclegan", "instagan"])
def test_files_of_the_first_version_load_and_give_the_recorded_images(data, name):
    loaded = Translator.load(data / "translators" / f"trained_{name}.safetensors")
    recorded = {
        key: torch.from_numpy(array) for key, array in np.load(data / "translators" / f"trained_{name}.npz").items()
    }
    made, masks = loaded(recorded["x"], masks=recorded.get("m"), seed=5)
    torch.testing.assert_close(made, recorded["y"], atol=1e-4, rtol=1e-4)
    assert (masks is None) == (name != "instagan")
    if masks is not None:
        torch.testing.assert_close(masks, recorded["n"], atol=1e-4, rtol=1e-4)
    assert loaded.card["method"] == name and loaded.card["training"]["data"]["kind"] == "toy"


def test_published_generators_are_translators_and_discriminators_are_not(tmp_path):
    published.save(ResNetConfig(1, 4).build(), tmp_path / "g.pth")
    assert Translator.load(tmp_path / "g.pth")(torch.rand(1, 3, 9, 9))[0].shape == (1, 3, 9, 9)
    published.save(PatchConfig(16, 4).build(), tmp_path / "d.pth")
    with pytest.raises(UserError, match="discriminator"):
        Translator.load(tmp_path / "d.pth")
    (tmp_path / "x.safetensors").write_bytes(b"no")
    with pytest.raises(UserError, match="cannot read .*x.safetensors"):
        Translator.load(tmp_path / "x.safetensors")


@pytest.mark.weights
def test_a_published_generator_translates():
    loaded = Translator.load("vintagify")
    assert sum(weight.numel() for weight in loaded.network("a2b").parameters()) == 11_388_675
    x = torch.nn.functional.interpolate(torch.rand(1, 3, 8, 8), (64, 64), mode="bicubic").clamp(0, 1) * 2 - 1
    made, _ = loaded(x)
    together = torch.corrcoef(torch.stack([x.mean(dim=1).flatten(), made.mean(dim=1).flatten()]))[0, 1]
    assert together > 0.7 and (made - x).abs().mean() > 0.02


# --- the command line ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets")
    make_shapes(6, folder / "shapes", 32, held_out=0.34)
    shown = [(f"p{k}", torch.rand(1, 3, 32, 32) * 2 - 1) for k in range(6)]
    make_drawings(NamedImages(shown, 6), folder / "drawings", 32, held_out=0.34)
    return folder


SMALL = ("--size", 32, "--base-channels", 2, "--epochs", 1, "--batch", 2, "--accelerator", "cpu")


@pytest.mark.parametrize("method", ["pix2pix", "cyclegan", "instagan"])
def test_train_apply_and_export(run, sets, tmp_path, method):
    folder = sets / ("drawings" if method == "pix2pix" else "shapes")
    code, out, err = run("translate", "train", method, folder, "--out", tmp_path / "run", *SMALL)
    assert code == 0, err
    model = tmp_path / "run" / "translator.safetensors"
    assert str(model) in out and "0 files left out" in out
    with open(tmp_path / "run" / "history.csv", newline="") as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["2" if method == "pix2pix" else "3"]

    test = folder / ("test" if method == "pix2pix" else "testA")
    masks = ("--masks", folder / "testA_seg") if method == "instagan" else ()
    code, out, err = run("translate", "apply", model, test, "--out", tmp_path / "made", *masks)
    assert code == 0 and "2 of 2" in out, err
    for path in test.iterdir():
        with Image.open(path) as before, Image.open(tmp_path / "made" / path.name) as after:
            assert before.size == after.size
    if method != "instagan":
        code, _, err = run("translate", "export", model, tmp_path / "g.pth")
        assert code == 0, err
        flags = ("--no-dropout", "--device", "cpu", "--size", "own")
        for source, out_folder in ((model, "ours"), (tmp_path / "g.pth", "theirs")):
            assert run("translate", "apply", source, test, "--out", tmp_path / out_folder, *flags)[0] == 0
        name = next(test.iterdir()).name
        assert (tmp_path / "ours" / name).read_bytes() == (tmp_path / "theirs" / name).read_bytes()


def test_half_precision_halves_the_file_and_hardly_moves_the_image(run, tmp_path):
    whole, half = tmp_path / "whole.safetensors", tmp_path / "half.safetensors"
    translator(ResNetConfig(1, 8)).save(whole)
    assert run("translate", "export", whole, half, "--half")[0] == 0
    assert half.stat().st_size < 0.6 * whole.stat().st_size
    image = torch.rand(1, 3, 16, 16) * 2 - 1
    exact, near = (Translator.load(path)(image)[0] for path in (whole, half))
    assert near.dtype == torch.float32
    assert not torch.equal(near, exact)
    torch.testing.assert_close(near, exact, rtol=0, atol=0.01)


def test_pix2pix_learns_from_any_two_folders_and_from_the_same_masks_at_both_ends(run, sets, tmp_path):
    sides = [sets / "shapes" / "testA", sets / "shapes" / "testA_seg"]
    code, _, err = run("translate", "train", "pix2pix", *sides, "--out", tmp_path / "no", *SMALL)
    assert code == 2 and "there is no image" in err and "the nearest name is" in err
    masks = tmp_path / "masks"
    for path in sorted(sides[1].glob("*_0.png")):  # 0 and 1, named like the picture
        masks.mkdir(exist_ok=True)
        with Image.open(path) as mask:
            mask.convert("L").point(lambda value: value // 255).save(masks / f"{path.stem.removesuffix('_0')}.png")
    code, out, err = run("translate", "train", "pix2pix", sides[0], masks, "--out", tmp_path / "run", *SMALL)
    assert code == 0 and "2 samples, 0 files left out" in out, err


def test_archives_and_nested_folders_are_taken_like_folders(run, sets, tmp_path):
    shutil.make_archive(str(tmp_path / "shapes"), "zip", sets / "shapes")
    code, out, err = run("translate", "train", "cyclegan", tmp_path / "shapes.zip", "--out", tmp_path / "run", *SMALL)
    assert code == 0 and "0 files left out" in out, err
    assert (tmp_path / "run" / "unpacked" / "a" / "shapes" / "trainA").is_dir()
    model = tmp_path / "run" / "translator.safetensors"
    for source in (tmp_path / "shapes.zip", sets / "shapes"):
        made = tmp_path / f"made-{source.suffix}"
        assert run("translate", "apply", model, source, "--recursive", "--out", made)[0] == 0
        assert {path.name for path in (made / "testA").iterdir()} == {p.name for p in (sets / "shapes/testA").iterdir()}
    code, _, err = run("translate", "apply", model, sets / "shapes", "--out", tmp_path / "none")
    assert code == 2 and "only in the folders in it" in err


def test_two_archives_of_one_name_are_kept_apart(run, sets, tmp_path):
    for side in "AB":
        (tmp_path / side).mkdir()
        shutil.make_archive(str(tmp_path / side / "images"), "zip", sets / "shapes" / f"train{side}")
    zips = [tmp_path / side / "images.zip" for side in "AB"]
    code, _, err = run("translate", "train", "cyclegan", *zips, "--out", tmp_path / "run", *SMALL)
    assert code == 0, err
    for side in "AB":
        originals = {path.name: path.read_bytes() for path in (sets / "shapes" / f"train{side}").iterdir()}
        unpacked = tmp_path / "run" / "unpacked" / side.lower() / "images"
        assert {path.name: path.read_bytes() for path in unpacked.glob("*.png")} == originals


def test_one_bad_picture_does_not_end_the_rest(run, tmp_path):
    translator(ResNetConfig(1, 2)).save(tmp_path / "t.safetensors")
    Image.new("RGB", (10, 7)).save(tmp_path / "good.png")
    (tmp_path / "torn.png").write_bytes(b"torn")
    names = [tmp_path / "torn.png", tmp_path / "good.png"]
    code, out, err = run("translate", "apply", tmp_path / "t.safetensors", *names, "--out", tmp_path / "out")
    assert code == 2 and "1 of 2" in out and "torn.png" in err and "Traceback" not in err
    assert images.load_image(tmp_path / "out" / "good.png").shape == (1, 3, 7, 10)
    code, _, _ = run(
        "translate", "apply", tmp_path / "t.safetensors", tmp_path / "good.png", "--out", tmp_path / "big", "--size", 14
    )
    assert code == 0 and images.load_image(tmp_path / "big" / "good.png").shape == (1, 3, 14, 20)


def test_bad_command_lines_are_refused(refused, sets, tmp_path):
    out = ("--out", tmp_path / "run")
    assert "trainA and trainB" in refused("translate", "train", "cyclegan", sets / "drawings", *out, *SMALL)
    line = refused("translate", "train", "pix2pix", sets / "drawings", *out, *SMALL, "--variant", "l2")
    assert "encoder-decoder" in line
    line = refused("translate", "train", "cyclegan", sets / "shapes", *out, *SMALL, "--variant", "l1")
    assert "variants of cyclegan are paper" in line
    assert "did you mean cyclegan?" in refused("translate", "train", "cyclgan", sets / "shapes", *out, *SMALL)
    line = refused("translate", "train", "cyclegan", sets / "shapes", *out, "--size", 50)
    assert "not 50x50; the nearest are 52x52" in line
    assert "objective" in refused("translate", "train", "cyclegan", sets / "shapes", *out, *SMALL, "--objective", "x")
    translator(ResNetConfig(1, 2)).save(tmp_path / "t.safetensors")
    line = refused("translate", "apply", "vintagefy", sets / "drawings" / "test", *out)
    assert "no file vintagefy, and no translator of that name; did you mean vintagify?" in line
    assert ".pth or .safetensors" in refused("translate", "export", tmp_path / "t.safetensors", tmp_path / "t.onnx")
    line = refused("translate", "export", tmp_path / "t.safetensors", tmp_path / "t.pth", "--half")
    assert "--half has no effect for .pth" in line
