"""Generators that are not of colour faces alone: grey ones, ones with other channels, and conditional ones."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import stylegan2
from latentlab import editing, images, perceptual
from latentlab.datasets.sources import ws_of_seed
from latentlab.directions import Direction
from latentlab.errors import UserError
from latentlab.mapping import OneClass
from latentlab.pipelines import (
    Components,
    LabelSettings,
    SeedSettings,
    StudySettings,
    edit_seeds,
    label_samples,
    walk_seeds,
)
from latentlab.pipelines.study.settings import claim
from latentlab.projection import Phase, ProjectionSettings, TuningSettings, project, tune, w_statistics
from latentlab.projection.starts import nearest
from latentlab.rendering import Renderer
from latentlab.samples import SampleStore
from latentlab.scorers import FunctionScorer, load_scorer, score_images
from tests.conftest import TINY, make_tiny
from tests.latentlab.random_networks import random_distance

LIVELY = replace(TINY, mapping_lr_multiplier=1.0)


@pytest.fixture(scope="module")
def grey():
    return make_tiny(replace(LIVELY, img_channels=1))


@pytest.fixture(scope="module")
def conditional():
    return make_tiny(replace(LIVELY, c_dim=3))


@pytest.fixture(scope="module")
def files(grey, conditional, tmp_path_factory):
    folder = tmp_path_factory.mktemp("networks")
    two, four = (make_tiny(replace(LIVELY, img_channels=channels)) for channels in (2, 4))
    networks = {"grey": grey, "conditional": conditional, "two": two, "four": four, "plain": make_tiny()}
    for name, network in networks.items():
        stylegan2.save(network, folder / f"{name}.safetensors")
        direction = Direction(np.eye(32, dtype=np.float32)[0], "light", "mean", generator=network.fingerprint)
        direction.save(folder / f"{name}-direction.safetensors")
    return folder


def brightness(pictures):
    return torch.sigmoid(pictures.mean(dim=(1, 2, 3)))


SCORER = FunctionScorer(("bright",), brightness, "brightness")


def direction_of(generator):
    return Direction(np.eye(32, dtype=np.float32)[0], "light", "mean", generator=generator.fingerprint)


# --- channels -----------------------------------------------------------------------------------------------


def test_a_grey_generator_writes_grey_files(run, files, grey, tmp_path):
    code, _, err = run("generate", "--network", files / "grey.safetensors", "--seeds", "1,2", "--out", tmp_path)
    assert code == 0, err
    made = grey(stylegan2.z_from_seeds([2], grey.z_dim), psi=0.7)
    with Image.open(tmp_path / "seed000002.png") as image, Image.open(tmp_path / "grid.png") as grid:
        assert (image.mode, grid.mode, grid.size) == ("L", "L", (32, 16))
        assert np.array_equal(np.asarray(image), images.to_bytes(made)[0, 0].numpy())


def test_grey_images_are_edited_walked_and_labelled(grey, tmp_path):
    components, direction = Components.load(grey, SCORER), direction_of(grey)
    table = edit_seeds([1], direction, [-1, 1], components, SeedSettings(), tmp_path / "edits", progress=False)
    assert table.scores.shape == (1, 2, 1)
    assert {Image.open(path).mode for path in (tmp_path / "edits").glob("*.png")} == {"L"}
    walk = walk_seeds([1, 2], direction, [-1, 0, 1], components, progress=False)
    for name in ("walk.png", "walk.gif"):
        walk.save(tmp_path / name, "bright")
        with Image.open(tmp_path / name) as drawn:
            assert drawn.width > 30
    samples = label_samples(components, LabelSettings(8, resolution=None), tmp_path / "samples", progress=False)
    assert len(samples) == 8


WORDS = {
    "edit": ["edit", "--direction", "DIRECTION", "--seeds", "1"],
    "walk": ["walk", "--direction", "DIRECTION", "--seeds", "1", "--attribute", "young", "--out", "OUT.png"],
    "label": ["label", "--samples", "4"],
    "study": ["study", "--attribute", "young", "--samples", "20"],
}


def words_for(command, files, name, out):
    words = [word.replace("DIRECTION", str(files / f"{name}-direction.safetensors")) for word in WORDS[command]]
    words = [str(out) + ".png" if word == "OUT.png" else word for word in words]
    words += ["--network", files / f"{name}.safetensors", "--scorer", "attributes:young"]
    return words if command == "walk" else [*words, "--out", out]


@pytest.mark.parametrize("command", WORDS)
def test_scorers_of_colour_refuse_grey_before_any_work(refused, files, tmp_path, command):
    said = refused(*words_for(command, files, "grey", tmp_path / "out"))
    assert "grey.safetensors makes images of 1 channel, but the scorer attributes:young takes colour (3); score" in said
    assert not list(tmp_path.iterdir())


def test_what_needs_a_face_refuses_grey_before_any_work(refused, files, tmp_path):
    images.save_image(torch.zeros(3, 64, 64), tmp_path / "photo.png")
    network = ["--network", files / "grey.safetensors", "--out", tmp_path / "out"]
    direction = files / "grey-direction.safetensors"
    for words in (
        ["project", tmp_path / "photo.png"],
        ["edit", "--direction", direction, "--photo", tmp_path / "photo.png"],
    ):
        said = refused(*words, *network)
        assert (
            "makes images of 1 channel, but the work on faces in photos takes colour (3); the latents of grey" in said
        )
    assert [path.name for path in tmp_path.iterdir()] == ["photo.png"]


NEEDS = {
    "generate --seeds 1": "writing them to files takes grey (1) or colour (3); take another generator, or this one's",
    "interpolate 1 2": "writing them to files takes grey (1)",
    "drag --seed 1 --move 3,4:5,6": "writing them to files takes grey (1)",
    "walk --direction DIRECTION --scorer attributes:young --attribute young": "scoring them takes grey (1)",
    "edit --direction DIRECTION --seeds 1": "scoring them takes grey (1)",
    "label --samples 4": "scoring them takes grey (1) or colour (3); take another generator, or this one's images",
    "smile --samples 20": "scoring them takes grey (1)",
    "metrics generator --metric ppl-z": "measuring a generator takes grey (1) or colour (3)",
    "project PHOTO": "the work on faces in photos takes colour (3); take another generator, or this one's images",
    "edit --direction DIRECTION --photo PHOTO": "the work on faces in photos takes colour (3)",
    "translate make drawings --seeds 1": "drawing training sets and comparisons takes colour (3)",
    "distil --direction DIRECTION": "drawing training sets and comparisons takes colour (3)",
}


@pytest.mark.parametrize(("name", "channels"), [("two", 2), ("four", 4)])
@pytest.mark.parametrize("command", NEEDS)
def test_images_of_other_channels_are_refused_by_what_takes_others(refused, files, tmp_path, command, name, channels):
    photo, suffix = tmp_path / "photo.png", {"inter": ".gif", "drag ": ".png", "walk ": ".png", "disti": ".safetensors"}
    images.save_image(torch.zeros(3, 64, 64), photo)
    given = {"DIRECTION": files / f"{name}-direction.safetensors", "PHOTO": photo}
    words = [given.get(word, word) for word in command.split()]
    out = tmp_path / f"out{suffix.get(command[:5], '')}"
    said = refused(*words, "--network", files / f"{name}.safetensors", "--out", out)
    assert f"{name}.safetensors makes images of {channels} channels, but {NEEDS[command]}" in said
    assert list(tmp_path.iterdir()) == [photo]


def test_functions_refuse_other_channels(refused, files, tmp_path):
    four = stylegan2.load(files / "four.safetensors")
    made = four(stylegan2.z_from_seeds([1], 32))
    with pytest.raises(UserError, match=r"this generator makes images of 4 channels, but finding their latents takes"):
        project(made, four, perceptual=random_distance("vgg"), progress=False)
    said = refused("train-generator", tmp_path, "--from", files / "four.safetensors", "--out", tmp_path / "out")
    assert "makes images of 4 channels, but training on files takes grey (1) or colour (3); train it in Python" in said
    with pytest.raises(UserError, match=r"but the scorer _Seven takes 7 channels; score them by a function"):
        Components.load(make_tiny(), _Seven()).check_images(scored=True)


class _Seven:
    """A scorer of images that nobody has."""

    names, fingerprint, img_channels = ("x",), "seven", 7


def test_scorers_say_what_they_take(grey):
    with pytest.raises(UserError, match="images of 3 channels, not of 1"):
        score_images(load_scorer("attributes:young"), torch.zeros(1, 1, 64, 64))


@pytest.mark.weights
def test_projection_and_tuning_of_grey_images(grey):
    distance = perceptual.load_perceptual("vgg")
    made = grey(stylegan2.z_from_seeds([1], grey.z_dim))
    settings = ProjectionSettings("w", (Phase(3, 0.1, resolution=16),))
    found = project(made, grey, settings, perceptual=distance, progress=False)
    average = grey.synthesis(grey.w_avg.expand(1, grey.num_ws, -1))
    assert found.distances[0] < distance(average, made)[0]
    tuned = tune(made, found.ws(grey), grey, distance, TuningSettings(steps=2), progress=False)
    assert tuned.generator(stylegan2.z_from_seeds([1], grey.z_dim)).shape == (1, 1, 16, 16)
    with pytest.raises(UserError, match="images of 1 channels; those to reconstruct have 3"):
        project(made.expand(-1, 3, -1, -1), grey, settings, perceptual=distance, progress=False)


def test_a_notice_is_one_line(run, grey, tmp_path, monkeypatch):
    torch.save({"g": grey.state_dict()}, tmp_path / "x.pt")
    shown = []

    def load(*arguments, **options):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            network = original(*arguments, **options)
        shown.extend(warnings.formatwarning(one.message, one.category, one.filename, one.lineno) for one in caught)
        return network

    original = stylegan2.load
    monkeypatch.setattr(stylegan2, "load", load)
    assert run("generate", "--network", tmp_path / "x.pt", "--seeds", "1", "--out", tmp_path / "out")[0] == 0
    (line,) = shown
    assert line.startswith(f"latentlab: {tmp_path / 'x.pt'}: it has no G_ema") and line.count("\n") == 1


# --- classes ------------------------------------------------------------------------------------------------


def test_the_class_of_a_conditional_generator(run, files, conditional, tmp_path):
    network = ["--network", files / "conditional.safetensors"]
    code, _, err = run("generate", *network, "--seeds", "5", "--class", "2", "--out", tmp_path)
    assert code == 0, err
    made = conditional(stylegan2.z_from_seeds([5], conditional.z_dim), torch.eye(3)[2:], psi=0.7)
    assert torch.equal(images.to_bytes(images.load_image(tmp_path / "seed000005.png")), images.to_bytes(made))


@pytest.mark.parametrize("command", ["generate", *WORDS])
def test_classes_are_checked_before_any_work(refused, files, tmp_path, command):
    def words(name):
        if command == "generate":
            return ["generate", "--network", files / f"{name}.safetensors", "--out", tmp_path / "out"]
        return words_for(command, files, name, tmp_path / "out")

    assert "choose one of its classes 0 … 2, with --class N" in refused(*words("conditional"))
    assert "the classes of this generator are 0 … 2, not 3" in refused(*words("conditional"), "--class", "3")
    assert "not conditional: it has no class 0" in refused(*words("plain"), "--class", "0")
    assert not list(tmp_path.iterdir())


def test_training_sets_take_plain_generators_alone(refused, files, conditional, tmp_path):
    words = ["translate", "make", "drawings", "--seeds", "1", "--out", tmp_path / "out"]
    assert "conditional (3 classes)" in refused(*words, "--network", files / "conditional.safetensors")
    assert "images of 1 channel" in refused(*words, "--network", files / "grey.safetensors")
    with pytest.raises(UserError, match="unconditional generators; this one has 3 classes"):
        ws_of_seed(Renderer(conditional, 16), 1, 0.7)
    assert not list(tmp_path.iterdir())


def test_samples_of_different_classes_do_not_mix(conditional, tmp_path):
    components = Components.load(conditional, SCORER)
    table = label_samples(components, LabelSettings(4, class_label=1), tmp_path, progress=False)
    z = stylegan2.z_from_seeds(range(600, 604), conditional.z_dim)
    expected = conditional.mapping(z, torch.eye(3)[[1] * 4], psi=0.7)[:, 0]
    torch.testing.assert_close(torch.from_numpy(table.w), expected)
    assert SampleStore.load(tmp_path).settings.class_label == 1
    with pytest.raises(UserError, match="class_label is 1, not 2"):
        label_samples(components, LabelSettings(4, class_label=2), tmp_path, progress=False)


def test_samples_from_before_there_were_classes_still_load(tiny, tmp_path):
    label_samples(Components.load(tiny, SCORER), LabelSettings(4), tmp_path, progress=False)
    manifest = tmp_path / "_manifest.json"
    stored = json.loads(manifest.read_text())
    assert stored.pop("class_label", 0) is None
    manifest.write_text(json.dumps(stored))
    assert len(SampleStore.load(tmp_path).table()) == 4
    assert len(label_samples(Components.load(tiny, SCORER), LabelSettings(4), tmp_path, progress=False)) == 4


def test_edits_and_walks_of_a_class(conditional, tmp_path):
    components, direction = Components.load(conditional, SCORER), direction_of(conditional)
    settings = SeedSettings(class_label=1)
    edit_seeds([1], direction, [2], components, settings, tmp_path / "edits", progress=False)
    ws = conditional.mapping(stylegan2.z_from_seeds([1], 32), torch.eye(3)[1:2], psi=0.7)
    expected = conditional.synthesis(editing.edit(ws, direction, 2.0))
    written = images.load_image(tmp_path / "edits" / "seed000001_+2.png")
    assert torch.equal(images.to_bytes(written), images.to_bytes(expected))
    walk = walk_seeds([1], direction, [2], components, settings, progress=False)
    torch.testing.assert_close(walk.images[0], expected)


def test_studies_of_different_classes_do_not_mix(tmp_path):
    study = StudySettings("bright", network="n", scorer="s", samples=40, class_label=1)
    claim(tmp_path, study, {})
    claim(tmp_path, study, {})
    with pytest.raises(UserError, match="class_label is 1, not 2"):
        claim(tmp_path, replace(study, class_label=2), {})


def test_statistics_of_a_conditional_generator_are_over_its_classes(conditional):
    found = w_statistics(conditional, samples=3000)
    z = torch.randn(3000, 32, generator=torch.Generator().manual_seed(5))
    means = [conditional.mapping(z, torch.eye(3)[[k] * 3000])[:, 0].mean(0) for k in range(3)]
    assert (found.mean - torch.stack(means).mean(0)).abs().max() < 0.1 * found.sigma


def test_one_class_is_a_generator_of_its_own(conditional):
    one = OneClass(conditional, 2)
    z = stylegan2.z_from_seeds([1, 2], 32)
    torch.testing.assert_close(one(z, psi=0.7), conditional(z, torch.eye(3)[[2, 2]], psi=0.7))
    assert (one.c_dim, one.fingerprint, one.resolutions) == (0, conditional.fingerprint, conditional.resolutions)
    drawn = conditional.mapping(
        torch.randn(3000, 32, generator=torch.Generator().manual_seed(5)), torch.eye(3)[[2] * 3000]
    )[:, 0]
    found, mixed = w_statistics(one, samples=3000), w_statistics(conditional, samples=3000)
    assert (found.mean - drawn.mean(0)).norm() < 0.1 * found.sigma < (mixed.mean - drawn.mean(0)).norm()
    with pytest.raises(UserError, match="the classes of this generator are 0 … 2, not 3"):
        OneClass(conditional, 3)


@pytest.mark.weights
def test_projection_into_a_conditional_generator(conditional):
    distance = perceptual.load_perceptual("vgg")
    made = conditional(stylegan2.z_from_seeds([1], 32), torch.eye(3)[2:])
    settings = ProjectionSettings("w", (Phase(3, 0.1, resolution=16),))
    assert nearest(made, conditional, distance, candidates=2, seed=0).shape == (1, conditional.num_ws, 32)
    found = project(made, conditional, settings, "average", distance, progress=False)
    average = conditional.synthesis(conditional.w_avg.expand(1, conditional.num_ws, -1))
    assert found.distances[0] < distance(average, made)[0]
