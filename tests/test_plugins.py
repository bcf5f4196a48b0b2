"""A package of somebody else's, really installed: a scorer, a finder, a translation method, a metric and a task."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from conftest import make_tiny

import stylegan2
from latentlab import images
from stylegan2.config import GeneratorConfig

PLUGIN = Path(__file__).parent / "plugin"
CONFIG = GeneratorConfig(
    resolution=32, z_dim=16, w_dim=16, mapping_layers=2, mapping_lr_multiplier=1.0, channel_base=256, channel_max=16
)


def make_wheel(folder: Path) -> Path:
    """The package as a wheel, which is a ZIP file with four more files in it."""
    wheel = folder / "acme-1.0-py3-none-any.whl"
    info = "acme-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path in sorted((PLUGIN / "acme").glob("*.py")):
            archive.write(path, f"acme/{path.name}")
        archive.write(PLUGIN / "entry_points.txt", f"{info}/entry_points.txt")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return wheel


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    """Runs `latentlab` in an environment where the package is installed; gives what it prints."""
    folder = tmp_path_factory.mktemp("installed")
    wheel = make_wheel(tmp_path_factory.mktemp("wheel"))
    install = ["install", "--quiet", "--no-index", "--no-deps", "--disable-pip-version-check", "--target", folder]
    subprocess.run([sys.executable, "-m", "pip", *map(str, install), str(wheel)], check=True)
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])

    def run(*words: object) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "latentlab", *map(str, words)],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="module")
def network(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("network") / "tiny.safetensors"
    stylegan2.save(make_tiny(CONFIG), path)
    return path


def test_a_scorer_labels_and_a_finder_learns(command, network, tmp_path):
    samples, direction = tmp_path / "samples", tmp_path / "bright.safetensors"
    command("label", "--network", network, "--scorer", "brightness", "--samples", 80, "--out", samples)
    card = command("fit", samples, "--attribute", "bright", "--method", "lda", "--out", direction)
    assert "LDA" in card and direction.exists()
    scores = [pq.read_table(path).column("bright").to_numpy() for path in sorted(samples.glob("*.parquet"))]
    assert np.ptp(np.concatenate(scores)) > 0


def test_a_translation_method_is_trained_and_applied(command, tmp_path):
    pairs = tmp_path / "pairs" / "train"
    for k in range(8):
        colour = torch.full((1, 3, 16, 16), k / 8 - 0.5)
        images.save_image(torch.cat([colour, -colour], dim=3), pairs / f"{k}.png")
    out, made = tmp_path / "run", tmp_path / "made"
    command("translate", "train", "tint", tmp_path / "pairs", "--size", 16, "--epochs", 60, "--learning-rate", 0.02,
            "--out", out)  # fmt: skip
    images.save_image(torch.full((1, 3, 16, 16), 0.4), tmp_path / "grey.png")
    command("translate", "apply", out / "translator.safetensors", tmp_path / "grey.png", "--out", made)
    assert images.load_image(made / "grey.png").mean() == pytest.approx(-0.4, abs=0.1)


def test_a_task_is_compared_and_a_metric_measures_it(command, tmp_path):
    assert "invert" in command("compare", "--help")
    assert "--held-out" in command("compare", "invert", "--help")
    printed = command("compare", "invert", "--held-out", 3, "--metrics", "brightness-shift", "--out", tmp_path / "c")
    assert "report.html" in printed
    table = (tmp_path / "c" / "table.csv").read_text()
    rows = {tuple(line.split(",")[:2]): float(line.split(",")[2]) for line in table.splitlines()[1:]}
    assert rows["invert", "l1"] == pytest.approx(0, abs=0.01)
    assert rows["keep", "l1"] > 0.1
    assert rows["invert", "brightness_shift"] == pytest.approx(0, abs=0.01)  # compared with the truth
    assert rows["keep", "brightness_shift"] != 0
