"""Generators whose images are not square: what works with them, and what refuses them by the size of their images."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import stylegan2
from latentlab import images
from latentlab.directions import Direction
from latentlab.directions.optimised import Optimised
from latentlab.dragging import drag
from latentlab.editing import move
from latentlab.errors import UserError
from latentlab.mapping import OneClass, check_square
from latentlab.pipelines import (
    Components,
    GeneratorMetricSettings,
    LabelSettings,
    SeedSettings,
    StudySettings,
    edit_seeds,
    fit_samples,
    interpolate,
    label_samples,
    study_attribute,
    walk_seeds,
)
from latentlab.pipelines.keyframes import keyframes_of
from latentlab.pipelines.metrics.generator import measure_generator
from latentlab.projection import Phase, ProjectionSettings, TuningSettings, project, tune
from latentlab.rendering import Renderer
from latentlab.scorers import FaceCrop, FunctionScorer, ScorerSet, load_scorer, takes_square
from latentlab.studio.networks import Networks
from tests.conftest import TINY, make_tiny
from tests.latentlab.random_networks import random_distance
from tests.processes import run_command

LIVELY = replace(TINY, mapping_lr_multiplier=1.0)
SIZES = {"4x8": (4, 8), "5x3": (5, 3), "5x5": (5, 5)}


@pytest.fixture(scope="module", params=SIZES.values(), ids=SIZES)
def shaped(request):
    """A generator with such a constant: of square images, too, but of 20 pixels a side."""
    return make_tiny(replace(LIVELY, base_size=request.param))


@pytest.fixture(scope="module")
def wide():
    return make_tiny(replace(LIVELY, base_size=(4, 8)))


def direction_of(generator):
    return Direction(np.eye(32, dtype=np.float32)[0], "light", "mean", generator=generator.fingerprint)


SCORER = FunctionScorer(("bright",), lambda shown: torch.sigmoid(shown.mean(dim=(1, 2, 3))), "brightness")


# --- what works ---------------------------------------------------------------------------------------------


def test_generate_writes_images_twice_as_wide_as_high(wide, tmp_path):
    stylegan2.save(wide, tmp_path / "wide.safetensors")
    words = ["generate", "--network", tmp_path / "wide.safetensors", "--seeds", "1,2", "--out", tmp_path / "out"]
    done = run_command(*words)
    assert done.returncode == 0, done.stderr
    made = wide(stylegan2.z_from_seeds([2], 32), psi=0.7)
    with Image.open(tmp_path / "out" / "seed000002.png") as image, Image.open(tmp_path / "out" / "grid.png") as grid:
        assert (image.size, grid.size) == ((32, 16), (64, 16))
        assert np.array_equal(np.asarray(image), images.to_bytes(made)[0].permute(1, 2, 0).numpy())


def test_labels_edits_walks_and_animations_keep_the_shape(shaped, tmp_path):
    height, width = shaped.image_size
    components, direction = Components.load(shaped, SCORER), direction_of(shaped)
    table = label_samples(components, LabelSettings(8), tmp_path / "samples", progress=False)
    assert np.isfinite(table.scores).all() and len(table) == 8
    edit_seeds([1], direction, [-1, 1], components, SeedSettings(), tmp_path / "edits", progress=False)
    assert {Image.open(path).size for path in (tmp_path / "edits").glob("*.png")} == {(width, height)}
    walk = walk_seeds([1, 2], direction, [-1, 0, 1], components, progress=False)
    assert walk.images.shape == (2, 3, 3, height, width)
    walk.save(tmp_path / "walk.gif")
    interpolate(keyframes_of(1, 2), tmp_path / "between.gif", components, progress=False)
    with Image.open(tmp_path / "walk.gif") as drawn, Image.open(tmp_path / "between.gif") as between:
        assert (drawn.size, between.size) == ((2 * width, height), (width, height))


def test_directions_are_learnt_by_every_way(wide, tmp_path):
    components = Components.load(wide, SCORER)
    label_samples(components, LabelSettings(60, threshold="median"), tmp_path, progress=False)
    for method in ("svm", "ganspace", "sefa", "optimised", "style-correlation"):
        (fit,) = fit_samples(tmp_path, ["bright"], method, components, progress=False).values()
        edited = Renderer(wide, 16)(move(wide.w_avg.expand(1, wide.num_ws, -1), [(fit.direction, 1.0)], wide))
        assert edited.shape == (1, 3, 16, 32), method


def test_a_study_says_the_size(wide, tmp_path):
    settings = StudySettings("bright", samples=60, method="svm", threshold="median")
    study_attribute(Components.load(wide, SCORER), settings, tmp_path, progress=False)
    assert "at the full resolution (32×16)" in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_cells_of_a_walk_have_the_shape_of_the_images(wide, tmp_path):
    walk = walk_seeds([1], direction_of(wide), [-1, 1], Components.load(wide, SCORER), progress=False)
    square = replace(walk, images=walk.images[..., :16])
    cells = [figure.figure("bright").axes[0].get_window_extent() for figure in (walk, square)]
    assert [round(cell.height / cell.width, 6) for cell in cells] == [0.5, 1.0]


def test_previews_and_wrappers_tell_the_size(wide, tmp_path):
    assert Renderer(wide, 16).size == wide.image_size == (16, 32)
    one = OneClass(make_tiny(replace(LIVELY, c_dim=3, base_size=(4, 8))), 1)
    assert Renderer(one, 16).size == (16, 32)
    with pytest.raises(UserError, match=r"each face has 1 to 32 pixels with this generator, not 33"):
        walk_seeds([1], direction_of(wide), [1], Components.load(wide, SCORER), SeedSettings(resolution=33))
    small = walk_seeds(
        [1], direction_of(wide), [1], Components.load(wide, SCORER), SeedSettings(resolution=20), progress=False
    )
    assert small.images.shape[-2:] == (10, 20)


@pytest.mark.parametrize("base", [(8, 16), (10, 6)], ids=str)
@pytest.mark.parametrize("space", ["w", "w+"])
def test_images_of_the_shape_are_projected(base, space):
    generator, distance = make_tiny(replace(LIVELY, base_size=base)), random_distance("vgg")
    made = generator(stylegan2.z_from_seeds([1], 32))
    settings = ProjectionSettings(space, (Phase(6, 0.1, resolution=32),), noise_maps="optimised")
    found = project(made, generator, settings, start="average", perceptual=distance, progress=False)
    average = generator.synthesis(generator.w_avg.expand(1, generator.num_ws, -1))
    assert found.render(generator).shape == made.shape
    assert found.distances[0] < distance(average, made)[0]
    said = rf"makes images of {4 * base[0]}×{4 * base[1]} pixels .* which is another shape"
    with pytest.raises(UserError, match=said):
        project(made.transpose(2, 3), generator, settings, perceptual=distance, progress=False)


# --- what refuses -------------------------------------------------------------------------------------------

COMMANDS = {
    "the scorer attributes:young, which knows faces": [
        "edit", "--direction", "DIRECTION", "--seeds", "1", "--scorer", "attributes:young", "--out", "OUT",
    ],
    "the scorer attributes:smiling, which knows faces": ["label", "--scorer", "attributes:smiling", "--out", "OUT"],
    "the scorer lighting, which knows faces": ["label", "--scorer", "lighting", "--out", "OUT"],
    "the scorer attributes:young, which": [
        "study", "--attribute", "young", "--scorer", "attributes:young", "--samples", "20", "--out", "OUT",
    ],
    "dragging": ["drag", "--seed", "1", "--move", "3,4:5,6", "--out", "OUT.png"],
    "editing and projecting photos of faces": ["project", "PHOTO", "--out", "OUT"],
    "editing and projecting photos": ["edit", "--direction", "DIRECTION", "--photo", "PHOTO", "--out", "OUT"],
    "drawing training sets and comparisons": ["translate", "make", "drawings", "--seeds", "1", "--out", "OUT"],
    "drawing training sets": ["distil", "--direction", "DIRECTION", "--out", "OUT.safetensors"],
    "measuring a generator": ["metrics", "generator", "--out", "OUT"],
}  # fmt: skip


@pytest.fixture(scope="module")
def files(wide, tmp_path_factory):
    folder = tmp_path_factory.mktemp("networks")
    stylegan2.save(wide, folder / "wide.safetensors")
    direction_of(wide).save(folder / "direction.safetensors")
    images.save_image(torch.zeros(3, 64, 64), folder / "photo.png")
    return {
        "DIRECTION": folder / "direction.safetensors",
        "PHOTO": folder / "photo.png",
        "net": folder / "wide.safetensors",
    }


@pytest.mark.parametrize("what", COMMANDS)
def test_commands_refuse_other_shapes_before_any_work(refused, files, tmp_path, what):
    given = {**files, **{word: tmp_path / word for word in ("OUT", "OUT.png", "OUT.safetensors")}}
    said = refused(*[given.get(word, word) for word in COMMANDS[what]], "--network", files["net"])
    assert f"makes images of 16×32 pixels (height × width); {what}" in said
    assert "takes one of square images whose side is a power of two" in said
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_functions_refuse_other_shapes(shaped, tmp_path):
    components, codes = Components.load(shaped, SCORER), shaped.w_avg.expand(1, shaped.num_ws, -1)
    distance = random_distance("vgg")
    finder = Optimised(region="mouth", renderer=Renderer(shaped, 16), attribute="bright")
    calls = {
        "dragging": lambda: drag(codes, [[1, 2]], [[3, 4]], shaped),
        "tuning": lambda: tune(shaped.synthesis(codes), codes, shaped, distance, TuningSettings(steps=1)),
        "the studio": lambda: Networks(components),
        "measuring a generator": lambda: measure_generator(components, GeneratorMetricSettings(), tmp_path / "metrics"),
        "a region of the face": finder._region,
    }
    height, width = shaped.image_size
    for what, call in calls.items():
        with pytest.raises(UserError, match=rf"images of {height}×{width} pixels \(height × width\); {what} takes"):
            call()
    assert not list(tmp_path.iterdir())


def test_only_scorers_of_ffhqs_framing_take_square_images_alone(wide):
    young = load_scorer("attributes:young")
    other = type(young)(
        young.network, young.all_names, young.slopes, young.offsets, wanted=("young",), crop=FaceCrop(0.1, 0.1, 0.5)
    )
    assert takes_square(young) and not takes_square(other) and not takes_square(SCORER)
    assert takes_square(ScorerSet({"a": SCORER, "b": young})) and not takes_square(ScorerSet({"a": SCORER}))
    Components.load(wide, other).check_images(scored=True)
    check_square(make_tiny(), "anything")
