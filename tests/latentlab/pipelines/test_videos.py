"""The job on videos: what is seen of a face over time, and the whole of it on a tiny generator and a made detector."""

import importlib
import json
import math
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch

import stylegan2
from latentlab.directions import Direction
from latentlab.errors import UserError
from latentlab.faces import CropGeometry, FaceFound, Points, paste_back, quad_of
from latentlab.faces.means import mean_landmarks
from latentlab.perceptual import load_perceptual
from latentlab.pipelines import Components, VideoEditSettings, edit_video
from latentlab.pipelines.photos import Pasting
from latentlab.pipelines.videos.latents import FilmedFace, recipe_of, spread_rows
from latentlab.pipelines.videos.pasting import ClipPaster, edited_part
from latentlab.pipelines.videos.report import ClipReport, VideoResult, runs_of, with_meshes
from latentlab.pipelines.videos.shots import find_cuts, shots_of, thumbnail
from latentlab.pipelines.videos.smoothing import kernels, smooth
from latentlab.pipelines.videos.tracking import clips_of, follow
from latentlab.projection import DEFAULTS, TuningSettings
from latentlab.projection.clips import ClipSettings
from latentlab.projection.mesh import mesh_levels
from latentlab.scorers import FunctionScorer
from latentlab.video import write_mp4
from tests.conftest import TINY, make_tiny
from tests.latentlab.projection.interrupted import kill_at
from tests.processes import run_command

pytest.importorskip("imageio_ffmpeg")


# --- over time ----------------------------------------------------------------------------------------------


def test_smoothing_follows_constant_speeds_without_a_lag_to_the_ends():
    t = np.arange(30.0)
    line = np.stack([5 - 2 * t, 0.3 * t], axis=1)[:, None]
    for sigma in (0.0, 0.6, 2.0, 9.0):
        np.testing.assert_allclose(smooth(line, sigma), line, atol=1e-9)
    np.testing.assert_array_equal(smooth(line, 0.0), line)
    assert smooth(line[:0], 2.0).shape == (0, 1, 2) and smooth(line[:1], 2.0).tolist() == line[:1].tolist()


def test_smoothing_does_to_a_nod_and_to_noise_what_it_says():
    sigma, t = 2.0, np.arange(200.0)
    for f in (1 / 25, 2 / 25):
        wave = np.cos(2 * np.pi * f * t)
        share = math.exp(-2 * math.pi**2 * sigma**2 * f**2)
        np.testing.assert_allclose(smooth(wave, sigma)[20:180], share * wave[20:180], atol=0.01)
    matrix = smooth(np.eye(200), sigma)
    middle = matrix[100]
    assert middle.min() >= 0 and np.allclose(middle[80:120], middle[120:80:-1])  # no overshoot, no lag
    assert np.sqrt((middle**2).sum()) == pytest.approx(0.38, abs=0.01)
    second = np.diff(matrix, n=2, axis=0)[100]
    assert np.sqrt((second**2).sum() / 6) == pytest.approx(0.03, abs=0.005)
    step = smooth((t >= 100).astype(float), sigma)
    assert step.max() == pytest.approx(1) and step.min() == 0 and abs(step[99] + step[100] - 1) < 1e-9
    beside = [-smooth((t >= jump).astype(float), sigma).min() for jump in range(12)]  # of the first frame
    assert max(beside) == pytest.approx(0.13, abs=0.005) and max(beside[6:]) < 0.011
    assert len(kernels(200, sigma)[100][1]) == 13


def moving(t: float, seed: int = 0) -> torch.Tensor:
    """A frame of a texture that slides; another seed is another scene."""
    y, x = torch.meshgrid(torch.arange(54.0), torch.arange(96.0), indexing="ij")
    phases = torch.rand(4, generator=torch.Generator().manual_seed(seed)) * 6
    grey = torch.sin((x + 2 * t) / 9 + phases[0]) * torch.cos(y / 7 + phases[1]) + 0.4 * torch.sin(x / 23 + phases[2])
    return (0.5 * grey).expand(1, 3, -1, -1)


