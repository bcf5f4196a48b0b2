"""The two-shape set: scenes whose every pixel is known."""

import json

import pytest
import torch

from latentlab.datasets import ground_of, make_shapes, scene
from latentlab.errors import UserError
from latentlab.files import images_in
from latentlab.translation.data.folders import Reading
from latentlab.translation.data.sets import open_unpaired
from latentlab.translation.data.transforms import Augmentation


@pytest.mark.parametrize("kind", ["square", "circle"])
def test_scenes_are_known_to_the_pixel(kind):
    for seed in range(8):
        made = scene(kind, 64, 3, seed)
        masks = made.masks[0] > 0
        assert 1 <= len(masks) <= 3 and int(masks.sum(0).max()) == 1
        ground = ground_of(64)
        assert torch.equal(made.image[0][:, ~masks.any(0)], ground[:, ~masks.any(0)])
        for mask in masks:
            colour = made.image[0][:, mask]
            assert (colour == colour[:, :1]).all() and (colour - ground[:, mask]).abs().amax(0).min() > 0.5
            rows, columns = mask.any(1).sum(), mask.any(0).sum()
            filled = mask.sum() / (rows * columns)
            assert filled > 0.98 if kind == "square" else 0.7 < filled < 0.86  # π/4 of its box
    assert torch.equal(scene(kind, 64, 3, 5).image, scene(kind, 64, 3, 5).image)


def test_shapes_make_a_set_that_opens_and_goes_on(tmp_path):
    make_shapes(6, tmp_path, 32, held_out=0.34)
    source = open_unpaired(tmp_path, "train", Augmentation.none(32), 4, Reading()).source
    sample = source.sample(2, None)
    assert len(source) == 6 and sample["a_masks"].shape == (1, 4, 32, 32)
    assert len(images_in(tmp_path / "testB")) == 2
    assert json.loads((tmp_path / "manifest.json").read_text())["kind"] == "shapes"
    make_shapes(6, tmp_path, 32, held_out=0.34)
    with pytest.raises(UserError, match="a training set whose count is 6, not 7, held_out is 0.34, not 0.1; ask"):
        make_shapes(7, tmp_path, 32)
