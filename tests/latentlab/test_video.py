"""Videos: frames, their time, and their colours."""

import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence

from latentlab.errors import UserError
from latentlab.images import to_pil_list
from latentlab.video import check_video, describe_video, is_video, read_frames, translate_frames, write_gif, write_mp4
from tests.conftest import stage_with


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


# --- frame by frame -----------------------------------------------------------------------------------------


def read(path):
    """Header and frames (t, h, w, 3) of a video."""
    reader = importlib.import_module("imageio_ffmpeg").read_frames(str(path))
    header = next(reader)
    width, height = header["size"]
    shots = [np.frombuffer(shot, np.uint8).reshape(height, width, 3) for shot in reader]
    return header, np.stack(shots).astype(float)


def test_videos_are_told_by_their_names():
    assert is_video(Path("a/B.MOV")) and is_video(Path("x.mp4")) and not is_video(Path("x.gif"))


def test_a_video_is_translated_frame_by_frame_with_its_rate_and_its_sound(tmp_path):
    ffmpeg = pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()
    write_mp4(frames(), tmp_path / "plain.mp4", fps=12)
    sound = ("-f", "lavfi", "-i", "sine=duration=1")
    turned = ("-display_rotation", "90", "-i", tmp_path / "plain.mp4")
    line = (ffmpeg, "-v", "error", *turned, *sound, "-c:v", "copy", "-map", "0:v", "-map", "1:a", tmp_path / "x.mov")
    subprocess.run(line, check=True)
    steps = []

    def negative(frame):
        assert frame.shape == (1, 3, 64, 48)  # as it is shown
        return -frame

    translate_frames(tmp_path / "x.mov", tmp_path / "new" / "x.mp4", negative, stage_with(lambda *s: steps.append(s)))
    (before, given), (after, made) = read(tmp_path / "x.mov"), read(tmp_path / "new" / "x.mp4")
    assert after["fps"] == before["fps"] == 12 and "audio_codec" in after
    assert made.shape == given.shape == (12, 64, 48, 3)
    assert np.abs(255 - made - given).mean() < 3
    assert steps[-1] == (12, 12)


def test_a_video_that_is_cut_short_is_told(tmp_path, caplog):
    pytest.importorskip("imageio_ffmpeg")
    noisy = torch.rand(40, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    write_mp4(noisy, tmp_path / "whole.mp4")
    data = (tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "torn.mp4").write_bytes(data[: len(data) // 2])
    translate_frames(tmp_path / "whole.mp4", tmp_path / "a.mp4", lambda frame: frame, False)
    assert not caplog.records
    translate_frames(tmp_path / "torn.mp4", tmp_path / "b.mp4", lambda frame: frame, False)
    assert "torn.mp4 has" in caplog.text and "would have 40" in caplog.text
    assert 5 < len(read(tmp_path / "b.mp4")[1]) < 39


@pytest.mark.parametrize(
    "playlist",
    [
        "ffconcat version 1.0\nfile real.mp4\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1.0,\nreal.mp4\n#EXT-X-ENDLIST\n",
    ],
    ids=["concat", "HLS"],
)
def test_playlists_that_are_called_like_videos_open_no_other_file(tmp_path, playlist):
    write_mp4(frames(), tmp_path / "real.mp4", fps=10)
    assert describe_video(tmp_path / "real.mp4").frames == 12
    (tmp_path / "list.mp4").write_text(playlist)
    with pytest.raises(UserError, match=r"list\.mp4"):
        describe_video(tmp_path / "list.mp4")
    with pytest.raises(UserError, match=r"list\.mp4"):
        next(read_frames(tmp_path / "list.mp4", 10))


def test_nothing_is_left_of_a_video_that_fails(tmp_path):
    pytest.importorskip("imageio_ffmpeg")
    write_mp4(frames(6), tmp_path / "x.mp4")
    seen = []

    def fails(frame):
        seen.append(frame)
        if len(seen) == 3:
            raise UserError("no more")
        return frame

    with pytest.raises(UserError, match="no more"):
        translate_frames(tmp_path / "x.mp4", tmp_path / "out" / "x.mp4", fails, False)
    assert list((tmp_path / "out").iterdir()) == []
    (tmp_path / "torn.mp4").write_bytes((tmp_path / "x.mp4").read_bytes()[:400])
    (tmp_path / "folder.mp4").mkdir()
    for name, told in (("torn", "cannot read the video .*torn"), ("none", "no file .*none"), ("folder", "is a folder")):
        with pytest.raises(UserError, match=told):
            translate_frames(tmp_path / f"{name}.mp4", tmp_path / "out" / "y.mp4", lambda frame: frame, False)
    assert list((tmp_path / "out").iterdir()) == []