def test_cuts_are_found_and_flashes_and_quick_motion_are_none():
    scene = [moving(t) for t in range(20)] + [moving(t, 1) for t in range(20)]
    assert find_cuts([thumbnail(frame) for frame in scene]) == [20]
    flash = [*scene[:10], torch.ones_like(scene[0]), *scene[11:20]]
    assert find_cuts([thumbnail(frame) for frame in flash]) == []
    quick = [moving(8.0 * t) for t in range(20)]
    assert find_cuts([thumbnail(frame) for frame in quick]) == []
    assert find_cuts([thumbnail(scene[0])]) == find_cuts([]) == []
    assert shots_of(40, [20]) == [range(20), range(20, 40)] and shots_of(0, []) == []


def face_at(x: float, y: float, width: float = 100.0) -> FaceFound:
    """The mean face with its middle at a place, in a crop of a width."""
    landmarks = mean_landmarks() * width + np.array([x - width / 2, y - width / 2])
    (left, top), (right, bottom) = landmarks.min(axis=0), landmarks.max(axis=0)
    return FaceFound((float(left), float(top), float(right), float(bottom)), landmarks, 1.0)


def test_a_face_is_followed_whatever_the_order_in_which_faces_are_found():
    large = [face_at(100 + 3 * t, 100, 120) for t in range(6)]
    small = [face_at(300 - 3 * t, 100, 100) for t in range(6)]
    found = [[a, b] if t % 2 else [b, a] for t, (a, b) in enumerate(zip(large, small, strict=True))]
    found[3].remove(large[3])
    found[4] = [*found[4], face_at(500, 400, 150)]  # something that is seen once
    assert follow(found) == [*large[:3], None, *large[4:]]
    assert follow(found, 2) == small
    assert follow(found, 4) == [None] * 6 and follow([]) == []


def test_short_gaps_are_filled_and_long_ones_part_clips():
    faces = [face_at(100 + 4 * t, 80) for t in range(20)]
    seen = [None if t in (3, 4, 10, 11, 12, 13) else face for t, face in enumerate(faces)]
    one, two = clips_of(seen, range(50, 70), 1.0, gap=2, least=3)
    assert (one.frames, one.filled, two.frames, two.filled) == (range(50, 60), (53, 54), range(64, 70), ())
    assert (one.lost_before, one.lost_after, two.lost_before, two.lost_after) == (False, True, True, False)
    wanted = np.stack([quad_of(Points.of(face.landmarks)) for face in faces])
    np.testing.assert_allclose(one.quads, wanted[:10], atol=1e-6)  # constant speed, filled in along a straight line
    np.testing.assert_allclose(two.landmarks[0], faces[14].landmarks, atol=1e-6)
    assert [clip.frames for clip in clips_of(seen, range(50, 70), 1.0, gap=2, least=7)] == [one.frames]
    assert [len(clip) for clip in clips_of(seen, range(50, 70), 1.0, gap=4, least=3)] == [20]
    assert clips_of([None] * 5, range(5), 1.0, 2, 1) == []


def test_an_edit_fades_only_where_the_face_is_lost():
    (whole,) = clips_of([face_at(100, 100)] * 12, range(12), 1.0, 2, 3)
    assert whole.fading(4.0).tolist() == [1.0] * 12
    _, part = clips_of([face_at(100, 100)] * 3 + [None] * 5 + [face_at(100, 100)] * 12, range(20), 1.0, 2, 3)
    fading = part.fading(4.0)
    assert 0 < fading[0] < fading[1] < fading[3] < 1 and fading[4:].tolist() == [1.0] * 8


def test_pasting_changes_nothing_beyond_the_part_that_is_kept():
    photo = torch.rand(1, 3, 90, 120, generator=torch.Generator().manual_seed(0)) * 2 - 1
    for quad in (
        [[20.3, 10.2], [15.6, 70.4], [75.8, 75.1], [80.5, 14.9]],
        [[-20, 40], [-20, 140], [80, 140], [80, 40]],
    ):
        geometry = CropGeometry.plan(np.array(quad, dtype=float), 32, (120, 90))
        pasted = paste_back(torch.ones(1, 3, 32, 32), geometry, photo)
        rows, columns = edited_part(geometry)
        again = photo.clone()
        again[:, :, rows, columns] = pasted[:, :, rows, columns]
        assert torch.equal(again, pasted) and not torch.equal(photo, pasted)


