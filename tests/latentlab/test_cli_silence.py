"""Nothing that is given is passed over in silence: it has an effect, or is refused by name before any work."""

import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import make_tiny

import stylegan2
from latentlab import images
from latentlab.directions import Direction
from latentlab.errors import UserError
from latentlab.files import list_images, strength_names
from latentlab.pipelines import Components, SeedSettings, edit_seeds, generate_images
from stylegan2.config import GeneratorConfig

CONFIG = GeneratorConfig(
    resolution=64, z_dim=16, w_dim=16, mapping_layers=2, mapping_lr_multiplier=1.0, channel_base=512, channel_max=16
)  # fmt: skip


class Brightness:
    """A scorer that needs no weights."""

    names = ("bright",)
    fingerprint = "brightness"

    def __call__(self, shown: torch.Tensor) -> torch.Tensor:
        return shown.mean(dim=(1, 2, 3))[:, None]


@pytest.fixture(scope="module")
def components() -> Components:
    return Components.load(make_tiny(CONFIG), scorer=Brightness())


@pytest.fixture
def photo(tmp_path):
    images.save_image(torch.zeros(3, 40, 40), tmp_path / "in" / "me.png")
    return tmp_path / "in" / "me.png"


def direction_for(components: Components) -> Direction:
    return Direction(np.eye(16, dtype=np.float32)[0], "bright", "Mean", generator=components.generator.fingerprint)


# --- what would overwrite itself ----------------------------------------------------------------------------


@pytest.mark.parametrize("seeds", ["600,600", "600-603,602", "7,0-9"])
@pytest.mark.parametrize("words", [["generate"], ["edit", "--direction", "smile"], ["walk", "--direction", "smile"]])
def test_a_seed_that_is_given_twice(refused, tmp_path, words, seeds):
    line = refused(*words, "--seeds", seeds, "--out", tmp_path / "out.png")
    assert f"is given twice in '{seeds}'" in line


def test_a_seed_that_is_given_twice_in_python(components, tmp_path):
    for seeds in ([1, 2, 1], [3, 3]):
        with pytest.raises(UserError, match=f"seed {seeds[0]} is given twice"):
            generate_images(seeds, components, SeedSettings(), tmp_path)
        with pytest.raises(UserError, match=f"seed {seeds[0]} is given twice"):
            edit_seeds(seeds, direction_for(components), [1], components, SeedSettings(), tmp_path)
    assert not list(tmp_path.iterdir())


def test_strengths_that_are_close_get_files_of_their_own(components, tmp_path):
    strengths = [0.1, 0.1 + 1e-9, -0.0, 2]
    table = edit_seeds([5], direction_for(components), strengths, components, SeedSettings(), tmp_path)
    names = ["+0.1", "+0.100000001", "+0", "+2"]
    assert sorted(path.stem for path in tmp_path.glob("*.png")) == sorted(f"seed000005_{name}" for name in names)
    assert pd.read_parquet(tmp_path / "edits.parquet")["strength"].tolist() == table.strengths.tolist() == strengths


def test_names_of_strengths():
    assert strength_names([-4, 0, 2.5]) == ["-4", "+0", "+2.5"]
    near = [1.0, 1.0 + 2**-52, 1e-7]
    assert len(set(strength_names(near))) == 3 and [float(name) for name in strength_names(near)] == near
    for strengths in ([], [1, 1.0], [0.0, -0.0]):
        with pytest.raises(UserError, match="one or more different numbers"):
            strength_names(strengths)


def test_results_do_not_take_the_place_of_what_is_read(refused, photo):
    before = photo.read_bytes()
    folder = photo.parent
    shutil.copytree(folder, folder / "me")
    for words in (
        ["align", folder, "--out", folder],
        ["align", photo, "--out", folder],
        ["project", folder / "me" / "me.png", "--out", folder],
        ["edit", "--direction", "smile", "--photo", folder / "me" / "me.png", "--out", folder],
        ["translate", "apply", "none.pth", folder, "--out", folder],
    ):
        assert "where results would replace it" in refused(*words)
    assert "write to another file" in refused("weights", "convert", photo, photo)
    assert photo.read_bytes() == before and len(list(folder.iterdir())) == 2


