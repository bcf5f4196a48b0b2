"""The shapes task, whose answers are known: how scenes are judged, and how methods are compared on them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from latentlab.comparison import compare
from latentlab.datasets.shapes import ground_of, scene
from latentlab.errors import UserError
from latentlab.progress import silent
from latentlab.tasks.baselines import Nothing
from latentlab.tasks.shapes import ShapesSettings, make_shapes_task, shapes_methods
from latentlab.tasks.shapes.judging import became_circle, circle_of, judge_scene, overlap, square_of, windows_of
from latentlab.tasks.shapes.task import true_masks
from latentlab.translation.training import MODEL


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
    return make_shapes_task(ShapesSettings(scenes=4, held_out=8, base_channels=2), tmp_path_factory.mktemp("shapes"))


def test_the_oracle_succeeds_everywhere(shapes):
    found = shapes.measure(shapes.truth())
    assert list(found) == [measure.name for measure in shapes.measures]
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
    assert [one.failure for one in comparison.results] == ["", "", ""]
    assert comparison.results[2].intervals["changed"].mean == 0
    assert not torch.equal(comparison.results[0].images, comparison.results[1].images)
    models = {path.name.rsplit("-", 1)[0]: path for path in (task.folder / "models").iterdir()}
    assert (models["instagan"] / MODEL).exists() and (models["cyclegan"] / MODEL).exists()
    task = make_shapes_task(few, shapes.folder)
    again = compare(task, shapes_methods(task))
    assert [one.intervals for one in again.results] == [one.intervals for one in comparison.results]


def test_bad_scenes_are_told():
    with pytest.raises(UserError, match="at 64 pixels or more, not 32"):
        ShapesSettings(size=32)
    with pytest.raises(UserError, match="at least 1"):
        ShapesSettings(held_out=0)
