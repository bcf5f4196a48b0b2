"""The tasks whose answers are known, shapes, drawings and facades; trained methods, and floors."""

import os
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch
from latentlab.metrics.shapes import became_circle, circle_of, judge_scene, overlap, square_of, windows_of

from latentlab import images, perceptual
from latentlab.comparison.run import compare
from latentlab.datasets.shapes import ground_of, scene
from latentlab.errors import UserError
from latentlab.faces.identity import FaceDescriptor
from latentlab.files import read_json
from latentlab.progress import silent
from latentlab.projection import DEFAULTS, project
from latentlab.tasks.baselines import Nothing, Retrieval
from latentlab.tasks.drawings import DRAWINGS_METHODS, DrawingsSettings, drawings_methods, make_drawings_task
from latentlab.tasks.facades import FACADES_METHODS, FacadesSettings, facades_methods, make_facades_task
from latentlab.tasks.shapes import ShapesSettings, make_shapes_task, shapes_methods, true_masks
from latentlab.tasks.trained import Trained
from latentlab.translation.methods import InstaGANConfig, Pix2Pix
from latentlab.translation.networks import InstaDiscriminatorConfig, InstaGeneratorConfig
from latentlab.translation.training import loop
from tests.latentlab.translation.toys import Toy


@pytest.fixture(scope="module")
def vgg():
    return perceptual.load_perceptual("vgg")


# --- squares and circles ------------------------------------------------------------------------------------


def regions_of(made):
    return (made.masks[0] > 0).numpy()


@pytest.mark.parametrize("seed", range(20))
def test_circles_and_squares_are_told_apart(seed):
    for region in regions_of(scene("circle", 64, 3, seed)):
        assert became_circle(region, region)
    for region in regions_of(scene("square", 64, 3, seed)):
        assert not became_circle(region, region)
        assert overlap(region, square_of(region)) > 0.9
        assert overlap(circle_of(region), circle_of(circle_of(region))) > 0.9


def test_a_square_is_no_circle_whichever_way_it_is_turned():
    y, x = np.indices((200, 200)) - 99.5
    for degrees in range(0, 90, 5):
        c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        turned = np.maximum(np.abs(c * x + s * y), np.abs(c * y - s * x)) <= 50
        assert overlap(turned, circle_of(turned)) == pytest.approx(0.834, abs=0.01)
        assert not became_circle(turned, turned)


def test_what_is_left_or_too_much_is_no_circle():
    y, x = np.indices((64, 64)) - 31.5
    square, dot, disc = np.maximum(abs(x), abs(y)) <= 6, x**2 + y**2 <= 9, x**2 + y**2 <= 144
    assert not became_circle(square, dot) and not became_circle(square, disc)
    assert not became_circle(square, np.zeros_like(square))
    assert became_circle(square, circle_of(square))


@pytest.mark.parametrize("seed", range(20))
def test_windows_hold_their_shapes_and_never_meet(seed):
    regions = regions_of(scene("square", 64, 4, seed))
    windows = windows_of(regions, 4)
    assert windows.sum(axis=0).max() == 1
    for region, window in zip(regions, windows, strict=True):
        assert (window | ~region).all() and (window | ~circle_of(region)).all()


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    return make_shapes_task(ShapesSettings(scenes=4, held_out=8, width=2), tmp_path_factory.mktemp("shapes"))


def test_the_oracle_succeeds_everywhere(shapes):
    found = shapes.measure(shapes.truth())
    assert list(found) == [figure.name for figure in shapes.figures]
    assert (found["changed"] == 1).all() and (found["circle_iou"] == 1).all() and (found["ground"] == 0).all()
    assert found["colour"].max() < 1e-6 and found["size"].max() < 0.12, "circles of few pixels have odd areas"


def test_nothing_changes_nothing(shapes):
    nothing = Nothing()
    nothing.fit(shapes, shapes.folder, silent)
    found = shapes.measure(nothing.apply(shapes.inputs()))
    for name in ("changed", "colour", "size", "ground"):
        assert (found[name] == 0).all()
    assert found["circle_iou"].mean() == pytest.approx(0.834, abs=0.04)