def test_masks_are_steady_where_an_edit_is_not():
    """The edit comes and goes from frame to frame; what each frame keeps of its own hardly does."""
    small = make_tiny(replace(TINY, resolution=32))
    direction = Direction(np.eye(small.w_dim, dtype=np.float32)[0], "any", "made up", generator=small.fingerprint)
    (clip,) = clips_of([face_at(80, 70, 60)] * 12, range(12), 1.0, 2, 3)
    ws = small.w_avg.expand(12, small.num_ws, -1).clone()
    filmed_face = FilmedFace(clip, torch.zeros(1, 3, 32, 32), ws, small, torch.zeros(12), None)
    strengths = np.array([2.0, 0.0] * 6)
    paster = ClipPaster(filmed_face, direction, strengths, Pasting(keep_tone=False), 2.0)
    alone = torch.cat([paster._shown_at(index) for index in range(12)])
    steady = torch.cat([paster._steady(index) for index in range(12)])
    assert torch.diff(alone, n=2, dim=0).abs().mean() > 0.5 * alone.max() > 0
    assert torch.diff(steady, n=2, dim=0)[3:-3].abs().mean() < 0.05 * torch.diff(alone, n=2, dim=0).abs().mean()
    frame, geometry = torch.zeros(1, 3, 128, 160), CropGeometry.plan(clip.quads[0], 32, (160, 128))
    none = ClipPaster(filmed_face, direction, 0 * strengths, Pasting(), 2.0)
    assert torch.equal(none.paste(0, frame, geometry), frame)  # without an edit, a frame stays to the bit


def test_a_tuning_sees_frames_that_are_spread_evenly_and_each_of_them_some_times():
    assert spread_rows(5, 8) == [0, 1, 2, 3, 4]
    assert spread_rows(100, 4) == [0, 33, 66, 99]
    tuning = TuningSettings(images_per_step=1)
    assert recipe_of(tuning, 48, 3.0).steps == 144 and recipe_of(tuning, 5, 3.0).steps == tuning.steps
    assert recipe_of(replace(tuning, images_per_step=4), 48, 10.0).steps == 120


def test_a_report_names_what_was_done_by_frame_and_time(tmp_path):
    clip = ClipReport(5, 24, (9, 10, 14), 0.1, 0.05, 0.97, math.nan, 4.0, 4.4)
    result = VideoResult(tmp_path / "a.mp4", tmp_path / "a.json", 10.0, 40, 2.0, "", (5,), (clip,))
    told = "\n".join(result.describe())
    assert "scene cut at frame 5 (0.50 s)" in told
    assert (
        "edited frames 5 to 24 (0.50 to 2.50 s): identity 0.97, at least unknown; flicker 4.00 before and 4.40" in told
    )
    assert "no face found in frames 9 to 10 (0.90 to 1.10 s): filled in" in told and "in frame 14 (1.40 s)" in told
    assert "no face followed in frames 0 to 4 (0.00 to 0.50 s): left as it is" in told
    assert result.unedited == (range(5), range(25, 40)) and list(runs_of(())) == []
    facts = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert "mesh" not in told and facts["clips"][0]["mesh"] is None
    measured = replace(result, clips=(replace(clip, mesh=0.5, edited_mesh=0.6),))
    assert any(line.endswith("; mesh 0.50, edited 0.60") for line in measured.describe())
    assert facts["clips"][0]["least_identity"] is None and facts["unedited"] == [[0, 4], [25, 39]]


def test_videos_tell_the_mesh_of_what_is_rendered(monkeypatch):
    monkeypatch.setattr("latentlab.pipelines.videos.report.RESOLUTION", 8)
    _, brighter = networks()
    tiny = make_tiny(replace(TINY, resolution=32))
    face = FilmedFace(
        clips_of([face_at(80, 70, 60)] * 3, range(3), 1.0, 2, 3)[0], torch.zeros(1, 3, 8, 8),
        tiny.mapping(stylegan2.z_from_seeds([1, 2, 3], tiny.z_dim)), tiny, torch.zeros(3), None,
    )  # fmt: skip
    clip = ClipReport(1, 3, (), 0.1, math.nan, 0.97, 0.9, 4.0, 4.4)
    (told,) = with_meshes([clip], [face], brighter, 2.0)
    drawn = tiny.synthesis(face.ws[[1]]).clamp(-1, 1)
    assert told.mesh == pytest.approx(float(mesh_levels(drawn, 4)), rel=1e-4)
    assert told.edited_mesh != told.mesh and math.isfinite(told.edited_mesh)


