"""A package of somebody else's, really installed: a scorer, a finder, a translation method, a metric and a task."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from conftest import make_tiny

import stylegan2
from latentlab import images, registry
from latentlab.progress import silent
from latentlab.tasks.trained import Trained
from latentlab.translation import Augmentation, load_method
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


REGISTRIES = (registry.scorers, registry.finders, registry.translators, registry.metrics, registry.tasks)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder on the path where the package is installed."""
    folder = tmp_path_factory.mktemp("installed")
    wheel = make_wheel(tmp_path_factory.mktemp("wheel"))
    install = ["install", "--quiet", "--no-index", "--no-deps", "--disable-pip-version-check", "--target", folder]
    subprocess.run([sys.executable, "-m", "pip", *map(str, install), str(wheel)], check=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        for one in REGISTRIES:  # they look once a process
            one.__dict__.pop("_found", None)
        yield folder
    for one in REGISTRIES:
        one.__dict__.pop("_found", None)


@pytest.fixture
def command(installed, run):
    """Runs `latentlab` where the package is installed; gives what it prints."""

    def call(*words: object) -> str:
        code, out, err = run(*words)
        assert code == 0, err
        return out

    return call


@pytest.fixture(scope="module")
def network(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("network") / "tiny.safetensors"
    stylegan2.save(make_tiny(CONFIG), path)
    return path


def test_a_scorer_labels_and_a_finder_learns(command, network, tmp_path):
    samples, direction = tmp_path / "samples", tmp_path / "bright.safetensors"
    command("label", "--network", network, "--scorer", "brightness", "--samples", 80, "--out", samples)
    card = command("fit", samples, "--attribute", "bright", "--method", "medians", "--out", direction)
    assert "MedianDifference" in card and direction.exists()
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


def test_a_process_finds_it_too(installed):
    path = os.pathsep.join([str(installed), *filter(None, [os.environ.get("PYTHONPATH")])])
    words = [sys.executable, "-m", "latentlab", "compare", "--help"]
    shown = subprocess.run(words, check=True, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path})
    assert "invert" in shown.stdout


def test_a_translation_method_takes_part_in_a_comparison(installed, tmp_path):
    for k in range(8):
        colour = torch.full((1, 3, 16, 16), k / 8 - 0.5)
        images.save_image(torch.cat([colour, -colour], dim=3), tmp_path / "train" / f"{k}.png")
    method = load_method("tint")
    config = method.configure(16, 4)
    source = method.open_folder(tmp_path, "train", config, Augmentation.none(16)).source
    contestant = Trained("tint", config, lambda stage: source, 200, 4, 0)
    contestant.fit(SimpleNamespace(size=16, device=torch.device("cpu")), tmp_path / "model", silent)
    made = contestant.apply(torch.full((2, 3, 16, 16), 0.25))
    assert made.shape == (2, 3, 16, 16) and contestant.inputs["config"]["resolution"] == 16


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
