"""Tasks with pairs whose true answer is known, facades and drawings, and their baselines and oracles."""

import os
from dataclasses import replace

import numpy as np
import pytest
import torch

from latentlab import images, perceptual
from latentlab.comparison import compare
from latentlab.errors import UserError
from latentlab.files import read_json
from latentlab.pipelines.components import Components
from latentlab.progress import silent
from latentlab.projection import DEFAULTS, project
from latentlab.tasks import drawings, facades
from latentlab.tasks.baselines import Retrieval
from latentlab.tasks.drawings import DrawingsSettings, drawings_methods, make_drawings_task
from latentlab.tasks.facades import FacadesSettings, facades_methods, make_facades_task
from latentlab.tasks.facades.layout import PALETTE, LayoutJudge, are_layouts, classes_of

pytestmark = pytest.mark.weights


@pytest.fixture(scope="module")
def vgg():
    return perceptual.load_perceptual("vgg")


def write_pairs(folder, count, first):
    """Pairs of 40 by 20 pixels: right a few plain blocks, left the negative of them, with a little texture."""
    for k in range(count):
        rng = torch.Generator().manual_seed(first + k)
        colours = torch.tensor(PALETTE)[torch.randint(0, len(PALETTE), (4, 4), generator=rng)] / 127.5 - 1
        blocks = colours.permute(2, 0, 1)[None].repeat_interleave(5, 2).repeat_interleave(5, 3)
        texture = 0.1 * torch.randn(1, 3, 20, 20, generator=rng)
        images.save_image(torch.cat([texture - blocks, blocks], dim=3), folder / f"{first + k}.png")


@pytest.fixture(scope="module")
def built(tmp_path_factory, vgg):
    folder = tmp_path_factory.mktemp("facades")
    write_pairs(folder / "set" / "train", 5, 0)
    write_pairs(folder / "set" / "val", 4, 10)
    settings = FacadesSettings(32, held_out=3, base_channels=2, epochs={"pix2pix": 1, "cyclegan": 0.4}, judge_epochs=1)
    return make_facades_task(settings, folder / "out", folder / "set", vgg)


def test_the_truth_is_without_fault(built):
    columns = built.measure(built.truth())
    assert list(built.names) == ["10", "11", "12"] and all(len(values) == 3 for values in columns.values())
    assert (columns["lpips"] == 0).all() and (columns["l1"] == 0).all()
    assert columns["sharpness"] == pytest.approx(np.ones(3))
    assert built.measure_set(built.truth())["frechet_distance"].mean == pytest.approx(0, abs=1e-6)
    assert {measure.name for measure in built.measures} == columns.keys() | built.measure_set(built.truth()).keys()
    given = built.measure(built.inputs())
    assert (given["lpips"] > 0.05).all() and (given["l1"] > 0.2).all() and (given["sharpness"] != 1).all()
    assert np.isnan(built.measure(built.inputs())["sharpness"]).sum() == 0


def test_pictures_without_any_edge_have_no_share_of_sharpness(built, monkeypatch):
    plain = torch.zeros(3, 3, 32, 32)
    monkeypatch.setattr(built, "truth", lambda: plain)
    assert np.isnan(built.measure(plain)["sharpness"]).all()


def test_retrieval_finds_what_it_has_seen(built, vgg):
    inputs, outputs = built.training.tensors(built.size)
    floor = Retrieval(lambda: (inputs, outputs), vgg)
    floor.fit(built, built.folder, silent)
    assert torch.equal(floor.apply(inputs.flip(0)), outputs.flip(0))
    nearly = (inputs + 0.02 * torch.randn(inputs.shape, generator=torch.Generator().manual_seed(0))).clamp(-1, 1)
    assert torch.equal(floor.apply(nearly[2:4]), outputs[2:4])