@pytest.mark.parametrize(
    "words",
    [
        ["generate"], ["smile"], ["label"], ["edit", "--direction", "smile"], ["align", "PHOTO"], ["project", "PHOTO"],
        ["translate", "make", "shapes"], ["translate", "make", "drawings"], ["translate", "make", "latent"],
        ["translate", "train", "pix2pix", "x"], ["translate", "apply", "x.pth", "PHOTO"], ["compare", "shapes"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_file_in_the_place_of_a_folder(refused, photo, tmp_path, words):
    (tmp_path / "file").write_text("mine")
    given = [photo if word == "PHOTO" else word for word in words]
    for out in (tmp_path / "file", tmp_path / "file" / "deeper" / "still"):
        assert f"{tmp_path / 'file'} is a file; choose a folder with --out" in refused(*given, "--out", out)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    "words",
    [
        ["fit", "samples", "--out"], ["walk", "--direction", "smile", "--out"],
        ["scorer", "train", "images", "labels.csv", "--out"], ["translate", "export", "x.safetensors"],
        ["weights", "convert", "x.pkl"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_folder_in_the_place_of_a_file(refused, tmp_path, words):
    (tmp_path / "there.safetensors").mkdir()
    assert "there.safetensors is a folder; name a file in it" in refused(*words, tmp_path / "there.safetensors")


# --- options without effect ---------------------------------------------------------------------------------

EDIT = ["edit", "--direction", "smile"]


@pytest.mark.parametrize(
    ("words", "option", "reason"),
    [
        ([*EDIT, "--photo", "x", "--seeds", "1"], "--seeds", "with --photo"),
        ([*EDIT, "--photo", "x", "--psi", "0.7"], "--psi", "with --photo"),
        ([*EDIT, "--photo", "x", "--resolution", "64"], "--resolution", "with --photo"),
        ([*EDIT, "--attribute", "sad"], "--attribute", "without --target or --photo"),
        ([*EDIT, "--mask", "feather"], "--mask", "without --photo"),
        ([*EDIT, "--steps", "5"], "--steps", "without --photo"),
        ([*EDIT, "--no-tune"], "--tune/--no-tune", "without --photo"),
        ([*EDIT, "--strict"], "--strict", "without --photo"),
        (["project", "x", "--published", "--start", "encoder"], "--start", "with --published"),
        (["project", "x", "--space", "s", "--tune"], "--tune/--no-tune", "in space s"),
        (["translate", "make", "drawings", "--images", "x", "--seeds", "1"], "--seeds", "with --images"),
        (["translate", "make", "drawings", "--images", "x", "--network", "y"], "--network", "with --images"),
        (["translate", "train", "cyclegan", "x", "--order", "BA"], "--order", "with cyclegan, which does not learn"),
        (["translate", "apply", "x", "y", "--no-dropout", "--seed", "3"], "--seed", "without dropout"),
        (["translate", "export", "x", "new.safetensors", "--way", "b2a"], "--way", "for .safetensors"),
        (["compare", "edit", "--methods", "cyclegan", "--steps", "9"], "--steps", "without latent-style, latent-mean"),
        (["compare", "edit", "--methods", "latent-svm", "--conditions", "male"], "--conditions", "without latent-cond"),
        (
            ["compare", "edit", "--methods", "latent-svm", "--epoch-scale", "2"],
            "--epoch-scale",
            "without pix2pix, cyclegan",
        ),
        (["compare", "drawings", "--methods", "pix2pix", "--steps", "9"], "--steps", "without projection-of-drawing"),
        (["compare", "drawings", "--folder", "x", "--faces", "9"], "--faces", "with --folder"),
        (["compare", "facades", "--folder", "x", "--methods", "retrieval", "--seed", "9"], "--seed", "without pix2pix"),
        (["compare", "shapes", "--methods", "nothing", "--base-channels", "9"], "--base-channels", "without instagan"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_options_without_effect_are_refused(refused, tmp_path, monkeypatch, words, option, reason):
    monkeypatch.chdir(tmp_path)
    out = [] if words[:2] == ["translate", "export"] else ["--out", "out"]
    line = refused(*words, *out)
    assert f"{option} has no effect {reason}" in line
    assert not list(tmp_path.iterdir())


def test_a_method_that_is_named_twice(refused, tmp_path):
    line = refused("compare", "shapes", "--methods", "nothing,nothing", "--out", tmp_path / "out")
    assert "the method nothing is named twice" in line


# --- folders of photos --------------------------------------------------------------------------------------


def test_a_folder_stands_for_its_images(photo):
    folder = photo.parent
    shutil.copy(photo, folder / "you.PNG")
    shutil.copy(photo, folder / ".hidden.png")
    (folder / "notes.txt").write_text("no image")
    (folder / "folder.png").mkdir()
    assert list_images([folder]) == [photo, folder / "you.PNG"]
    assert list_images([folder / "you.PNG", "missing.jpg"]) == [
        folder / "you.PNG",
        Path("missing.jpg"),
    ]
    with pytest.raises(UserError, match=r"me\.png is given twice"):
        list_images([folder, photo])


@pytest.mark.parametrize("words", [["align"], ["project"], [*EDIT, "--photo"], ["translate", "apply", "x.pth"]])
def test_a_folder_without_images_is_named(refused, tmp_path, words):
    (tmp_path / "empty").mkdir()
    assert f"no image in {tmp_path / 'empty'}" in refused(*words, tmp_path / "empty", "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("words", [["align"], ["project"], [*EDIT, "--photo"]])
def test_photos_of_one_name_in_two_folders(refused, photo, tmp_path, words):
    shutil.copytree(photo.parent, tmp_path / "other")
    between = ["--photo"] if "--photo" in words else []
    line = refused(*words, photo.parent, *between, tmp_path / "other", "--out", tmp_path / "out")
    assert "would both be written as me" in line


@pytest.mark.weights
def test_a_folder_of_photos_is_aligned_and_failures_are_counted(run, photo, tmp_path):
    for name in ("you", "them"):
        shutil.copy(photo, photo.with_name(f"{name}.png"))
    code, out, err = run("align", photo.parent, "--out", tmp_path / "out")
    assert code == 2 and "0, of 3 photos; 3 failed" in out and err.count("latentlab: ") == 3


@pytest.mark.weights
def test_photos_that_fail_are_counted(run, photo, tmp_path):
    shutil.copy(photo, photo.with_name("you.png"))
    stylegan2.save(make_tiny(CONFIG), tmp_path / "net.safetensors")
    code, out, err = run("project", photo.parent, "--network", tmp_path / "net.safetensors", "--out", tmp_path / "out")
    assert code == 2 and "0 of 2 photos are done; 2 failed" in out, err


@pytest.mark.parametrize(
    "words",
    [
        ["label", "--scorer", "FOLDER:young"], ["edit", "--direction", "FOLDER"], ["generate", "--network", "FOLDER"],
        ["scorer", "train", "x", "FOLDER"], ["translate", "apply", "FOLDER", "x.png"],
        ["translate", "export", "FOLDER", "new.pth"], ["weights", "convert", "FOLDER", "new.safetensors"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_folder_in_the_place_of_what_is_read(refused, tmp_path, monkeypatch, words):
    """What the system says of it, "Is a directory" or "No such device", helps nobody."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "it.safetensors").mkdir()
    given = [word.replace("FOLDER", "it.safetensors") for word in words]
    out = [] if {"export", "convert"} & set(words) else ["--out", "out.safetensors"]
    line = refused(*given, *out)
    assert re.search(r"it\.safetensors:? (it )?is a folder", line), line


def test_samples_that_are_not_there(refused, tmp_path):
    assert f"there are no samples in {tmp_path}; `latentlab label" in refused("fit", tmp_path, "--out", tmp_path / "d")
