"""Layouts of sets and of what is translated: masks beside images, archives, parts that are held out, sizes."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from latentlab.errors import UserError
from latentlab.translation import Pix2Pix, Reading, Translator, load_translator
from latentlab.translation.data.folders import masked_in
from latentlab.translation.data.mask_files import MaskFolder
from latentlab.translation.data.transforms import Augmentation
from latentlab.translation.describing import summary_of
from latentlab.translation.methods import CycleGAN, InstaGAN
from latentlab.translation.networks import InstaGeneratorConfig, ResNetConfig, initialise_
from latentlab.video import write_mp4

SIZE = 32
SMALL = ("--size", SIZE, "--base-channels", 2, "--epochs", 1, "--batch", 2, "--accelerator", "cpu")
INSIDE = np.zeros((SIZE, SIZE), bool)
INSIDE[8:20, 6:18] = True
CORNERS = [[6, 8], [18, 8], [18, 20], [6, 20]]


def picture(path, seed=0, size=(SIZE, SIZE)):
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(values).save(path)
    return path


def mask(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.uint8(INSIDE)).save(path)


def labelme(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"shapes": [{"points": CORNERS, "shape_type": "polygon"}]}))


def coco(path, names):
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures = [{"id": k, "file_name": f"{name}.png", "height": SIZE, "width": SIZE} for k, name in enumerate(names)]
    flat = [value for corner in CORNERS for value in corner]
    areas = [{"id": k, "image_id": k, "segmentation": [flat]} for k in range(len(names))]
    path.write_text(json.dumps({"images": pictures, "annotations": areas}))


def zipped(folder, name=None):
    archive = shutil.make_archive(str(folder.with_name(name or folder.name)), "zip", folder)
    shutil.rmtree(folder)
    return folder.with_name(f"{name or folder.name}.zip"), archive


@pytest.fixture
def instance_model(tmp_path):
    network = InstaGeneratorConfig(1, 2).build().eval()
    initialise_(network, 0.2)
    path = tmp_path / "insta.safetensors"
    Translator({"a2b": network}, {"method": "instagan"}).save(path)
    return path


# --- masks beside images ------------------------------------------------------------------------------------


def lay_beside(folder, kind, names=("x", "y")):
    for k, name in enumerate(names):
        picture(folder / f"{name}.png", k)
        if kind == "image":
            mask(folder / f"{name}_mask.png")
        elif kind == "labelme":
            labelme(folder / f"{name}.json")
    if kind == "coco":
        coco(folder / "instances.json", names)
    (folder / "notes.json").write_text('{"made": "by hand"}')  # nobody's


@pytest.mark.parametrize("kind", ["image", "labelme", "coco"])
def test_masks_may_lie_beside_the_images(tmp_path, kind):
    lay_beside(tmp_path / "trainA", kind)
    lay_beside(tmp_path / "trainA" / "deep", kind)
    for reading, names in ((Reading(), ["x", "y"]), (Reading(recursive=True), ["deep/x", "deep/y", "x", "y"])):
        files = masked_in(tmp_path / "trainA", reading).files
        assert list(files.names) == names
        for k in range(len(names)):
            assert np.array_equal((files.masks(k)[0, 0] > 0).numpy(), INSIDE)


def test_coco_above_the_images_names_the_way_to_them(tmp_path):
    for name in ("one/x", "two/x"):
        picture(tmp_path / "trainA" / f"{name}.png")
    coco(tmp_path / "trainA" / "all.json", ["one/x", "two/x"])
    assert list(masked_in(tmp_path / "trainA", Reading(recursive=True)).files.names) == ["one/x", "two/x"]


def test_without_masks_both_places_are_named(tmp_path):
    picture(tmp_path / "trainA" / "x.png")
    with pytest.raises(
        UserError, match=r"no folder .*trainA_seg of masks, and no mask beside .*NAME_mask.png or NAME.js"
    ):
        masked_in(tmp_path / "trainA", Reading())
    (tmp_path / "trainA" / "x.json").write_text("{}")
    with pytest.raises(UserError, match=r"x\.json cannot be used: is a JSON file of neither labelme nor COCO"):
        masked_in(tmp_path / "trainA", Reading())
    lay_beside(tmp_path / "trainA", "labelme", ["x"])
    picture(tmp_path / "trainA" / "bare.png")
    with pytest.raises(UserError, match=r"bare.png: it has no mask bare_mask.png or bare.json beside it"):
        masked_in(tmp_path / "trainA", Reading())


@pytest.mark.parametrize("kind", ["image", "labelme", "coco"])
def test_masks_beside_what_is_translated(run, instance_model, tmp_path, kind):
    lay_beside(tmp_path / "in", kind)
    for given in ([tmp_path / "in"], [tmp_path / "in" / "x.png", tmp_path / "in" / "y.png"]):
        out = tmp_path / f"out{len(given)}"
        code, told, err = run("translate", "apply", instance_model, *given, "--out", out, "--device", "cpu")
        assert code == 0 and "2 of 2" in told, err
        assert sorted(path.name for path in out.rglob("*.png")) == ["x.png", "x_0.png", "y.png", "y_0.png"]


def test_masks_in_archives_and_files_for_what_is_translated(run, instance_model, tmp_path):
    picture(tmp_path / "in" / "x.png")
    labelme(tmp_path / "drawn" / "x.json")
    mask(tmp_path / "painted" / "inner" / "x_0.png")
    coco(tmp_path / "instances.json", ["x"])
    places = [zipped(tmp_path / name)[0] for name in ("drawn", "painted")]
    for k, masks in enumerate([*places, tmp_path / "instances.json"]):
        line = ("translate", "apply", instance_model, tmp_path / "in", "--masks", masks, "--device", "cpu")
        code, _, err = run(*line, "--out", tmp_path / str(k))
        assert code == 0 and (tmp_path / str(k) / "masks" / "x_0.png").is_file(), err
        assert not list((tmp_path / str(k)).glob(".*"))


def test_masks_that_are_missing_name_the_option(refused, run, instance_model, tmp_path):
    picture(tmp_path / "x.png")
    line = ("translate", "apply", instance_model, tmp_path / "x.png", "--out", tmp_path / "out", "--device", "cpu")
    assert "give their folder with --masks, or put them beside" in refused(*line)
    with pytest.raises(UserError, match="--masks"):
        load_translator(instance_model)(torch.zeros(1, 3, 32, 32))


# --- archives -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["beside", "own archives", "one archive"])
def test_instances_are_learnt_from_two_archives(run, tmp_path, layout):
    zips = []
    for side in "AB":
        folder = tmp_path / side
        if layout == "beside":
            lay_beside(folder / side, "labelme")
        else:
            for name in ("x", "y"):
                picture(folder / side / f"{name}.png")
                mask(folder / f"{side}_seg" / f"{name}.png")
        if layout == "own archives":
            shutil.make_archive(str(tmp_path / f"{side}_seg"), "zip", folder, f"{side}_seg")
            shutil.rmtree(folder / f"{side}_seg")
        zips.append(zipped(folder)[0])
    for _ in range(2):  # and again, as a training that is resumed
        code, out, err = run("translate", "train", "instagan", *zips, "--out", tmp_path / "run", *SMALL)
        assert code == 0 and "2 samples, 0 files left out" in out, err


def test_messages_name_the_archive_and_the_option(refused, run, tmp_path):
    network = ResNetConfig(1, 2).build().eval()
    Translator({"a2b": network}, {}).save(tmp_path / "t.safetensors")
    for name in ("one/x", "two/x"):
        picture(tmp_path / "pics" / f"{name}.png")
    archive = zipped(tmp_path / "pics")[0]
    line = ("translate", "apply", tmp_path / "t.safetensors", archive, "--device", "cpu", "--out", tmp_path / "out")
    assert f"there is no image in {archive} itself, only in the folders in it; --recursive takes these" in refused(
        *line
    )
    picture(tmp_path / "torn" / "good.png")
    (tmp_path / "torn" / "bad.png").write_bytes(b"bad")
    archive = zipped(tmp_path / "torn")[0]
    code, _, err = run("translate", "apply", tmp_path / "t.safetensors", archive, "--out", tmp_path / "out")
    assert code == 2 and f"{archive}/bad.png" in err and str(tmp_path / "out") not in err
    picture(tmp_path / "nested" / "deep" / "x.png")
    line = ("translate", "train", "pix2pix", tmp_path / "nested", "--out", tmp_path / "run", *SMALL)
    assert "--recursive takes these" in refused(*line)


def test_videos_in_an_archive_are_translated(run, refused, tmp_path):
    pytest.importorskip("imageio_ffmpeg")
    network = ResNetConfig(1, 2).build().eval()
    Translator({"a2b": network}, {}).save(tmp_path / "t.safetensors")
    (tmp_path / "films").mkdir()
    write_mp4(torch.zeros(5, 3, 24, 40), tmp_path / "films" / "x.mp4", fps=5)
    archive = zipped(tmp_path / "films")[0]
    line = ("translate", "apply", tmp_path / "t.safetensors", archive, "--device", "cpu", "--out", tmp_path / "out")
    code, told, err = run(*line)
    assert code == 0 and "1 of 1" in told and (tmp_path / "out" / "x.mp4").is_file(), err
    line = ("translate", "train", "pix2pix", archive, "--out", tmp_path / "run", *SMALL)
    assert "there is no image in" in refused(*line)


# --- parts, sizes, words ------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [Pix2Pix, CycleGAN])
def test_what_is_held_out_lies_beside_two_folders(tmp_path, method):
    for names in (("trainA", "trainB"), ("photos/train", "maps/train")):
        folders = tmp_path / names[0], tmp_path / names[1]
        for folder in folders:
            picture(folder / "x.png")
        assert method.held_out_part(folders) is None
        held = [folder.with_name(folder.name.replace("train", "val")) for folder in folders]
        picture(held[0] / "z.png")
        assert method.held_out_part(folders) is None
        picture(held[1] / "z.png")
        assert method.held_out_part(folders) == "val"
        config, plain = method.configure(SIZE, 2), Augmentation.none(SIZE)
        assert list(method.open_folder(folders, "val", config, plain).source.describe()) != []
        sample = method.open_folder(folders, "val", config, plain).source
        other = method.open_folder(folders, "train", config, plain).source
        assert sample.describe()["names"] != other.describe()["names"]
    assert method.held_out_part((tmp_path / "some", tmp_path / "other")) is None


def test_pix2pix_learns_at_sizes_that_its_network_cannot_halve(run, tmp_path):
    for side in "AB":
        for k in range(2):
            picture(tmp_path / f"train{side}" / f"{k}.png", k, (54, 96))
    line = ("--size", "96x54", *SMALL[2:])
    code, _, err = run("translate", "train", "pix2pix", tmp_path, "--out", tmp_path / "run", *line)
    assert code == 0, err
    model = load_translator(tmp_path / "run" / "translator.safetensors")
    assert model.networks["a2b"].size_multiple == 32
    method = Pix2Pix(Pix2Pix.configure((54, 96), 2), 0)
    x = torch.rand(1, 3, 54, 96) * 2 - 1
    for network in method.networks.values():
        network.eval()
    made = method.preview({"a": x, "b": x})[1]
    assert made.shape == x.shape
    applied = Translator({"a2b": method.generator("a2b")}, {})(x, dropout=False)[0]
    torch.testing.assert_close(made.detach(), applied)


def test_grey_of_sixteen_bits_that_becomes_colour_is_told(run, tmp_path):
    for side in "AB":
        for k in range(2):
            folder = tmp_path / f"train{side}"
            folder.mkdir(exist_ok=True)
            values = np.random.default_rng(k).integers(200, 3000, (SIZE, SIZE)).astype(np.uint16)
            Image.fromarray(values).save(folder / f"{k}.png")
    code, out, err = run("translate", "train", "pix2pix", tmp_path, "--out", tmp_path / "run", *SMALL)
    assert code == 0, err
    assert "B is grey of 16 bits, 200 to 2" in out and "written with 8 bits; --output-channels 1 keeps 16" in out
    channels = ("--input-channels", 1, "--output-channels", 1)
    code, out, err = run("translate", "train", "pix2pix", tmp_path, "--out", tmp_path / "grey", *SMALL, *channels)
    assert code == 0 and "16 bits" not in out, err


def test_what_is_listed_and_refused_has_words_for_readers(tmp_path):
    network = ResNetConfig(1, 2).build()
    assert summary_of(Translator({"a2b": network}, {"method": "pix2pix"})).startswith(
        "translates by pix2pix; images of any size, "
    )
    with pytest.raises(UserError, match="^InstaGAN takes colour images, of 3 channels, not 1 and 3"):
        InstaGAN.configure(SIZE, 2).for_channels(1, 3)
    with pytest.raises(UserError, match="files with other bands"):
        Pix2Pix.open_folder(tmp_path_with_pair(tmp_path), "train", Pix2Pix.configure(SIZE, 2).for_channels(6, 3), None)


def tmp_path_with_pair(folder):
    for side in "AB":
        picture(folder / f"train{side}" / "x.png")
    return folder


def test_masks_beside_two_pictures_of_one_name_keep_apart(tmp_path):
    for place in ("one", "two"):
        lay_beside(tmp_path / place, "image", ["x"])
    names = {"one/x": tmp_path / "one" / "x.png", "two/x": tmp_path / "two" / "x.png"}
    found = MaskFolder.beside(names)
    assert {name: len(ways) for name, ways in found.own.items()} == {"one/x": 1, "two/x": 1}