def test_labels_are_right_and_photos_left(built):
    before, after = built.training.tensors(20)
    both = images.load_image(built.training.before.paths[0])
    assert torch.equal(before[:1], both[..., 20:]) and torch.equal(after[:1], both[..., :20])
    assert (before + after).abs().mean() < 0.1
    assert {"a", "b"} == built.unpaired(silent).sample(0, None).keys() == built.paired(silent).sample(0, None).keys()


def test_facades_are_compared(built):
    methods = facades_methods(built, ["pix2pix-l1", "encoder-decoder", "cyclegan", "retrieval"])
    comparison = compare(built, methods)
    assert [one.failure for one in comparison.results] == [""] * 4
    for one in comparison.results:
        assert one.images.shape == (3, 3, 32, 32)
        assert all(one.intervals[measure.name].n == 3 for measure in built.measures)
    trained, found = comparison.results[0], comparison.results[-1]
    assert trained.costs["megabytes"] > 0 == found.costs["megabytes"]
    outputs = {picture.numpy().tobytes() for picture in images.to_bytes(built.training.tensors(32)[1])}
    assert {picture.numpy().tobytes() for picture in images.to_bytes(found.images)} <= outputs
    manifest = read_json(built.folder / "manifest.json")
    assert manifest["methods"]["pix2pix-l1"]["config"]["gan_weight"] == 0
    assert not manifest["methods"]["encoder-decoder"]["config"]["generator"]["skips"]


def test_another_set_is_another_key(built, tmp_path, vgg):
    for part, count, first in (("train", 5, 0), ("val", 4, 10)):
        write_pairs(tmp_path / part, count, first)
    same = make_facades_task(built.settings, built.folder, tmp_path, vgg)
    assert same.training_key == built.training_key and same.held_out_key == built.held_out_key
    pair = images.load_image(tmp_path / "train" / "0.png")
    images.save_image(-pair, tmp_path / "train" / "0.png")
    other = make_facades_task(built.settings, built.folder, tmp_path, vgg)
    assert other.training_key != built.training_key and other.held_out_key == built.held_out_key


def test_too_few_pairs_and_unknown_methods_are_told(built, tmp_path, vgg):
    with pytest.raises(UserError, match="2 held out, not 5 and 1"):
        make_facades_task(replace(built.settings, held_out=1), tmp_path, built.training.before.paths[0].parents[1], vgg)
    with pytest.raises(UserError, match="no folder .*train"):
        make_facades_task(built.settings, tmp_path, tmp_path, vgg)
    known = ", ".join(facades.METHODS)
    with pytest.raises(UserError, match=f"'pix3pix' \\(did you mean pix2pix\\?\\); there are {known}"):
        facades_methods(built, ["pix2pix", "pix3pix"])


# --- faces --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def drawn(tmp_path_factory, tiny, vgg):
    settings = DrawingsSettings(32, 4, 2, base_channels=2, epochs={"pix2pix": 1}, projection_steps=2)
    components = Components.load(tiny, perceptual=vgg)
    return make_drawings_task(settings, components, tmp_path_factory.mktemp("drawings"), with_identity=False)


def test_drawings_are_compared(drawn):
    comparison = compare(drawn, drawings_methods(drawn))
    assert [one.failure for one in comparison.results] == [""] * 4
    assert [one.name for one in comparison.results] == list(drawings.METHODS)
    assert len(drawn.training) == 4 and len(drawn.names) == 2
    assert drawn.labels == [f"seed {int(name)}" for name in drawn.names]
    assert set(drawn.inputs().unique().tolist()) <= {-1.0, 1.0}
    methods = read_json(drawn.folder / "manifest.json")["methods"]
    projected = [methods[name]["projected"] for name in ("projection-of-drawing", "projection-of-face")]
    assert projected == ["input", "truth"]
    assert comparison.results[2].costs["prepare_seconds"] > 0
    found = project(drawn.truth(), drawn.generator, DEFAULTS["w+"].shortened(2)).render(drawn.generator)
    same = images.to_bytes(images.resize(found.clamp(-1, 1), 32, 32))
    # Rendered one by one there and at once here, which rounds otherwise on some CPUs.
    assert (images.to_bytes(comparison.results[3].images).int() - same.int()).abs().max() <= 1
    assert not torch.equal(comparison.results[2].images, comparison.results[3].images)


