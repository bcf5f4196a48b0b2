"""Latents of a clip: smooth, near the frames, steadier than projections one by one, and resumed after a kill."""

import math
from dataclasses import replace

import pytest
import torch

from latentlab.errors import UserError
from latentlab.projection import clips, project
from latentlab.projection.adam import Adam, SharedAdam
from latentlab.projection.clips import ClipSettings, project_clip, smoothed
from latentlab.projection.settings import Phase, ProjectionSettings
from tests.conftest import stage_with
from tests.latentlab.projection.interrupted import kill_at
from tests.latentlab.projection.test_tuning import EdgeDistance, make_tiny

BASE = ProjectionSettings("w+", (Phase(steps=40, learning_rate=0.02, resolution=16),), pixel_weight=1.0, turn_every=10)
SETTINGS = ClipSettings(BASE, steps=2, sweeps=3, learning_rate=0.1)
SILENT = {"progress": False}


def frames(count: int = 7, generator=None) -> torch.Tensor:
    """Images of a latent that moves along a line and back, with other noise in each."""
    generator, rng = generator or make_tiny(), torch.Generator().manual_seed(3)
    start, way = generator.mapping(torch.randn(2, generator.z_dim, generator=rng))
    path = torch.sin(torch.linspace(0, math.pi, count))[:, None, None]
    clean = generator.synthesis(start + 0.3 * path * (way - start), noise_mode="const").tanh()
    return (clean + 0.1 * torch.randn(clean.shape, generator=rng)).clamp(-1, 1)


def second_difference(x: torch.Tensor) -> float:
    return float((x[:-2] - 2 * x[1:-1] + x[2:]).square().mean().sqrt())


def test_smoothing_leaves_constant_speeds_and_takes_the_share_that_is_said():
    t = torch.arange(200.0)
    line = torch.stack([3 - 2 * t, t], dim=1)
    torch.testing.assert_close(smoothed(line, 50.0), line, rtol=1e-4, atol=1e-3)
    for f, smoothness in ((0.04, 1.0), (0.1, 7.0), (0.5, 1.0)):
        wave = torch.cos(2 * math.pi * f * t)
        share = 1 / (1 + smoothness * (2 - 2 * math.cos(2 * math.pi * f)) ** 2)
        torch.testing.assert_close(smoothed(wave, smoothness)[60:140], share * wave[60:140], rtol=0, atol=1e-4)
    assert torch.equal(smoothed(line[:2], 9.0), line[:2]) and torch.equal(smoothed(line, 0.0), line)


def test_the_smoothed_path_minimises_what_is_said():
    rng = torch.Generator().manual_seed(0)
    given = torch.randn(9, 2, 3, generator=rng, dtype=torch.float64)
    path = smoothed(given, 2.5).requires_grad_()
    loss = (path - given).square().sum() / 2 + 2.5 / 2 * (path[:-2] - 2 * path[1:-1] + path[2:]).square().sum()
    (gradient,) = torch.autograd.grad(loss, path)
    assert gradient.abs().max() < 1e-12


def test_tensors_share_the_memory_of_one_search():
    """Along the axes the gradients are divided by the root of one mean square; a first step is as long as the rate."""
    gradient = torch.tensor([[3.0, -4.0]])
    memory = Adam(gradient, turns=True)
    for taken in range(50):
        memory.step(gradient * (1 + 0.1 * (-1) ** taken), 0.1, taken, turn=taken == 10)
    shared = SharedAdam(torch.zeros(2, 2), memory, 50)
    first = shared.step(0, gradient, 0.1)
    torch.testing.assert_close(first.norm(), torch.tensor(0.1), rtol=0.02, atol=0)  # one axis is the gradient's
    assert (first / gradient < 0).all()
    other = shared.step(1, 2 * gradient, 0.1)
    torch.testing.assert_close(other, 2 * first, rtol=0.05, atol=0)  # its own mean, the mean square of both
    assert shared.taken == 52 and shared.state["mean"][0].equal(0.1 * gradient[0])
    shared.inherit(1, 0)
    assert shared.state["mean"][1].equal(shared.state["mean"][0])


