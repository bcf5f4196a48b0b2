"""A translation method of another package: one file and one entry point, and it trains, loads and is compared."""

import json
import os
import subprocess
import sys

import pytest
import torch

from latentlab import images

METHOD = '''
from dataclasses import dataclass, field

from torch import nn

from latentlab.translation import (
    NetworkConfig, OptimiserStep, TranslationConfig, TranslationGenerator, TranslationMethod, network_dict
)


@dataclass(frozen=True)
class ColourConfig(NetworkConfig):
    channels: int = 3
    kind = "colour"

    def build(self):
        return Colour(self)


class Colour(TranslationGenerator):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.conv = nn.Conv2d(config.channels, config.channels, 1)

    def forward(self, x):
        return self.conv(x)


@dataclass(frozen=True)
class RegressionConfig(TranslationConfig):
    generator: ColourConfig = field(default_factory=ColourConfig)

    @classmethod
    def for_resolution(cls, resolution, base_channels):
        return cls()

    def build(self, seed=0):
        return Regression(self, seed)


class Regression(TranslationMethod):
    """Colours of B as a linear function of those of A."""

    name = "regression"
    config_class = RegressionConfig
    paired = True
    network_configs = (ColourConfig,)
    optimiser_networks = {"generator": ("G",)}
    generators = {"a2b": "G"}

    def __init__(self, config, seed=0):
        self.config = config
        self.networks = network_dict({"G": config.generator.build()}, seed)

    def optimiser_steps(self, batch, rng):
        made = self.networks["G"](batch["a"])
        yield OptimiserStep("generator", {"squares": (made - batch["b"]).square().mean()})

    def preview(self, batch):
        return [batch["a"], self.networks["G"](batch["a"]), batch["b"]]
'''

COMPARE = """
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import torch

from latentlab import images
from latentlab.progress import silent
from latentlab.tasks.trained import Trained
from latentlab.translation import Augmentation, load_method

pairs, model, shown, made = map(Path, sys.argv[1:])
method = load_method("regression")
config = method.configure(16, 4)
source = method.open_folder(pairs, "train", config, Augmentation.none(16)).source
contestant = Trained("regression", config, lambda stage: source, 200, 4, 0)
contestant.fit(SimpleNamespace(size=16, device=torch.device("cpu")), model, silent)
images.save_image(contestant.apply(images.load_image(shown)[..., :16]), made)
print(json.dumps(contestant.inputs["config"]))
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder with an installed package, as pip leaves it."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "colour_regression.py").write_text(METHOD)
    metadata = folder / "colour_regression-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: colour-regression\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[latentlab.translators]\nregression = colour_regression:Regression\n")
    return folder


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Pairs whose B is the negative of A."""
    folder, rng = tmp_path_factory.mktemp("pairs"), torch.Generator().manual_seed(0)
    for k in range(8):
        a = torch.rand(1, 3, 16, 16, generator=rng) * 1.6 - 0.8
        images.save_image(torch.cat([a, -a], dim=3), folder / "train" / f"{k}.png")
    return folder


@pytest.fixture
def python(site, tmp_path):
    """Runs a program with the package installed; gives its standard output."""

    def call(program: str, *words: object) -> str:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), *filter(None, sys.path)])}
        command = [sys.executable, "-c", program, *map(str, words)]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return call


MAIN = "from latentlab.cli import main; main()"


@pytest.mark.slow
def test_it_trains_is_saved_and_applied_by_the_command_line(python, pairs, tmp_path):
    words = ("--size", 16, "--epochs", 40, "--batch", 4, "--learning-rate", 0.05, "--accelerator", "cpu")
    out = python(MAIN, "translate", "train", "regression", pairs, "--out", tmp_path / "run", *words)
    model = tmp_path / "run" / "translator.safetensors"
    assert str(model) in out and "8 samples" in out
    python(MAIN, "translate", "apply", model, pairs / "train" / "0.png", "--out", tmp_path / "made", "--device", "cpu")
    before, after = (images.load_image(folder / "0.png") for folder in (pairs / "train", tmp_path / "made"))
    assert (after + before).abs().mean() < 0.05


@pytest.mark.slow
def test_it_is_a_method_of_a_comparison(python, pairs, tmp_path):
    shown = pairs / "train" / "0.png"
    out = python(COMPARE, pairs, tmp_path / "model", shown, tmp_path / "made.png")
    assert json.loads(out) == {"generator": {"channels": 3}}
    before, after = images.load_image(shown)[..., :16], images.load_image(tmp_path / "made.png")
    assert (after + before).abs().mean() < (after - before).abs().mean(), "b is the negative of a"
