"""Training sets: folders as users have them, good and bad; what is made; how pictures are placed."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from latentlab import images
from latentlab.datasets.drawings import Pencil, reduce_drawing
from latentlab.datasets.making import (
    LatentPairs,
    make_drawings,
    make_latent_pairs,
    make_shapes,
)
from latentlab.datasets.shapes import ground_of, scene
from latentlab.directions import Direction
from latentlab.errors import UserError
from latentlab.faces.detectors import FaceFound
from latentlab.faces.regions import mouth_region
from latentlab.rendering import Renderer
from latentlab.scorers import FunctionScorer
from latentlab.translation.data.folders import masked_in, masks_of, pairs_in, pictures_in, singles_in
from latentlab.translation.data.sets import open_pairs, open_unpaired
from latentlab.translation.data.transforms import Augmentation, Placement, largest_masks


def picture(path, value=0, size=(8, 8)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (value, value, value)).save(path)


def pair(path, left=0, right=255):
    path.parent.mkdir(parents=True, exist_ok=True)
    both = Image.new("RGB", (16, 8), (left,) * 3)
    both.paste(Image.new("RGB", (8, 8), (right,) * 3), (8, 0))
    both.save(path)


# --- folders ------------------------------------------------------------------------------------------------


def test_pairs_lie_side_by_side_in_either_order(tmp_path):
    pair(tmp_path / "train" / "one.png")
    (tmp_path / "train" / "notes.txt").write_text("no picture")
    for order, first in (("AB", -1), ("BA", 1)):
        source = open_pairs(tmp_path, "train", Augmentation(8, 8, flip=False), order).source
        sample = source.sample(0, None)
        assert len(source) == 1
        assert torch.equal(sample["a"], torch.full((1, 3, 8, 8), float(first)))
        assert torch.equal(sample["b"], -sample["a"])


def test_bad_pairs_are_an_error_or_a_named_skip(tmp_path):
    pair(tmp_path / "good.png")
    picture(tmp_path / "odd.png", size=(7, 8))
    (tmp_path / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n torn")
    with pytest.raises(UserError, match=r"odd.png: it is 7 pixels wide.*and 1 more.*skip"):
        pairs_in(tmp_path, "AB", "error")
    before, after, problems = pairs_in(tmp_path, "AB", "skip")
    assert list(before.names) == list(after.names) == ["good"]
    assert [problem.path.name for problem in problems] == ["odd.png", "torn.png"]
    assert "odd.png: it is 7" in str(problems[0]) and "torn.png: " in str(problems[1])


def test_folders_without_anything_are_told(tmp_path):
    with pytest.raises(UserError, match="no folder .*nowhere"):
        singles_in(tmp_path / "nowhere", "skip")
    with pytest.raises(UserError, match="no picture in"):
        pictures_in(tmp_path)
    (tmp_path / "torn.jpg").write_bytes(b"no")
    with pytest.raises(UserError, match="nothing in .* can be used; the first of 1"):
        singles_in(tmp_path, "skip")
    with pytest.raises(UserError, match="trainA and trainB"):
        open_unpaired(tmp_path, "train", Augmentation(8, 8))


def masked_set(folder):
    for name, masks in (("x", 2), ("y", 1), ("bare", 0), ("small", 1)):
        picture(folder / "trainA" / f"{name}.png")
        for k in range(masks):
            picture(folder / "trainA_seg" / f"{name}_{k}.png", 255, (4, 4) if name == "small" else (8, 8))
    picture(folder / "trainA_seg" / "stray_0.png")


def test_masks_without_mates_or_of_another_size_are_named(tmp_path):
    masked_set(tmp_path)
    with pytest.raises(UserError, match="stray_0.png: there is no picture stray"):
        masked_in(tmp_path / "trainA", "error")
    found = masked_in(tmp_path / "trainA", "skip")
    assert list(found.files.names) == ["x", "y"]
    reasons = {problem.path.name: problem.reason for problem in found.problems}
    assert set(reasons) == {"stray_0.png", "bare.png", "small.png"}
    assert "no mask bare_0.png in trainA_seg" in reasons["bare.png"]
    assert "small_0.png is of another size, 4x4, not 8x8" in reasons["small.png"]
    assert found.files.masks(0).shape == (1, 2, 8, 8) and (found.files.masks(1) == 1).all()
    assert masks_of(tmp_path / "trainA" / "x.png", tmp_path / "trainA_seg").shape == (1, 2, 8, 8)
    with pytest.raises(UserError, match="bare.png: it has no mask"):
        masks_of(tmp_path / "trainA" / "bare.png", tmp_path / "trainA_seg")


def test_names_with_numbers_keep_their_own_masks(tmp_path):
    """a_1.png is a picture of its own, whose mask is a_1_0.png, and no mask of a.png."""
    for name in ("a", "a_1"):
        picture(tmp_path / "trainA" / f"{name}.png")
        picture(tmp_path / "trainA_seg" / f"{name}_0.png", 255)
    assert [len(paths) for paths in masked_in(tmp_path / "trainA", "error").files.mask_paths] == [1, 1]


def test_unpaired_samples_take_a_in_turn_and_b_at_random(tmp_path):
    for k in range(3):
        picture(tmp_path / "trainA" / f"{k}.png", 10 * k)
    for k in range(5):
        picture(tmp_path / "trainB" / f"{k}.png", 100 + 10 * k)
    source = open_unpaired(tmp_path, "train", Augmentation(8, 8)).source
    assert len(source) == 5
    assert torch.equal(source.sample(4, None)["a"], source.sample(1, None)["a"])
    drawn = {float(source.sample(0, np.random.default_rng(k))["b"].mean()) for k in range(60)}
    assert len(drawn) == 5


def test_sets_of_as_many_pictures_with_other_names_are_told_apart(tmp_path):
    for folder, name in (("one", "x"), ("same", "x"), ("other", "y")):
        pair(tmp_path / folder / f"{name}.png")
    one, same, other = (
        open_pairs(tmp_path / name, "train", Augmentation(8, 8)).source.describe() for name in ("one", "same", "other")
    )
    assert one == same != other


# --- placing ------------------------------------------------------------------------------------------------


def test_the_papers_proportions():
    assert Augmentation.of(256) == Augmentation(256, 286, True)
    assert Augmentation.of(128).load_size == 143
    with pytest.raises(UserError, match="at their size at least"):
        Augmentation(16, 8)


@given(st.integers(0, 2**32 - 1))
def test_pictures_and_masks_are_placed_alike(seed):
    placement = Placement.draw(Augmentation(16, 20), np.random.default_rng(seed))
    masks = torch.full((1, 2, 20, 20), -1.0)
    masks[:, 0, 3:9, 4:12] = 1
    masks[:, 1, 10:, :7] = 1
    placed = placement.picture(masks[:, :1].expand(-1, 3, -1, -1))
    assert torch.equal(placement.masks(masks)[:, 0], placed[:, 0])
    assert 0 <= placement.left <= 4 and 0 <= placement.top <= 4


def test_every_place_and_both_sides_are_drawn():
    draws = [Placement.draw(Augmentation(16, 18), np.random.default_rng(k)) for k in range(200)]
    assert {d.left for d in draws} == {d.top for d in draws} == {0, 1, 2}
    assert 60 < sum(d.mirrored for d in draws) < 140
    assert not any(
        Placement.draw(Augmentation(16, 18, flip=False), np.random.default_rng(k)).mirrored for k in range(50)
    )


def test_the_largest_instances_come_first_and_empty_ones_not_at_all():
    masks = torch.full((1, 4, 8, 8), -1.0)
    masks[:, 1, :2, :2] = 1
    masks[:, 3, :5, :5] = 1
    masks[:, 0, :1, :1] = 1
    chosen = largest_masks(masks, 2)
    assert torch.equal(chosen, masks[:, [3, 1]])
    assert torch.equal(largest_masks(masks, 6)[:, 3:], torch.full((1, 3, 8, 8), -1.0))


# --- made sets ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["square", "circle"])
def test_scenes_are_known_to_the_pixel(kind):
    for seed in range(8):
        made = scene(kind, 64, 3, seed)
        masks = made.masks[0] > 0
        assert 1 <= len(masks) <= 3 and int(masks.sum(0).max()) == 1
        ground = ground_of(64)
        assert torch.equal(made.picture[0][:, ~masks.any(0)], ground[:, ~masks.any(0)])
        for mask in masks:
            colour = made.picture[0][:, mask]
            assert (colour == colour[:, :1]).all() and (colour - ground[:, mask]).abs().amax(0).min() > 0.5
            rows, columns = mask.any(1).sum(), mask.any(0).sum()
            filled = mask.sum() / (rows * columns)
            assert filled > 0.98 if kind == "square" else 0.7 < filled < 0.86  # π/4 of its box
    assert torch.equal(scene(kind, 64, 3, 5).picture, scene(kind, 64, 3, 5).picture)


def test_shapes_make_a_set_that_opens_and_goes_on(tmp_path):
    make_shapes(6, tmp_path, 32, held_out=0.34)
    source = open_unpaired(tmp_path, "train", Augmentation(32, 32, flip=False), instances=4).source
    sample = source.sample(2, None)
    assert len(source) == 6 and sample["a_masks"].shape == (1, 4, 32, 32)
    assert len(pictures_in(tmp_path / "testB")) == 2
    assert json.loads((tmp_path / "manifest.json").read_text())["kind"] == "shapes"
    make_shapes(6, tmp_path, 32, held_out=0.34)
    with pytest.raises(UserError, match="another training set"):
        make_shapes(7, tmp_path, 32)


def test_a_drawing_follows_edges_and_forgets_specks():
    disc = torch.full((1, 3, 64, 64), -0.8)
    ys, xs = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    radius = ((ys - 32.0) ** 2 + (xs - 32.0) ** 2).sqrt()
    disc[:, :, radius < 20] = 0.8
    disc[:, :, 4, 4] = 1.0  # a speck
    drawing = Pencil().draw(disc)
    lines = drawing[0, 0] < 0
    assert set(drawing.unique().tolist()) == {-1.0, 1.0} and drawing.shape == disc.shape
    assert ((radius[lines] - 20).abs() < 2.5).all() and int(lines.sum()) > 100
    assert (Pencil().draw(torch.zeros(1, 3, 32, 32)) == 1).all()


def test_drawings_become_pairs(tmp_path):
    rng = torch.Generator().manual_seed(0)
    shown = [(f"p{k}", torch.rand(1, 3, 20, 30, generator=rng) * 2 - 1) for k in range(5)]
    make_drawings(shown, 5, tmp_path, 16, held_out=0.4, made_from="noise")
    source = open_pairs(tmp_path, "train", Augmentation(16, 16, flip=False)).source
    assert len(source) == 3 and len(pictures_in(tmp_path / "test")) == 2
    sample = source.sample(0, None)
    assert set(sample["a"].unique().tolist()) <= {-1.0, 1.0}
    torch.testing.assert_close(images.load_image(tmp_path / "train" / "p0.png")[..., 16:], sample["b"])


def test_drawings_are_made_large_and_keep_their_lines_when_they_are_reduced(tmp_path):
    drawing = torch.ones(1, 3, 64, 64)
    drawing[:, :, 21, 8:40] = -1
    small = reduce_drawing(drawing, 16)
    assert (small < 0)[0, 0].nonzero().tolist() == [[5, column] for column in range(2, 10)]
    assert torch.equal(reduce_drawing(drawing, 64), drawing) and torch.equal(reduce_drawing(drawing, 100), drawing)

    ring = torch.full((1, 3, 64, 64), -0.8)  # too thin for 16 pixels
    ys, xs = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    radius = ((ys - 32.0) ** 2 + (xs - 32.0) ** 2).sqrt()
    ring[:, :, (radius < 18) & (radius > 13)] = 0.8
    make_drawings([("ring", ring)], 1, tmp_path, 16, held_out=0)
    pair = images.load_image(tmp_path / "train" / "ring.png")
    expected = reduce_drawing(Pencil().draw(ring), 16)
    assert pair.shape == (1, 3, 16, 32) and torch.equal(pair[..., :16], expected)
    assert (expected < 0).sum() > (Pencil().draw(images.resize(ring, 16, 16)) < 0).sum()


class Guess:
    """A detector for the tiny generator's noise: a mouth in the middle, if the picture is bright at its first pixel."""

    name = "guess"

    def __call__(self, photo):
        if float(photo[0, :, 0, 0].mean()) < -0.3:
            return []
        landmarks = np.zeros((68, 2))
        turn = np.linspace(0, 2 * np.pi, 12, endpoint=False)
        landmarks[48:60] = np.stack([8 + 3 * np.cos(turn), 10 + 2 * np.sin(turn)], axis=1)
        return [FaceFound((0, 0, 16, 16), landmarks, 1.0)]