def test_videos_are_tuned_as_photos_are():
    assert VideoEditSettings().tuning == TuningSettings(images_per_step=1)


# --- the whole job ------------------------------------------------------------------------------------------

WIDTH, HEIGHT, FPS, COUNT = 160, 128, 10, 16
CUT, LOST = 8, (11, 12)  # the first frame of the second shot, and frames in which no face is found
CROP = 80.0


def middle_of(t: int) -> tuple[float, float]:
    return 70 + 2.0 * t, 60 + t


class Marked:
    """A detector that reads the number of the frame out of its corner, and knows where the face is then."""

    name = "marked"

    def __init__(self, lost=LOST):
        self.lost, self.calls = lost, 0

    def __call__(self, photo):
        self.calls += 1
        t = round(float((photo[0, :, :12, :12].mean() + 1) * 127.5 / 15))
        return [] if t in self.lost else [face_at(*middle_of(t), CROP)]


def filmed(count: int = COUNT) -> torch.Tensor:
    """Frames in which a blob slides over a texture, another one from the cut on."""
    y, x = torch.meshgrid(torch.arange(float(HEIGHT)), torch.arange(float(WIDTH)), indexing="ij")
    frames = []
    for t in range(count):
        texture = 0.3 * torch.sin(x / 9 + y / 5) if t < CUT else 0.6 * torch.cos(x / 21 - y / 13) - 0.3
        cx, cy = middle_of(t)
        blob = torch.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 600)
        frame = torch.stack([texture + blob * s for s in (0.9, 0.4, 0.1)])
        frame[:, :12, :12] = 15 * t / 127.5 - 1
        frames.append(frame.clamp(-1, 1))
    return torch.stack(frames)


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """The film with a sound."""
    folder = tmp_path_factory.mktemp("video")
    write_mp4(filmed(), folder / "silent.mp4", FPS)
    ffmpeg = importlib.import_module("imageio_ffmpeg").get_ffmpeg_exe()
    line = [ffmpeg, "-v", "error", "-i", folder / "silent.mp4", "-f", "lavfi", "-i", f"sine=duration={COUNT / FPS}"]
    subprocess.run([*line, "-c:v", "copy", "-map", "0:v", "-map", "1:a", folder / "film.mp4"], check=True)
    return folder / "film.mp4"


def networks(detector=None) -> tuple[Components, Direction]:
    """A generator of 32 pixels, a score of its brightness, and the direction along which that grows."""
    tiny = make_tiny(replace(TINY, resolution=32))
    w = tiny.w_avg[None].clone().requires_grad_()
    tiny.synthesis(w[:, None].repeat(1, tiny.num_ws, 1))[:, 0].mean().backward()
    brighter = Direction((w.grad[0] / w.grad.norm()).numpy(), "bright", "gradient", generator=tiny.fingerprint)
    scorer = FunctionScorer(("bright",), lambda pictures: torch.sigmoid(pictures[:, 0].mean((1, 2))))
    perceptual = load_perceptual("alex")
    return Components.load(tiny, scorer, detector or Marked(), perceptual=perceptual, device="cpu"), brighter


QUICK = VideoEditSettings(
    ClipSettings(replace(DEFAULTS["w+"].shortened(2), spread_weight=0.0), steps=1, sweeps=1),
    TuningSettings(rank=2, steps=3, images_per_step=1, drift_seeds=(1,)),
    tuning_frames=4,
    tuning_steps=1,
    smoothing=0.1,
    gap=0.1,
    fade=0.1,
)


def read(path):
    """Header and frames (t, h, w, 3) of a video."""
    reader = importlib.import_module("imageio_ffmpeg").read_frames(str(path))
    header = next(reader)
    width, height = header["size"]
    shots = [np.frombuffer(shot, np.uint8).reshape(height, width, 3) for shot in reader]
    return header, np.stack(shots).astype(float)


