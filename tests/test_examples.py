"""Every script in examples/, most on a tiny generator: the first and the last as processes, others in this one."""

import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import make_tiny
from PIL import Image

import latentlab
import stylegan2
from latentlab.directions import Direction

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture(scope="module")
def network():
    """Its w spreads, unlike the published mapping's at random weights, so that labels and pictures differ."""
    return make_tiny(
        stylegan2.GeneratorConfig(
            resolution=64,  # the least that the expression classifier takes
            z_dim=32,
            w_dim=32,
            mapping_layers=2,
            mapping_lr_multiplier=1.0,
            channel_base=256,
            channel_max=16,
        )
    )


@pytest.fixture(scope="module")
def checkpoint(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("network") / "tiny.safetensors"
    stylegan2.save(network, path)
    return path


def process(folder, name, *options):
    """Runs an example as a user does; gives what it prints."""
    command = [str(part) for part in (sys.executable, EXAMPLES / name, *options)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def run_alone(tmp_path, monkeypatch, capsys):
    """Runs an example as Python does, but for the time that a process takes to import everything."""
    # A setting of the whole process, which the suite is not to have; the front door keeps what it imported.
    monkeypatch.setattr(latentlab, "keep_freed_memory", lambda: True)
    monkeypatch.setattr("stylegan2.memory.keep_freed_memory", lambda: True)
    monkeypatch.chdir(tmp_path)

    def call(name, *options):
        monkeypatch.setattr(sys, "argv", [str(EXAMPLES / name), *map(str, options)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        told = capsys.readouterr()
        assert not ended.value.code, told.err
        return told.out

    return call


@pytest.fixture
def run(run_alone, checkpoint):
    """Runs an example on the tiny generator."""
    return lambda name, *options: run_alone(name, "--network", checkpoint, "--device", "cpu", *options)


def size_of(path):
    """Width and height of a picture, which must hold more than one colour."""
    with Image.open(path) as image:
        assert len(np.unique(np.asarray(image.convert("RGB")).reshape(-1, 3), axis=0)) > 1, path
        return image.size


def test_generate(checkpoint, tmp_path):
    seeds, psis = ["--seeds", "1-3"], ["--psi", "0.5", "--psi", "1"]
    process(tmp_path, "generate.py", "--network", checkpoint, "--device", "cpu", *seeds, *psis, "--out", "out")
    assert size_of(tmp_path / "out" / "grid.png") == (3 * 64, 2 * 64)
    for seed in (1, 2, 3):
        weak, full = (tmp_path / "out" / f"seed{seed:06d}_psi{psi}.png" for psi in ("0.5", "1"))
        assert size_of(weak) == size_of(full) == (64, 64)
        assert weak.read_bytes() != full.read_bytes()


def test_style_mixing(run, tmp_path):
    run("style_mixing.py", "--columns", "1-2", "--rows", "3", "--first", "2", "--out", "out")
    path = tmp_path / "out" / "mixed.png"
    assert size_of(path) == (3 * 64, 2 * 64)
    cells = np.asarray(Image.open(path)).reshape(2, 64, 3, 64, 3).swapaxes(1, 2)  # (row, column, 64, 64, 3)
    assert (cells[0, 0] == 255).all()  # the corner between the margins
    others = [cells[i, j].tobytes() for i in range(2) for j in range(3)]
    assert len(set(others)) == len(others)


@pytest.mark.weights
def test_smile_direction(run, network, tmp_path):
    # What the classifier makes of a random network's pictures is mostly neutral, and sometimes not.
    said = run("smile_direction.py", "--samples", "80", "--attribute", "neutral", "--out", "out")
    assert "AUC" in said and "cosine" in said
    for method in ("mean", "svm"):
        direction = Direction.load(tmp_path / "out" / f"neutral-{method}.safetensors")
        direction.check(network)
        assert 0 <= direction.statistics["held_out_auc"] <= 1
    assert size_of(tmp_path / "out" / "walk.png") == (5 * 64, 3 * 64)


def test_latent_walk(run, network, tmp_path):
    vector = np.eye(1, network.w_dim, dtype=np.float32)[0]
    direction = Direction(vector, "nothing", "made up", sigma=1.0, generator=network.fingerprint)
    direction.save(tmp_path / "direction.safetensors")
    run("latent_walk.py", "--seeds", "1-2", "--frames", "3", "--space", "z", "--direction", "direction.safetensors")
    for name, frames in (("loop", 2 * 3), ("direction", 2 * 2 * 3)):
        path = tmp_path / "latent_walk" / f"{name}.gif"
        assert size_of(path) == (64, 64)
        with Image.open(path) as film:
            # The turning points of the walk stand for two frames, which Pillow may keep as one.
            assert frames - 4 <= film.n_frames <= frames


@pytest.mark.slow
def test_own_attribute(run, tmp_path):
    said = run("own_attribute.py", "--attribute", "warm", "--samples", "60", "--out", "out")
    assert "samples are warm" in said
    assert "warm" in (tmp_path / "out" / "report.md").read_text(encoding="utf-8").lower()
    for name in ("walk.png", "response.png", "walk.gif"):
        size_of(tmp_path / "out" / name)
    Direction.load(tmp_path / "out" / "warm-svm.safetensors")


def test_own_attributes_measure_what_they_say():
    script = runpy.run_path(str(EXAMPLES / "own_attribute.py"))
    pictures = torch.zeros(3, 3, 64, 64)  # the first is middle grey all over
    pictures[1, :, :16] = 1.0  # light above, the middle as it was
    pictures[2, 0, 16:48, 16:48] = 0.5  # the middle red
    bright = script["bright"](pictures)
    assert bright[0] == bright[2] == 0.5 < bright[1]
    warm = script["Warmth"](pictures[:1])(pictures)
    assert warm[0] == warm[1] == 0.5 < warm[2]


SHORT = ("--size", "32", "--base-channels", "2", "--epochs", "1", "--out", "out")


def noise(path, size=(32, 32)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(len(path.name)).integers(0, 255, (*size[::-1], 3), np.uint8)).save(path)


def test_edges_to_face(run_alone, tmp_path):
    for k in range(20):
        noise(tmp_path / "faces" / f"{k}.png", (40, 48))
    said = run_alone("edges_to_face.py", "--images", "faces", *SHORT)
    assert "samples" in said
    assert size_of(tmp_path / "out" / "pairs" / "train" / "0.png") == (64, 32)
    assert size_of(tmp_path / "out" / "training" / "samples" / "step-00000005.png") == (3 * 32, 2 * 32)


def test_facades(run_alone, tmp_path):
    for part, count in (("train", 4), ("val", 2)):
        for k in range(count):
            noise(tmp_path / "facades" / part / f"{k}.png", (64, 32))
    run_alone("facades.py", "facades", "--variant", "l1", *SHORT)
    assert size_of(tmp_path / "out" / "samples" / "step-00000001.png") == (3 * 32, 2 * 32)


def test_shapes_and_smiles_of_a_folder(run_alone, tmp_path):
    run_alone("shapes_instagan.py", "--scenes", "10", *SHORT)
    assert size_of(tmp_path / "out" / "training" / "samples" / "step-00000010.png") == (8 * 32, 32)
    for name, columns, steps in (("smile_instagan.py", 8, 10), ("smile_cyclegan.py", 6, 5)):
        run_alone(name, "--folder", "out/scenes", *SHORT[:-1], name)
        grid = tmp_path / name / "training" / "samples" / f"step-{steps:08d}.png"
        assert size_of(grid) == (columns * 32, 32)


@pytest.mark.weights
def test_own_method(run, tmp_path):
    run("own_method.py", "--faces", "2", "--held-out", "2", "--steps", "1", "--out", "out")
    page = (tmp_path / "out" / "report.html").read_text()
    assert "pixel-mean" in page and "<p class=failed>" not in page


@pytest.mark.weights
@pytest.mark.slow
def test_edit_photo(tmp_path):
    """On the real generator, for a face has to be found; without a photo it takes a generated one."""
    said = process(tmp_path, "edit_photo.py", "--steps", "1", "--tuning-steps", "1", "--device", "cpu")
    assert "identity kept" in said
    for name in ("aligned", "projected", "edited", "photo"):
        assert size_of(tmp_path / "edit_photo" / f"{name}.png") == (1024, 1024)