@pytest.fixture(scope="module")
def brighter(tiny):
    """Pairs along the direction in which the tiny generator's pictures become brighter."""
    ws = tiny.w_avg.expand(1, tiny.num_ws, -1).clone().requires_grad_()
    (gradient,) = torch.autograd.grad(tiny.synthesis(ws).mean(), ws)
    vector = gradient.sum(dim=1)[0].numpy()
    direction = Direction(vector / np.linalg.norm(vector), "bright", "gradient")
    bright = FunctionScorer(("bright",), lambda x: (x.mean(dim=(1, 2, 3)) > 0).float())
    return LatentPairs(Renderer(tiny, 16), direction, -3.0, 3.0, bright, "bright", detector=Guess())


def brightness(path):
    picture = images.load_image(path)
    return float(picture.mean())


def test_latent_pairs_are_before_and_after(brighter, tmp_path):
    make_latent_pairs(brighter, "pairs", 4, tmp_path, 16, held_out=0.5)
    assert len(pictures_in(tmp_path / "train")) == 4 and len(pictures_in(tmp_path / "test")) == 2
    for path in [*pictures_in(tmp_path / "train"), *pictures_in(tmp_path / "test")]:
        pair = images.load_image(path)
        assert pair.shape == (1, 3, 16, 32)
        before, after = brighter.of(int(path.stem))
        assert torch.equal(images.to_bytes(pair), images.to_bytes(torch.cat([before, after], dim=3)))
        assert before.mean() <= 0 < after.mean()
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["generator"] == brighter.render.generator.fingerprint and manifest["low"] == -3.0


