"""`latentlab drag` on a tiny generator: what it writes, and what it refuses."""

import numpy as np
import pytest
import torch
from conftest import make_tiny
from PIL import Image

import stylegan2
from latentlab.dragging import DragSettings, drag
from latentlab.images import load_image
from latentlab.latents import load_latents
from latentlab.mapping import ws_of_seeds
from stylegan2.progressive import ProgressiveConfig, ProgressiveGenerator
from tests.processes import run_command

NAMES = ("face.png", "face.safetensors", "face-comparison.png")


@pytest.fixture(scope="module")
def generator():
    return make_tiny()


@pytest.fixture(scope="module")
def place(tmp_path_factory, generator):
    folder = tmp_path_factory.mktemp("drags")
    stylegan2.save(generator, folder / "tiny.safetensors")
    config = ProgressiveConfig(resolution=16, z_dim=8, channel_base=64, channel_max=8)
    stylegan2.save(ProgressiveGenerator(config), folder / "growing.safetensors")
    Image.fromarray(np.repeat(np.array([[255] * 8 + [0] * 8], np.uint8), 16, axis=0)).save(folder / "left.png")
    Image.new("L", (8, 8), 255).save(folder / "small.png")
    np.save(folder / "two.npy", np.zeros((2, 6, 32), np.float32))
    return folder


def test_the_command_drags_and_writes_image_code_and_comparison(place, generator, tmp_path):
    words = ["--network", place / "tiny.safetensors", "--seed", 7, "--move", "4,4:8,8.5", "--move", "12,12:12,12"]
    more = ["--mask", place / "left.png", "--steps", 3, "--device", "cpu", "--out", tmp_path / "new" / "face.png"]
    done = run_command("drag", *words, *more)
    assert done.returncode == 0, done.stderr
    assert "4,4:8,8.5: " in done.stdout and "written to" in done.stdout
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(NAMES)
    mask = torch.zeros(16, 16)
    mask[:, :8] = 1
    ws = ws_of_seeds(generator, [7], 0.7)
    moves = [[4, 4], [12, 12]], [[8, 8.5], [12, 12]]
    wanted = drag(ws, *moves, generator, DragSettings(steps=3), mask, progress=False)
    found = load_latents(tmp_path / "new" / "face.safetensors")
    torch.testing.assert_close(found, wanted.ws, rtol=0, atol=1e-3)
    assert not torch.equal(found, ws)
    image = load_image(tmp_path / "new" / "face.png")
    assert (image - generator.synthesis(found).clamp(-1, 1)).abs().max() < 0.01
    with Image.open(tmp_path / "new" / "face-comparison.png") as comparison:
        assert comparison.size == (32, 16)


def test_a_seed_is_truncated_as_far_as_the_cutoff(run, place, generator, tmp_path):
    words = ["--network", place / "tiny.safetensors", "--seed", 7, "--move", "4,4:4,4", "--psi", 0.5, "--cutoff", 2]
    code, _, err = run("drag", *words, "--steps", 1, "--out", tmp_path / "face.png")
    assert code == 0, err
    ws = generator.mapping(stylegan2.z_from_seeds([7], generator.z_dim))
    ws[:, :2] = generator.w_avg + 0.5 * (ws[:, :2] - generator.w_avg)
    found = drag(ws, [[4, 4]], [[4, 4]], generator, DragSettings(steps=1), progress=False)
    torch.testing.assert_close(load_latents(tmp_path / "face.safetensors"), found.ws, rtol=0, atol=1e-4)


def test_a_code_of_a_file_is_dragged_on(run, place, tmp_path):
    network, out = ["--network", place / "tiny.safetensors"], tmp_path / "face.png"
    assert run("drag", *network, "--seed", 3, "--move", "4,4:8,8", "--steps", 2, "--out", out)[0] == 0
    first = load_latents(tmp_path / "face.safetensors")
    words = ["--latents", tmp_path / "face.safetensors", "--move", "8,8:4,4", "--steps", 2]
    code, _, err = run("drag", *network, *words, "--out", tmp_path / "again.png")
    assert code == 0, err
    assert not torch.equal(load_latents(tmp_path / "again.safetensors"), first)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--move", "4,4"], "a move is X,Y:X,Y in pixels"),
        (["--move", "4,4:8,-8"], "a move is X,Y:X,Y in pixels"),
        (["--move", "4,4:nan,8"], "a move is X,Y:X,Y in pixels"),
        (["--move", "4,4:80,8"], "targets must lie in the image, 0 … 16"),
        (["--move", "4,4:8,8", "--out", "face.jpg"], "written as a PNG"),
        (["--move", "4,4:8,8", "--mask", "small.png"], "the image's shape (16, 16), not (1, 8, 8)"),
        (["--move", "4,4:8,8", "--mask", "absent.png"], "absent.png"),
        (["--move", "4,4:8,8", "--latents", "two.npy"], "2 latent codes, and one image is dragged at a time"),
        (["--move", "4,4:8,8", "--latents", "two.npy", "--seed", "3"], "--seed has no effect with --latents"),
        (["--move", "4,4:8,8", "--mask", "left.png", "--out", "left.png"], "left.png is what is read"),
        (["--move", "4,4:8,8", "--network", "growing.safetensors", "--psi", "1"], "dragging works in W"),
    ],
)
def test_what_cannot_be_dragged_is_refused_and_nothing_is_written(refused, place, monkeypatch, words, message):
    monkeypatch.chdir(place)
    before = sorted(place.iterdir())
    words = words if "--network" in words else [*words, "--network", "tiny.safetensors"]
    assert message in refused("drag", *words)
    assert sorted(place.iterdir()) == before
