"""Translators applied to images of any size: placed as in the training, and back."""

import sys

import numpy as np
import pytest
import torch
from PIL import Image

from latentlab.errors import UserError
from latentlab.images import load_image, resize, resize_masks, save_image
from latentlab.translation import Application, Translator
from latentlab.translation.data.folders import Reading
from latentlab.translation.data.sets import open_pairs
from latentlab.translation.data.transforms import Augmentation
from latentlab.translation.networks import InstaGeneratorConfig, ResNetConfig, initialise_
from latentlab.video import translate_frames, write_mp4


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


# --- videos -------------------------------------------------------------------------------------------------


def with_pixels(loaded, **pixels):
    loaded.card["training"]["data"]["pixels"] = pixels
    return loaded


def test_frames_are_colour_whatever_channels_a_translator_has():
    grey = ResNetConfig(1, 4, input_channels=1, output_channels=4)
    made = Application(translator(config=grey)).for_frames()(noise(16, 24))
    assert made.shape == (1, 3, 16, 24)
    with pytest.raises(UserError, match="the frames of a video have none"):
        Application(translator(config=InstaGeneratorConfig(1, 4))).for_frames()
    deep = {"channels": 1, "low": 0, "high": 4095, "deep": True}
    with pytest.raises(UserError, match="16 bits, and the frames"):
        Application(with_pixels(translator(config=grey), a=deep, b={"channels": 4})).for_frames()


def test_a_video_is_translated_beside_images(run, tmp_path):
    pytest.importorskip("imageio_ffmpeg")
    translator(Augmentation.for_resolution(16)).save(tmp_path / "t.safetensors")
    write_mp4(noise(24, 40).expand(3, -1, -1, -1), tmp_path / "x.mp4", fps=5)
    save_image(noise(8, 8), tmp_path / "y.png")
    (tmp_path / "torn.mov").write_bytes(b"torn")
    for name in ("y.png", "torn.mov"):
        (tmp_path / "folder" / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).rename(tmp_path / "folder" / name)
    given = [tmp_path / "x.mp4", tmp_path / "folder"]
    out = ("--out", tmp_path / "out", "--device", "cpu")
    code, told, err = run("translate", "apply", tmp_path / "t.safetensors", *given, *out)
    assert code == 2 and "2 of 3" in told and "torn.mov: cannot read" in err and "Traceback" not in err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["x.mp4", "y.png"]
    sizes = []
    translate_frames(tmp_path / "out" / "x.mp4", tmp_path / "z.mp4", lambda x: sizes.append(x.shape[2:]) or x, False)
    assert sizes == [(24, 40)] * 3


def test_videos_that_cannot_be_translated_are_refused_before_the_work(refused, tmp_path, monkeypatch):
    translator().save(tmp_path / "t.safetensors")
    line = ("translate", "apply", tmp_path / "t.safetensors", tmp_path / "x.mp4", "--out", tmp_path / "out")
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    assert 'pip install "imageio[ffmpeg]"' in refused(*line)
    monkeypatch.undo()
    pytest.importorskip("imageio_ffmpeg")
    assert "x.mp4 is a video, whose frames have no masks" in refused(*line, "--masks", tmp_path)