def test_a_clip_is_near_its_frames_and_steadier_than_frames_one_by_one(tiny):
    images, base = frames(), replace(BASE, turn_every=None)
    settings = replace(SETTINGS, base=base, steps=4, sweeps=12, learning_rate=0.1)
    found = project_clip(images, tiny, EdgeDistance(), settings, **SILENT)
    start = project_clip(images, tiny, EdgeDistance(), replace(settings, steps=0, sweeps=0), **SILENT)
    apart = project(images, tiny, base, perceptual=EdgeDistance(), **SILENT).ws(tiny)

    def distance(ws):
        return float(EdgeDistance()(tiny.synthesis(ws, noise_mode="const"), images).mean())

    assert distance(found.ws) < 0.85 * distance(start.ws)
    assert 0 < second_difference(found.ws) < 0.2 * second_difference(apart)
    assert found.distances.shape == (7,) and found.ws.shape == (7, tiny.num_ws, tiny.w_dim)


def test_a_clip_of_one_frame_is_its_projection(tiny):
    image = frames(1)
    found = project_clip(image, tiny, EdgeDistance(), replace(SETTINGS, steps=0, sweeps=0), **SILENT)
    assert found.ws.equal(project(image, tiny, BASE, perceptual=EdgeDistance(), **SILENT).ws(tiny))


_KILLED = """
import sys
from tests.latentlab.projection import test_clips as t
from latentlab.projection import clips
from tests.conftest import stage_with

clips.SAVE_SECONDS = -1.0  # after every step
def show(done, total, note=""):
    print(done, total, flush=True)
    if (done, total) == (10, 23):  # in the middle of a sweep
        sys.stdin.read()  # until it is killed
t.project_clip(t.frames(5), t.make_tiny(), t.EdgeDistance(), t.SETTINGS, sys.argv[1], stage_with(show))
"""


def test_a_killed_run_goes_on_to_the_same_result(tiny, tmp_path):
    kill_at(_KILLED, tmp_path, "10 23")
    steps = []

    def stage(title, unit="image"):
        return stage_with(lambda done, total, note="": steps.append((title, done)))(title, unit)

    resumed = project_clip(frames(5), tiny, EdgeDistance(), SETTINGS, tmp_path, stage)
    assert [done for title, done in steps if title == "projecting the clip"] == list(range(11, 24))
    straight = project_clip(frames(5), tiny, EdgeDistance(), SETTINGS, **SILENT)
    assert resumed.ws.equal(straight.ws) and resumed.distances.equal(straight.distances)


def test_a_run_that_stops_on_the_way_outwards_goes_on_to_the_same_result(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(clips, "SAVE_SECONDS", -1.0)

    def stop(done, total, note=""):
        if (done, total) == (3, 7):
            raise KeyboardInterrupt

    few = replace(SETTINGS, sweeps=1)
    with pytest.raises(KeyboardInterrupt):
        project_clip(frames(3), tiny, EdgeDistance(), few, tmp_path, stage_with(stop))
    resumed = project_clip(frames(3), tiny, EdgeDistance(), few, tmp_path, False)
    assert resumed.ws.equal(project_clip(frames(3), tiny, EdgeDistance(), few, **SILENT).ws)


def test_a_folder_of_another_clip_is_refused(tiny, tmp_path):
    few = replace(SETTINGS, steps=1, sweeps=1)
    project_clip(frames(3), tiny, EdgeDistance(), few, tmp_path, False)
    with pytest.raises(UserError, match=r"clip\.safetensors holds the state of a run whose settings\.smoothness"):
        project_clip(frames(3), tiny, EdgeDistance(), replace(few, smoothness=2.0), tmp_path, False)


@pytest.mark.parametrize(
    "change",
    [
        {"sweeps": -1},
        {"steps": -1},
        {"learning_rate": 0.0},
        {"smoothness": math.inf},
        {"base": replace(BASE, space="w")},
    ],
)
def test_bad_settings_are_refused(change):
    with pytest.raises(UserError, match="clip"):
        replace(SETTINGS, **change)
