"""Training sets of a direction: images before and after an edit, in each layout."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from latentlab import images
from latentlab.datasets import LatentPairs, SetSettings, make_latent_pairs
from latentlab.datasets.sources import ws_of_seed
from latentlab.directions import Direction
from latentlab.editing import move
from latentlab.errors import UserError
from latentlab.faces.detectors import FaceFound
from latentlab.files import images_in
from latentlab.rendering import Renderer
from latentlab.scorers import FunctionScorer
from latentlab.translation.data.folders import Reading
from latentlab.translation.data.sets import open_unpaired
from latentlab.translation.data.transforms import Augmentation
from tests.conftest import stage_with


class Guess:
    """A detector for the tiny generator's noise: a mouth in the middle, if the image is bright at its first pixel."""

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
    """Pairs along the direction in which the tiny generator's images become brighter."""
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
    make_latent_pairs(brighter, SetSettings("pairs", 4, 16, 0.5), tmp_path)
    assert len(images_in(tmp_path / "train")) == 4 and len(images_in(tmp_path / "test")) == 2
    for path in [*images_in(tmp_path / "train"), *images_in(tmp_path / "test")]:
        pair = images.load_image(path)
        assert pair.shape == (1, 3, 16, 32)
        before, after = brighter.pair(int(path.stem))
        assert torch.equal(images.to_bytes(pair), images.to_bytes(torch.cat([before, after], dim=3)))
        assert before.mean() <= 0 < after.mean()
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["generator"] == brighter.render.generator.fingerprint and manifest["low"] == -3.0


def rendered(recipe, seed, strength):
    ws = ws_of_seed(recipe.render, seed, recipe.psi)
    with torch.no_grad():
        return recipe.render(move(ws, strength * recipe.direction, recipe.render.generator)).clamp(-1, 1)


@pytest.fixture(scope="module")
def choosy(brighter):
    """Pairs of the seeds alone, half of all, whose images before are darker than the others'."""
    recipe = replace(brighter, low=0.0)
    middle = torch.stack([rendered(recipe, seed, 0.0).mean(dim=(1, 2, 3)) for seed in range(600, 616)]).quantile(0.5)
    bright = FunctionScorer(("bright",), lambda x: (x.mean(dim=(1, 2, 3)) > middle).float())
    return replace(recipe, scorer=bright)


def test_where_the_image_before_decides_the_image_after_is_not_rendered(choosy, tiny):
    renders, used = [], 0
    counting = tiny.synthesis.register_forward_hook(lambda *_: renders.append(1))
    try:
        for seed in range(600, 616):
            before, after = (rendered(choosy, seed, strength) for strength in (choosy.low, choosy.high))
            renders.clear()
            pair = choosy.pair(seed)
            assert len(renders) == (1 if pair is None else 2)
            assert (pair is None) == bool(choosy.scorer(before) > 0)
            if pair is not None:
                assert torch.equal(pair[0], before) and torch.equal(pair[1], after)
                used += 1
    finally:
        counting.remove()
    assert used == 8


def test_unpaired_faces_are_of_different_seeds(brighter, tmp_path):
    make_latent_pairs(brighter, SetSettings("unpaired", 3, 16, 0.34), tmp_path)
    names = {
        part: {path.stem for path in images_in(tmp_path / part)} for part in ("trainA", "trainB", "testA", "testB")
    }
    assert [len(names[part]) for part in names] == [3, 3, 1, 1]
    assert len(set().union(*names.values())) == 8
    assert all(brightness(path) < 0.01 for path in images_in(tmp_path / "trainA"))
    assert all(brightness(path) > -0.01 for path in images_in(tmp_path / "trainB"))


def test_instances_have_the_masks_of_their_mouths(brighter, tmp_path):
    make_latent_pairs(brighter, SetSettings("instances", 3, 16, 0.34), tmp_path)
    sample = open_unpaired(tmp_path, "train", Augmentation.none(16), 1, Reading()).source.sample(0, None)
    mask = sample["a_masks"][0, 0] > 0
    assert mask[10, 8] and not mask[2].any() and 20 < int(mask.sum()) < 80
    first = [images.load_image(path)[0, :, 0, 0].mean() for path in images_in(tmp_path / "trainA")]
    assert min(first) > -0.31, "images without a mouth are passed over"
    with pytest.raises(UserError, match="68 landmarks"):
        make_latent_pairs(replace(brighter, detector=None), SetSettings("instances", 3, 16), tmp_path / "other")


def test_a_set_of_pairs_that_was_stopped_goes_on(choosy, tmp_path):
    class Stopped(Exception):
        pass

    def stop(done, total, note=""):
        if done == 3:
            raise Stopped

    with pytest.raises(Stopped):
        make_latent_pairs(choosy, SetSettings("unpaired", 3, 16), tmp_path / "stopped", stage_with(stop))
    make_latent_pairs(choosy, SetSettings("unpaired", 3, 16), tmp_path / "stopped")
    make_latent_pairs(choosy, SetSettings("unpaired", 3, 16), tmp_path / "whole")
    stopped, whole = (
        {str(path.relative_to(tmp_path / name)): path.read_bytes() for path in (tmp_path / name).rglob("*.*")}
        for name in ("stopped", "whole")
    )
    assert stopped == whole
    log = json.loads((tmp_path / "whole" / "seeds.json").read_text())
    assert log["tried"] > len(log["used"]) == 6, "seeds were passed over, too"
    with pytest.raises(UserError, match="a training set whose high is 3.0, not 2.0; ask"):
        make_latent_pairs(replace(choosy, high=2.0), SetSettings("unpaired", 3, 16), tmp_path / "whole")


def test_a_direction_that_shows_nothing_is_refused(brighter, tmp_path):
    with pytest.raises(UserError, match="of 51 seeds 0 show bright after and not before"):
        make_latent_pairs(replace(brighter, low=0.0, high=0.0), SetSettings("pairs", 3, 16), tmp_path)