class Stages:
    """Notes the steps of each stage."""

    def __init__(self) -> None:
        self.steps: dict[str, list[tuple[int, int]]] = {}

    @contextmanager
    def __call__(self, title: str, unit: str = "image"):
        noted = self.steps.setdefault(title, [])
        yield lambda done, total, note="": noted.append((done, total))


@pytest.fixture(scope="module")
def edited(video, tmp_path_factory):
    """The film brightened, straight through."""
    folder = tmp_path_factory.mktemp("edited")
    components, brighter = networks()
    return edit_video(video, brighter, 0.5, components, QUICK, folder / "out.mp4", progress=False)


def test_a_video_is_edited_where_the_face_is_and_keeps_its_rate_and_sound(edited, video):
    (before, given), (after, made) = read(video), read(edited.path)
    assert after["fps"] == before["fps"] == FPS and "audio_codec" in after
    assert after["size"] == before["size"] and len(made) == len(given) == COUNT
    assert edited.cuts == (CUT,) and [(clip.first, clip.last) for clip in edited.clips] == [(0, 7), (8, 10), (13, 15)]
    assert edited.unedited == (range(11, 13),)
    change = np.abs(made - given).mean(axis=3)
    x, y = middle_of(4)
    assert change[4, int(y) - 15 : int(y) + 15, int(x) - 15 : int(x) + 15].mean() > 10
    assert change[4, :, 135:].mean() < 3  # what encoding it twice changes
    assert change[list(LOST)].mean() < 3
    facts = json.loads(edited.report.read_text())
    assert facts["cuts"] == [CUT] and facts["unedited"] == [[11, 12]] and facts["video"] == "film.mp4"
    assert facts["strength"] == 0.5 and facts["clips"][0]["flicker_before"] > 0
    assert sorted(path.name for path in edited.path.parent.iterdir()) == ["out.json", "out.mp4"]


_KILLED = """
import sys
from contextlib import contextmanager
from pathlib import Path
from latentlab.projection import clips, projector, tuning
from tests.latentlab.pipelines import test_videos as t

clips.SAVE_SECONDS = tuning.SAVE_SECONDS = projector.SAVE_SECONDS = -1.0  # after every step
video, out, title, number = sys.argv[1].split("|")
@contextmanager
def stage(shown, unit="image"):
    def step(done, total, note=""):
        print(f"{shown}|{done}", flush=True)
        if (shown, done) == (title, int(number)):
            sys.stdin.read()  # until it is killed
    yield step
components, brighter = t.networks()
t.edit_video(video, brighter, 0.5, components, t.QUICK, out, stage)
"""


def test_a_run_that_is_stopped_and_killed_gives_the_same(edited, video, tmp_path):
    out = tmp_path / "out.mp4"

    @contextmanager
    def stopped(shown, unit="image"):
        def step(done, total, note=""):
            if (shown, done) == ("finding faces", 5):
                raise KeyboardInterrupt

        yield step

    components, brighter = networks(first := Marked())
    with pytest.raises(KeyboardInterrupt):
        edit_video(video, brighter, 0.5, components, QUICK, out, stopped)
    assert first.calls == 5
    kill_at(_KILLED, f"{video}|{out}|editing|6", "editing|6")
    assert not out.exists() and (tmp_path / "out.state").is_dir()
    stages, detector = Stages(), Marked()
    components, brighter = networks(detector)
    again = edit_video(video, brighter, 0.5, components, QUICK, out, stages)
    assert detector.calls == 0 and set(stages.steps) == {"finding faces", "editing", "writing"}
    assert out.read_bytes() == edited.path.read_bytes()
    assert again.report.read_text() == edited.report.read_text()
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["out.json", "out.mp4"]