def test_a_scene_that_is_half_done_is_half_a_success(shapes):
    several = [k for k, masks in enumerate(shapes.masks) if masks.shape[1] > 1]
    assert several
    for k in several:
        before, after, masks = shapes.inputs()[k], shapes.truth()[k].clone(), shapes.masks[k][0]
        window = torch.from_numpy(windows_of((masks > 0).numpy(), 4)[0])
        after[:, window] = before[:, window]
        assert judge_scene(before, after, masks, ground_of(64))["changed"] == pytest.approx(1 - 1 / len(masks))


def test_shapes_that_vanished_are_told(shapes):
    found = shapes.measure(ground_of(64).expand_as(shapes.inputs()))
    assert (found["changed"] == 0).all() and (found["circle_iou"] == 0).all() and (found["size"] == 1).all()
    assert np.isnan(found["colour"]).all()


def test_noise_is_no_success_and_a_little_of_it_no_harm(shapes):
    noise = torch.rand(shapes.inputs().shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert (shapes.measure(noise)["changed"] == 0).all()
    little = shapes.measure(shapes.truth() + 0.1 * noise)
    assert (little["changed"] == 1).all()
    assert little["ground"] == pytest.approx(np.full(8, 0.025), rel=0.1), "half of the mean of 0.1 |noise|"
    assert shapes.measure(-shapes.truth())["colour"].mean() > 0.3


def test_the_masks_of_plain_scenes_are_found_again(shapes):
    for found, true in zip(true_masks(shapes.inputs()), shapes.masks, strict=True):
        assert {mask.numpy().tobytes() for mask in found[0]} == {mask.numpy().tobytes() for mask in true[0]}
    assert true_masks(ground_of(64)[None]) == [None]


def test_shapes_are_compared_and_found_again(shapes):
    few = replace(shapes.settings, scenes=1, held_out=2, most=1, epochs={"instagan": 1, "cyclegan": 1}, batch_size=1)
    task = make_shapes_task(few, shapes.folder)
    assert len(task.names) == 2 and task.training_key != shapes.training_key
    comparison = compare(task, shapes_methods(task))
    assert len(list(task.folder.glob("scenes-*"))) == 2
    assert [row.failure for row in comparison.rows] == ["", "", ""]
    assert comparison.rows[2].figures["changed"].mean == 0
    assert not torch.equal(comparison.rows[0].pictures, comparison.rows[1].pictures)
    models = {path.name.rsplit("-", 1)[0]: path for path in (task.folder / "models").iterdir()}
    assert (models["instagan"] / loop.MODEL).exists() and (models["cyclegan"] / loop.MODEL).exists()
    task = make_shapes_task(few, shapes.folder)
    again = compare(task, shapes_methods(task))
    assert [row.figures for row in again.rows] == [row.figures for row in comparison.rows]


def test_bad_scenes_are_told():
    with pytest.raises(UserError, match="from 64 pixels a side, not 32"):
        ShapesSettings(size=32)
    with pytest.raises(UserError, match="1 at least"):
        ShapesSettings(held_out=0)


# --- pairs --------------------------------------------------------------------------------------------------


def write_pairs(folder, count, first):
    """Pairs of 40 by 20 pixels: right a few plain blocks, left the negative of them, with a little texture."""
    for k in range(count):
        rng = torch.Generator().manual_seed(first + k)
        blocks = torch.rand(1, 3, 4, 4, generator=rng).mul(2).sub(1).repeat_interleave(5, 2).repeat_interleave(5, 3)
        texture = 0.1 * torch.randn(1, 3, 20, 20, generator=rng)
        images.save_image(torch.cat([texture - blocks, blocks], dim=3), folder / f"{first + k}.png")


@pytest.fixture(scope="module")
def built(tmp_path_factory, vgg):
    folder = tmp_path_factory.mktemp("facades")
    write_pairs(folder / "set" / "train", 5, 0)
    write_pairs(folder / "set" / "val", 4, 10)
    settings = FacadesSettings(32, held_out=3, width=2, epochs={"pix2pix": 1, "cyclegan": 0.4})
    return make_facades_task(settings, folder / "out", folder / "set", vgg)


def test_the_truth_is_without_fault(built):
    columns = built.measure(built.truth())
    assert list(built.names) == ["10", "11", "12"] and all(len(values) == 3 for values in columns.values())
    assert (columns["lpips"] == 0).all() and (columns["l1"] == 0).all()
    assert columns["sharpness"] == pytest.approx(np.ones(3))
    assert built.over_all(built.truth())["fid"].mean == pytest.approx(0, abs=1e-6)
    assert {figure.name for figure in built.figures} == columns.keys() | built.over_all(built.truth()).keys()
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
    assert [row.failure for row in comparison.rows] == [""] * 4
    for row in comparison.rows:
        assert row.pictures.shape == (3, 3, 32, 32)
        assert all(row.figures[figure.name].n == 3 for figure in built.figures)
    trained, found = comparison.rows[0], comparison.rows[-1]
    assert trained.costs["megabytes"] > 0 == found.costs["megabytes"]
    outputs = {picture.numpy().tobytes() for picture in images.to_bytes(built.training.tensors(32)[1])}
    assert {picture.numpy().tobytes() for picture in images.to_bytes(found.pictures)} <= outputs
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
    with pytest.raises(UserError, match="2 held out at least, not 5 and 1"):
        make_facades_task(replace(built.settings, held_out=1), tmp_path, built.training.before.paths[0].parents[1], vgg)
    with pytest.raises(UserError, match="no folder .*train"):
        make_facades_task(built.settings, tmp_path, tmp_path, vgg)
    with pytest.raises(UserError, match=f"{', '.join(FACADES_METHODS)}; there is no 'pix3pix'"):
        facades_methods(built, ["pix2pix", "pix3pix"])


# --- faces --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def drawn(tmp_path_factory, tiny, vgg):
    settings = DrawingsSettings(32, 4, 2, width=2, epochs={"pix2pix": 1}, projection_steps=2)
    return make_drawings_task(settings, tmp_path_factory.mktemp("drawings"), tiny, perceptual=vgg)


def test_drawings_are_compared(drawn):
    comparison = compare(drawn, drawings_methods(drawn))
    assert [row.failure for row in comparison.rows] == [""] * 4
    assert [row.name for row in comparison.rows] == list(DRAWINGS_METHODS)
    assert len(drawn.training) == 4 and len(drawn.names) == 2
    assert set(drawn.inputs().unique().tolist()) <= {-1.0, 1.0}
    methods = read_json(drawn.folder / "manifest.json")["methods"]
    projected = [methods[name]["projected"] for name in ("projection-of-drawing", "projection-of-face")]
    assert projected == ["input", "truth"]
    assert comparison.rows[2].costs["prepare_seconds"] > 0
    found = project(drawn.truth(), drawn.generator, DEFAULTS["w+"].shortened(2)).render(drawn.generator)
    same = images.to_bytes(images.resize(found.clamp(-1, 1), 32, 32))
    assert torch.equal(images.to_bytes(comparison.rows[3].pictures), same)
    assert not torch.equal(comparison.rows[2].pictures, comparison.rows[3].pictures)


def test_drawings_are_made_once(drawn, tiny, vgg):
    (pairs,) = drawn.folder.glob("pairs-*")
    for path in pairs.rglob("*.png"):
        os.utime(path, (0, 0))
    again = make_drawings_task(replace(drawn.settings, epochs={"pix2pix": 3}), drawn.folder, tiny, perceptual=vgg)
    assert again.training_key == drawn.training_key
    assert all(path.stat().st_mtime == 0 for path in pairs.rglob("*.png")) and len(list(pairs.rglob("*.png"))) == 6
    other = make_drawings_task(replace(drawn.settings, seed_start=900), drawn.folder, tiny, perceptual=vgg)
    assert other.training_key != drawn.training_key


def test_faces_of_a_folder_are_drawn_and_described(tiny, tmp_path, vgg):
    for k in range(4):
        picture = torch.rand(1, 3, 20, 20, generator=torch.Generator().manual_seed(k)) * 2 - 1
        images.save_image(picture, tmp_path / "faces" / f"face{k}.png")
    settings = DrawingsSettings(16, held_out=2)
    task = make_drawings_task(settings, tmp_path / "out", tiny, tmp_path / "faces", silent, vgg, FaceDescriptor())
    assert list(task.names) == ["face2", "face3"]
    assert "identity" in [figure.name for figure in task.figures]
    assert np.isnan(task.measure(task.truth())["identity"]).all(), "noise is nobody"
    with pytest.raises(UserError, match="4 of 4 are"):
        make_drawings_task(replace(settings, held_out=4), tmp_path / "out", tiny, tmp_path / "faces")
    with pytest.raises(UserError, match="there is no 'cyclegan'"):
        drawings_methods(task, ["cyclegan"])


# --- trained ------------------------------------------------------------------------------------------------


def small(**changes):
    return Trained("pix2pix", Pix2Pix.configure(32, 2), lambda stage: Toy(4, 32), 1, 1, 3, **changes)


def test_what_was_trained_is_found_again(built, tmp_path):
    first = small()
    first.fit(built, tmp_path, silent)

    def never(stage):
        raise AssertionError

    again = Trained("pix2pix", first.config, never, 1, 1, 3)
    assert again.inputs == first.inputs and first.inputs["settings"]["seed"] == 3
    again.fit(built, tmp_path, silent)
    made = first.apply(built.inputs())
    assert torch.equal(made, again.apply(built.inputs())) and made.shape == built.inputs().shape
    assert torch.equal(made[1:2], first.apply(built.inputs()[1:2])), "alone or in company"
    large = torch.rand(2, 3, 40, 40) * 2 - 1
    assert torch.equal(first.apply(large), first.apply(images.resize(large, 32, 32)))


def test_a_training_that_was_stopped_goes_on(built, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "SAVE_SECONDS", 0.0)
    seen = []

    def stopping_at(last):
        @contextmanager
        def stage(title, unit="picture"):
            def step(done, total, note=""):
                seen.append(done)
                if done == last:
                    raise InterruptedError

            yield step

        return stage

    with pytest.raises(InterruptedError):
        small().fit(built, tmp_path / "stopped", stopping_at(3))
    assert not (tmp_path / "stopped" / loop.MODEL).exists()
    stopped, whole = small(), small()
    stopped.fit(built, tmp_path / "stopped", stopping_at(None))
    whole.fit(built, tmp_path / "whole", silent)
    assert seen == [1, 2, 3, 3, 4]
    assert torch.equal(stopped.apply(built.inputs()), whole.apply(built.inputs()))


def test_pictures_without_a_mask_come_back(built, tmp_path):
    config = InstaGANConfig(InstaGeneratorConfig(1, 2), InstaDiscriminatorConfig(2), instances=2)
    masks = torch.full((1, 3, 48, 48), -1.0)
    for k, side in enumerate((4, 12, 8)):
        masks[0, k, 10 * k : 10 * k + side, :side] = 1

    def to_masks(pictures):
        assert pictures.shape[-1] == 48, "as the task gives them"
        return [masks, None]

    method = Trained("instagan", config, lambda stage: Toy(2, 32, instances=2), 0.5, 1, 0, to_masks=to_masks)
    method.fit(built, tmp_path, silent)
    pictures = torch.rand(2, 3, 48, 48) * 2 - 1
    made = method.apply(pictures)
    assert torch.equal(made[1:], images.resize(pictures[1:], 32, 32))
    assert not torch.equal(made[:1], images.resize(pictures[:1], 32, 32))
    masks = masks[:, [1, 2, 0]]
    assert torch.equal(made, method.apply(pictures)), "the largest come first, whatever their order"
    masks = masks[:, :2]
    assert torch.equal(made, method.apply(pictures)), "no more of them than it was trained for"
