"""Photos with generators of classes, and with small ones."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import stylegan2
from latentlab import images
from latentlab.directions import Direction
from latentlab.perceptual import load_perceptual
from latentlab.pipelines import Components, PhotoEditSettings, PhotoSettings, edit_photo, project_photos
from latentlab.pipelines.photos import PHOTO_TARGETS
from latentlab.projection import DEFAULTS, Phase, ProjectionSettings, TuningSettings, w_statistics
from tests.conftest import TINY, make_tiny

pytestmark = pytest.mark.weights


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("photos")
    generator = stylegan2.load("mobile-ffhq")
    ws = generator.mapping(stylegan2.z_from_seeds([641], generator.z_dim), psi=0.7)
    images.save_image(generator.synthesis(ws, resolution=256), path / "face.png")
    return path


@pytest.fixture(scope="module")
def distance():
    return load_perceptual("alex")


def direction_of(generator, attribute="light"):
    vector = np.eye(generator.w_dim, dtype=np.float32)[0]
    return Direction(vector, attribute, "made up", strength_range=(-1.0, 1.0), generator=generator.fingerprint)


# --- classes ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def conditional():
    return make_tiny(replace(TINY, resolution=32, c_dim=3, mapping_lr_multiplier=1.0))


def test_a_photo_is_searched_for_near_the_latents_of_a_class(conditional, distance, folder, tmp_path):
    components = Components.load(conditional, perceptual=distance)
    still = ProjectionSettings("w", (Phase(1, 1e-9, resolution=32),))
    found = {}
    for label in (0, 2, None):  # in one folder: runs of different classes do not mix
        settings = PhotoSettings(still, None, class_label=label)
        ((_, result),) = project_photos([folder / "face.png"], components, settings, tmp_path, False)
        found[label] = result.portrait.ws[0, 0]
    statistics = w_statistics(components.of_class(2).generator)
    torch.testing.assert_close(found[2], statistics.mean)
    torch.testing.assert_close(found[None], w_statistics(conditional).mean)
    assert (found[2] - found[0]).norm() > 0.1 * statistics.sigma < (found[2] - found[None]).norm()


def test_a_class_is_tuned_on_and_edited(conditional, distance, folder, tmp_path):
    settings = PhotoEditSettings(
        DEFAULTS["w+"].shortened(2), TuningSettings(steps=2, drift_seeds=(1,)), start="best", class_label=1
    )
    components = Components.load(conditional, perceptual=distance)
    result = edit_photo(folder / "face.png", direction_of(conditional), [1.0], components, settings, tmp_path, False)
    tuned = result.portrait.tuned.delta.apply(conditional)  # the change fits the generator itself
    torch.testing.assert_close(tuned.synthesis(result.portrait.ws), result.portrait.rendered)


def test_commands_refuse_a_class_that_there_is_not(refused, data, folder, tmp_path):
    network, plain = data / "net16cond_nvada_stub.pkl", tmp_path / "plain.safetensors"
    stylegan2.save(make_tiny(), plain)
    direction_of(stylegan2.load(network)).save(tmp_path / "light.safetensors")
    for command in (["project"], ["edit", "--direction", tmp_path / "light.safetensors", "--photo"]):
        words = [*command, folder / "face.png", "--out", tmp_path / "out", "--class"]
        assert "the classes of this generator are 0 … 2, not 3" in refused(*words, 3, "--network", network)
        assert "not conditional: it has no class 0" in refused(*words, 0, "--network", plain)
    assert not (tmp_path / "out").exists()


# --- small generators ---------------------------------------------------------------------------------------


def test_a_generator_of_16_pixels_goes_all_the_way(run, refused, data, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    network = data / "net16cond_nvada_stub.pkl"
    # The score is of what the direction moves, but unknown of such images: no strength is searched for.
    direction_of(stylegan2.load(network), "happy").save("happy.safetensors")
    words = ["edit", "--direction", "happy.safetensors", "--photo", folder / "face.png", "--network", network]
    words += ["--class", 2, "--steps", 2, "--no-tune", "--mask", "hull"]
    assert "of at least 64x64, not" in refused(*words, "--target", 0.9)
    code, out, err = run(*words, "--out", "out")
    assert code == 0 and "happy +1: happy unknown, identity unknown" in out, err
    own = tmp_path / "out" / "face"
    assert images.load_image(own / "comparison.png").shape[3] > 500
    edited, photo = (images.load_image(path) for path in (own / "photo_+1.png", folder / "face.png"))
    assert edited.shape == photo.shape and not torch.equal(edited, photo)
    facts = json.loads((own / "report.json").read_text())
    assert [(edit["strength"], edit["score"]) for edit in facts["edits"]] == [(-1, None), (0, None), (1, None)]
    unknown = {check["name"] for check in facts["before"] + facts["after"] if check["verdict"] == "unknown"}
    assert unknown == {"detail", "identity", "identity distance"}
    report = (own / "report.md").read_text()
    assert "| +1 | unknown | unknown |" in report and "| its projection | unknown | unknown |" in report


def test_a_generator_of_64_pixels_is_brought_to_a_target(distance, folder, tmp_path):
    small = make_tiny(replace(TINY, resolution=64))
    components = Components.load(small, perceptual=distance)
    settings = PhotoEditSettings(DEFAULTS["w+"].shortened(2), None)
    path, direction = folder / "face.png", direction_of(small, "happy")
    result = edit_photo(path, direction, None, components, settings, tmp_path, False)
    assert tuple(edit.search.target.value for edit in result.edits) == PHOTO_TARGETS
    assert all(0 < edit.score < 1 and np.isnan(edit.identity) for edit in result.edits)
    assert {check.name for edit in result.edits for check in edit.checks} >= {"effect"}
    assert "faces of 64 pixels are too small for the descriptor" in (result.folder / "report.md").read_text()


def test_images_too_small_to_compare_are_refused_in_one_line(refused, folder, tmp_path):
    stylegan2.save(make_tiny(replace(TINY, resolution=8)), tmp_path / "8.safetensors")
    words = ["project", folder / "face.png", "--network", tmp_path / "8.safetensors", "--out", tmp_path / "out"]
    assert "makes images of 8 pixels; photos are projected into 16 or more" in refused(*words)
    assert not (tmp_path / "out").exists()