def test_unpaired_faces_are_of_different_seeds(brighter, tmp_path):
    make_latent_pairs(brighter, "unpaired", 3, tmp_path, 16, held_out=0.34)
    names = {
        part: {path.stem for path in pictures_in(tmp_path / part)} for part in ("trainA", "trainB", "testA", "testB")
    }
    assert [len(names[part]) for part in names] == [3, 3, 1, 1]
    assert len(set().union(*names.values())) == 8
    assert all(brightness(path) < 0.01 for path in pictures_in(tmp_path / "trainA"))
    assert all(brightness(path) > -0.01 for path in pictures_in(tmp_path / "trainB"))


def test_instances_have_the_masks_of_their_mouths(brighter, tmp_path):
    make_latent_pairs(brighter, "instances", 3, tmp_path, 16, held_out=0.34)
    sample = open_unpaired(tmp_path, "train", Augmentation(16, 16, flip=False), instances=1).source.sample(0, None)
    mask = sample["a_masks"][0, 0] > 0
    assert mask[10, 8] and not mask[2].any() and 20 < int(mask.sum()) < 80
    first = [images.load_image(path)[0, :, 0, 0].mean() for path in pictures_in(tmp_path / "trainA")]
    assert min(first) > -0.31, "pictures without a mouth are passed over"
    with pytest.raises(UserError, match="68 landmarks"):
        make_latent_pairs(replace(brighter, detector=None), "instances", 3, tmp_path / "other", 16)