def test_a_state_that_is_kept_serves_another_strength_and_refuses_another_face(video, tmp_path):
    kept = replace(QUICK, state=tmp_path / "work", tuning=None)
    (components, brighter), stages = networks(), Stages()
    one = edit_video(video, brighter, 0.0, components, kept, tmp_path / "one.mp4", False)
    two = edit_video(video, brighter, 1.0, components, kept, tmp_path / "two.mp4", stages)
    assert "projecting the clip" not in stages.steps and (tmp_path / "work").is_dir()
    (_, given), (_, unedited), (_, made) = read(video), read(one.path), read(two.path)
    assert np.abs(unedited - given).mean() < 3 < np.abs(made - given).mean()  # at 0 a video stays as it is
    with pytest.raises(UserError, match=r"work holds the state of a video whose settings\.face is 1, not 2.*--state"):
        edit_video(video, brighter, 1.0, components, replace(kept, face=2), tmp_path / "three.mp4", False)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="holds other files"):
        edit_video(video, brighter, 1.0, components, replace(kept, state=tmp_path / "full"), tmp_path / "x.mp4", False)


def test_a_video_is_searched_near_the_latents_of_one_class(video, tmp_path):
    components, _ = networks()
    tiny = make_tiny(replace(TINY, resolution=32, c_dim=2))
    known = Components.load(
        tiny, components.scorer, components.detector, perceptual=components.perceptual, device="cpu"
    )
    along = Direction(np.eye(tiny.w_dim, dtype=np.float32)[0], "any", "made up", generator=tiny.fingerprint)
    of_one = replace(QUICK, class_label=1, state=tmp_path / "work")
    edit_video(video, along, 0.5, known, of_one, tmp_path / "out.mp4", progress=False)
    with pytest.raises(UserError, match=r"class_label"):
        edit_video(video, along, 0.5, known, replace(of_one, class_label=0), tmp_path / "out.mp4", progress=False)
    with pytest.raises(UserError, match="not 5"):
        edit_video(video, along, 0.5, known, replace(of_one, class_label=5), tmp_path / "out.mp4", progress=False)


def test_a_target_finds_the_strength_on_the_middle_frame(video, tmp_path):
    components, brighter = networks()
    wanted = replace(QUICK, attribute="bright", target=0.9999, tuning=None)
    result = edit_video(video, brighter, None, components, wanted, tmp_path / "out.mp4", False)
    assert result.strength > 0
    assert (
        result.describe()[0].startswith("in the middle frame: bright 0.")
        and "the nearest within the cap" in result.searched
    )


def test_without_a_strength_or_a_target_the_attribute_comes_to_the_middle_frame(video, tmp_path):
    components, brighter = networks()
    plain = replace(QUICK, tuning=None)

    def edited(direction: Direction, name: str) -> VideoResult:
        return edit_video(video, direction, None, components, plain, tmp_path / name, False)

    result = edited(brighter, "out.mp4")
    assert result.strength > 0 and result.searched.startswith("bright 0.")
    # Along a direction along which the score falls, to its other end.
    darker = replace(-brighter, attribute="dark", statistics={"score": "bright, reversed"})
    falling = edited(darker, "dark.mp4")
    assert falling.strength > 0 and falling.searched.startswith("bright 0.")
    assert json.loads(falling.report.read_text())["strength"] == falling.strength
    # Where the score says nothing of the direction, to the end of its range.
    other = edited(replace(brighter, attribute="other", strength_range=(-1.0, 0.5)), "other.mp4")
    assert other.strength == 0.5 and other.searched == ""


@pytest.mark.parametrize(
    ("strength", "change", "out", "message"),
    [
        (1.0, {}, "out.avi", r"written as MP4: call it .*out\.mp4"),
        (1.0, {"target": 0.9}, "out.mp4", "give it, or a target"),
        (None, {"target": 0.9, "attribute": "happy"}, "out.mp4", "no score is called 'happy'"),
        (None, {"attribute": "happy"}, "out.mp4", "no score is called 'happy'"),
        (1.0, {}, "film.mp4", "is what is read"),
        (1.0, {"face": 2}, "out.mp4", "follows no face 2 through 3 frames"),
    ],
)
def test_what_cannot_be_done_is_told_and_leaves_nothing(video, tmp_path, strength, change, out, message):
    components, brighter = networks()
    path = tmp_path / "film.mp4"
    path.write_bytes(video.read_bytes())
    with pytest.raises(UserError, match=message):
        edit_video(path, brighter, strength, components, replace(QUICK, **change), tmp_path / out, False)
    assert [left.name for left in tmp_path.iterdir()] == ["film.mp4"]


