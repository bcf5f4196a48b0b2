"""Translators applied to images of any size: placed as in the training, and back."""

import numpy as np
import pytest
import torch
from PIL import Image

from latentlab.images import load_image, resize, resize_masks, save_image
from latentlab.translation import Application, Translator
from latentlab.translation.data.folders import Reading
from latentlab.translation.data.sets import open_pairs
from latentlab.translation.data.transforms import Augmentation
from latentlab.translation.networks import InstaGeneratorConfig, ResNetConfig, initialise_


def translator(augmentation=None, config=ResNetConfig(1, 4)):  # noqa: B008
    network = config.build().eval()
    initialise_(network, 0.2)
    data = {} if augmentation is None else {"augmentation": augmentation.as_dict()}
    return Translator({"a2b": network}, {"method": "test", "training": {"data": data}})


def noise(height, width):
    return resize(torch.rand(1, 3, height // 4, width // 4) * 2 - 1, height, width)


@pytest.mark.parametrize(
    ("fit", "given"), [("stretch", (16, 24)), ("cover", (16, 32)), ("crop", (32, 64)), (None, (32, 64))]
)
def test_images_are_translated_as_in_the_training_and_come_back_at_their_size(fit, given):
    loaded = translator(None if fit is None else Augmentation.for_resolution((16, 24), fit))
    image = noise(32, 64)
    made, masks = Application(loaded)(image)
    assert masks is None
    torch.testing.assert_close(made, resize(loaded(resize(image, *given))[0], 32, 64))
    assert torch.equal(Application(loaded, size="own")(image)[0], loaded(image)[0])
    for size, chosen in ((16, (16, 32)), ((20, 28), (20, 28))):
        assert torch.equal(Application(loaded, size=size)(image)[0], loaded(resize(image, *chosen))[0])


def test_the_network_sees_what_it_saw_of_held_out_images(tmp_path):
    for side in "AB":
        save_image(noise(24, 40), tmp_path / f"train{side}" / "x.png")
    augmentation = Augmentation.none(16)
    sample = open_pairs(tmp_path, "train", augmentation, Reading()).source.sample(0, None)
    loaded = translator(augmentation)
    made = Application(loaded)(load_image(tmp_path / "trainA" / "x.png"))[0]
    torch.testing.assert_close(made, resize(loaded(sample["a"])[0], 24, 40))


def test_masks_are_placed_like_their_image_and_the_largest_come_first():
    loaded = translator(Augmentation.for_resolution(16), InstaGeneratorConfig(1, 4))
    image, masks = noise(32, 48), torch.full((1, 3, 32, 48), -1.0)
    masks[:, 0, :8, :8], masks[:, 1, 8:, 10:30], masks[:, 2, :20, 34:] = 1, 1, 1
    order = [1, 2, 0]
    wanted, wanted_masks = loaded(resize(image, 16, 16), masks=resize_masks(masks[:, order], 16, 16))
    made, made_masks = Application(loaded)(image, masks)
    torch.testing.assert_close(made, resize(wanted, 32, 48))
    torch.testing.assert_close(made_masks[:, order], resize_masks(wanted_masks, 32, 48))


def test_the_command_goes_by_the_card_and_by_what_is_asked(run, refused, tmp_path):
    translator(Augmentation.for_resolution(16)).save(tmp_path / "t.safetensors")
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (20, 40, 3), np.uint8)).save(tmp_path / "x.png")
    line = ("translate", "apply", tmp_path / "t.safetensors", tmp_path / "x.png", "--device", "cpu")
    sizes = {"training": (40, 20), "own": (40, 20), "12": (24, 12), "32x16": (32, 16)}
    for size, written in sizes.items():
        assert run(*line, "--out", tmp_path / size, *(() if size == "training" else ("--size", size)))[0] == 0
        with Image.open(tmp_path / size / "x.png") as image:
            assert image.size == written
    assert (tmp_path / "own" / "x.png").read_bytes() != (tmp_path / "training" / "x.png").read_bytes()
    assert "such as 960x540" in refused(*line, "--size", "owm")