def test_a_set_of_pairs_that_was_stopped_goes_on(brighter, tmp_path):
    class Stopped(Exception):
        pass

    def stop(done, total, note=""):
        if done == 3:
            raise Stopped

    with pytest.raises(Stopped):
        make_latent_pairs(brighter, "unpaired", 3, tmp_path / "stopped", 16, progress=stop)
    make_latent_pairs(brighter, "unpaired", 3, tmp_path / "stopped", 16)
    make_latent_pairs(brighter, "unpaired", 3, tmp_path / "whole", 16)
    stopped, whole = (
        {str(path.relative_to(tmp_path / name)): path.read_bytes() for path in (tmp_path / name).rglob("*.*")}
        for name in ("stopped", "whole")
    )
    assert stopped == whole
    with pytest.raises(UserError, match="another training set"):
        make_latent_pairs(replace(brighter, high=2.0), "unpaired", 3, tmp_path / "whole", 16)


def test_a_direction_that_shows_nothing_is_told(brighter, tmp_path):
    with pytest.raises(UserError, match="of 51 seeds 0 show bright after and not before"):
        make_latent_pairs(replace(brighter, low=0.0, high=0.0), "pairs", 3, tmp_path, 16)


def test_the_mouths_mask_covers_the_lips_and_little_more():
    landmarks = np.zeros((68, 2))
    turn = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    landmarks[48:60] = np.stack([32 + 12 * np.cos(turn), 40 + 5 * np.sin(turn)], axis=1)
    mask = mouth_region(landmarks, 64, grow=1.0)
    inside = (mask[0, 0] > 0).nonzero().float()
    assert mask.shape == (1, 1, 64, 64)
    assert (inside[:, 0] - 40).abs().max() <= 6 and (inside[:, 1] - 32).abs().max() <= 13
    assert len(inside) == pytest.approx(np.pi * 12 * 5, rel=0.2)
    assert (mouth_region(landmarks, 64) > 0).sum() > 1.8 * (mask > 0).sum()
