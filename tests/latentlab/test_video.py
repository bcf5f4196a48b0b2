"""Videos: frames, their time, and their colours."""

import importlib
import sys

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence

from latentlab.errors import UserError
from latentlab.images import to_pil_list
from latentlab.video import check_video, write_gif, write_mp4


def frames(t: int = 12, height: int = 48, width: int = 64) -> torch.Tensor:
    """A smooth picture that changes slowly: (t, 3, h, w)."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    phase = torch.arange(t)[:, None, None] / t
    channels = [torch.sin(2 * x + phase), torch.sin(2 * y - phase), (x * y + 0 * phase)]
    return torch.stack(channels, dim=1) * 0.8


def test_a_gif_has_every_frame_and_loops(tmp_path):
    write_gif(frames(), tmp_path / "walk.gif", fps=20)
    with Image.open(tmp_path / "walk.gif") as gif:
        assert (gif.n_frames, gif.size, gif.info["loop"]) == (12, (64, 48), 0)
        assert {frame.info["duration"] for frame in ImageSequence.Iterator(gif)} == {50}
        read = np.stack([np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(gif)])
    wanted = np.stack([np.asarray(picture) for picture in to_pil_list(frames())])
    error = (read.astype(float) - wanted) ** 2
    assert 10 * np.log10(255**2 / error.mean()) > 26  # all hues at once, in 256 colours
    # Dithering errs about the true colour: blurred, the picture is close.
    means = (read.astype(float) - wanted).reshape(12, 6, 8, 8, 8, 3).mean(axis=(2, 4))
    assert np.abs(means).mean() < 2


def test_what_stands_still_does_not_flicker(tmp_path):
    moving = frames(6).clone()
    moving[:, :, :, :32] = moving[:1, :, :, :32]
    write_gif(moving, tmp_path / "walk.gif")
    with Image.open(tmp_path / "walk.gif") as gif:
        read = np.stack([np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(gif)])
    still = read[:, :, :24].astype(int)  # dithering carries errors over from the moving half's edge
    assert (np.abs(still - still[:1]).max(axis=(0, 3)) > 0).mean() < 0.1


def test_one_frame_is_a_picture(tmp_path):
    write_gif(frames(1), tmp_path / "walk.gif")
    with Image.open(tmp_path / "walk.gif") as gif:
        assert gif.n_frames == 1


@pytest.mark.parametrize("fps", [0, -1, 51, float("nan")])
def test_bad_input_is_refused_and_writes_nothing(tmp_path, fps):
    with pytest.raises(UserError, match="fps"):
        write_gif(frames(), tmp_path / "walk.gif", fps)
    with pytest.raises(UserError, match="at least one frame"):
        write_gif(frames()[:0], tmp_path / "walk.gif")
    assert list(tmp_path.iterdir()) == []


def test_mp4_without_its_extra_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)  # what an import of it finds when it is absent
    with pytest.raises(UserError, match=r'pip install "imageio\[ffmpeg\]"'):
        write_mp4(frames(), tmp_path / "walk.mp4")
    with pytest.raises(UserError, match=r'pip install "imageio\[ffmpeg\]"'):
        check_video(tmp_path / "walk.mp4")
    check_video(tmp_path / "walk.gif")


def test_a_gif_is_smooth_in_browsers_by_default(tmp_path):
    write_gif(frames(), tmp_path / "walk.gif")
    with Image.open(tmp_path / "walk.gif") as gif:
        assert gif.info["duration"] == 40


def test_an_mp4_has_every_frame(tmp_path):
    pytest.importorskip("imageio_ffmpeg")
    imageio = importlib.import_module("imageio.v2")
    write_mp4(frames(12, 47, 63), tmp_path / "walk.mp4", fps=20)
    with imageio.get_reader(tmp_path / "walk.mp4", format="FFMPEG") as reader:
        assert reader.get_meta_data()["fps"] == 20
        read = np.stack([frame for frame in reader]).astype(float)  # noqa: C416 - its length is infinite
    wanted = np.stack([np.asarray(picture) for picture in to_pil_list(frames(12, 47, 63))])
    assert read.shape == (12, 48, 64, 3)
    error = (read[:, :47, :63] - wanted) ** 2
    assert 10 * np.log10(255**2 / error.mean()) > 30