def test_drawings_are_made_once(drawn, tiny, vgg):
    (pairs,) = drawn.folder.glob("pairs-*")
    for path in pairs.rglob("*.png"):
        os.utime(path, (0, 0))
    components = Components.load(tiny, perceptual=vgg)
    longer, others = replace(drawn.settings, epochs={"pix2pix": 3}), replace(drawn.settings, seed_start=900)
    again = make_drawings_task(longer, components, drawn.folder, with_identity=False)
    assert again.training_key == drawn.training_key
    assert all(path.stat().st_mtime == 0 for path in pairs.rglob("*.png")) and len(list(pairs.rglob("*.png"))) == 6
    other = make_drawings_task(others, components, drawn.folder, with_identity=False)
    assert other.training_key != drawn.training_key


def test_faces_of_a_folder_are_drawn_and_described(tiny, tmp_path, vgg):
    for k in range(4):
        picture = torch.rand(1, 3, 20, 20, generator=torch.Generator().manual_seed(k)) * 2 - 1
        images.save_image(picture, tmp_path / "faces" / f"face{k}.png")
    settings, components = DrawingsSettings(16, held_out=2), Components.load(tiny, perceptual=vgg)
    task = make_drawings_task(settings, components, tmp_path / "out", tmp_path / "faces")
    assert list(task.names) == ["face2", "face3"]
    assert "identity" in [measure.name for measure in task.measures]
    assert np.isnan(task.measure(task.truth())["identity"]).all(), "noise is nobody"
    with pytest.raises(UserError, match="4 of 4 are"):
        make_drawings_task(replace(settings, held_out=4), components, tmp_path / "out", tmp_path / "faces")
    with pytest.raises(UserError, match="no method of this task is called 'cyclegan'"):
        drawings_methods(task, ["cyclegan"])


# --- the layout of facades ----------------------------------------------------------------------------------


def labelled_pairs(count, side=16):
    """Layouts of two colours in blocks, and photos that show each in a grey of its own, with noise."""
    rng = torch.Generator().manual_seed(1)
    chosen = (
        torch.randint(0, 2, (count, 4, 4), generator=rng)
        .repeat_interleave(side // 4, 1)
        .repeat_interleave(side // 4, 2)
    )
    labels = (torch.tensor(PALETTE)[[1, 10]] / 127.5 - 1)[chosen].permute(0, 3, 1, 2)
    photos = (chosen[:, None] - 0.5 + 0.1 * torch.randn(count, 3, side, side, generator=rng)).clamp(-1, 1)
    return labels, photos


def test_classes_are_the_nearest_colours_and_other_colours_are_no_layout():
    labels, _ = labelled_pairs(3)
    noisy = labels + 0.03 * torch.randn(labels.shape)
    assert torch.equal(classes_of(noisy), classes_of(labels)) and set(classes_of(labels).unique().tolist()) == {1, 10}
    assert are_layouts(noisy) and not are_layouts(torch.full_like(labels, 1.0))


def test_a_judge_learns_to_read_the_layout_and_is_trained_once(tmp_path):
    labels, photos = labelled_pairs(16)

    class Source:
        def __len__(self):
            return 16

        def describe(self):
            return {}

        def sample(self, index, rng):
            return {"a": labels[index : index + 1], "b": photos[index : index + 1]}

    judge = LayoutJudge(Source(), 16, 40, tmp_path)
    judge.fit(torch.device("cpu"), silent)
    assert judge.share(photos, labels).min() > 0.9
    assert judge.share(photos.roll(1, dims=0), labels).mean() < 0.8
    again = LayoutJudge(None, 16, 40, tmp_path)
    again.fit(torch.device("cpu"), silent)
    assert (again.share(photos, labels) == judge.share(photos, labels)).all()