def test_a_video_without_a_face_or_of_another_space_is_refused(video, tmp_path):
    components, brighter = networks(Marked(lost=range(COUNT)))
    with pytest.raises(UserError, match=r"film\.mp4: marked follows no face through 3 frames"):
        edit_video(video, brighter, 1.0, components, QUICK, tmp_path / "out.mp4", False)
    in_z = replace(brighter, space="z")
    with pytest.raises(UserError, match="of space z"):
        edit_video(video, in_z, 1.0, components, QUICK, tmp_path / "out.mp4", False)
    assert list(tmp_path.iterdir()) == []


def test_videos_need_their_extra(video, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    components, brighter = networks()
    with pytest.raises(UserError, match=r'pip install "imageio\[ffmpeg\]"'):
        edit_video(video, brighter, 1.0, components, QUICK, tmp_path / "out.mp4", False)


@pytest.mark.parametrize(
    "change", [{"face": 0}, {"gap": -1.0}, {"smoothing": math.nan}, {"least": 0}, {"tuning_steps": 0.0}]
)
def test_bad_settings_are_refused(change):
    with pytest.raises(UserError):
        replace(QUICK, **change)


# --- the command line ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--strengths", "1,2"], "--strengths has no effect with --video"),
        (["--strength", "1", "--seeds", "600"], "--seeds has no effect with --video"),
        (["--strength", "1", "--photo", "a.jpg"], "--photo has no effect with --video"),
        (["--strength", "1", "--target", "0.9"], "--strength has no effect with --target"),
        (["--strength", "1", "--cap", "3"], "--cap has no effect on a video with --strength"),
        (["--units", "sigma"], "--units has no effect on a video without --strength"),
        (["--strength", "1", "--out", "film.mp4"], "film.mp4 is what is read"),
        (["--strength", "1", "--out", "new.mov"], "call it new.mp4"),
    ],
)
def test_options_that_do_not_go_together_are_refused(refused, video, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "film.mp4").write_bytes(video.read_bytes())
    assert message in refused("edit", "--direction", "smile", "--video", "film.mp4", *words)
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]


def test_a_direction_is_all_that_a_video_needs(run, video, tmp_path, monkeypatch):
    asked = []

    def edit(path, direction, strength, components, settings, out, progress):
        asked.append((direction.attribute, strength, settings.target, settings.class_label, out))
        raise UserError("enough")

    monkeypatch.setattr("latentlab.pipelines.edit_video", edit)
    out = tmp_path / "out.mp4"
    code, _, err = run("edit", "--video", video, "--direction", "smile", "--class", 3, "--out", out)
    assert (code, err.strip().endswith("enough")) == (2, True)
    assert asked == [("smile", None, None, 3, out)]


@pytest.mark.parametrize("words", [["--strength", "1"], ["--state", "work"]])
def test_options_of_videos_are_for_videos(refused, words):
    assert f"{words[0]} has no effect without --video" in refused("edit", "--direction", "smile", *words)


@pytest.mark.weights
@pytest.mark.slow
def test_a_process_edits_a_video(tmp_path):
    """A real face, found by the real detector, and a tiny generator in a file."""
    from tests.latentlab.faces.generated import face, on_grey, resized

    small = resized(face(), 150)
    frames = torch.cat([on_grey(small, 240, 200, 40 + 3 * t, 20 + t) for t in range(3)])
    write_mp4(frames, tmp_path / "film.mp4", FPS)
    components, brighter = networks()
    stylegan2.save(components.generator, tmp_path / "tiny.safetensors")
    brighter.save(tmp_path / "bright.safetensors")
    words = ["--direction", "bright.safetensors", "--network", "tiny.safetensors", "--video", "film.mp4", "--no-tune"]
    done = run_command("edit", *words, "--steps", "1", "--strength", "1", "--out", "new.mp4", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "film.mp4: 3 frames, bright +1" in done.stdout
    assert "edited frames 0 to 2 (0.00 to 0.30 s): identity unknown" in done.stdout
    assert "written to new.mp4, the report to new.json" in done.stdout and "Traceback" not in done.stderr
    assert json.loads((tmp_path / "new.json").read_text())["command"].endswith("--out new.mp4")
    assert len(read(tmp_path / "new.mp4")[1]) == 3 and not (tmp_path / "new.state").exists()
