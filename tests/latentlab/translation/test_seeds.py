"""A seed determines a training to the bit, stopped or not, whatever else draws random numbers in the process."""

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from latentlab import registry
from latentlab.images import save_image
from latentlab.translation.data.transforms import Augmentation
from latentlab.translation.methods import (
    CUT,
    CUTConfig,
    CycleGANConfig,
    InstaGANConfig,
    Pix2PixConfig,
)
from latentlab.translation.methods.distilled import DistilledConfig
from latentlab.translation.networks import (
    EditorConfig,
    InstaDiscriminatorConfig,
    InstaGeneratorConfig,
    PatchConfig,
    ResNetConfig,
    UNetConfig,
)
from latentlab.translation.training import RunOptions, TrainingSettings, loop, train
from tests.conftest import stage_with
from tests.latentlab.translation.toys import Toy

RESNET, PATCH = ResNetConfig(1, 4, dropout=True), PatchConfig(16, 4, norm="spectral", scales=2)
STACKED = replace(PATCH, channels=6)
INSTA = InstaDiscriminatorConfig(4, scales=2)
# Of every method the options that draw: dropout, spectral norm, several scales, pools, augmentation, a penalty.
CONFIGS = {
    "pix2pix": Pix2PixConfig(UNetConfig(32, 4), STACKED, diff_augment=True),
    "cyclegan": CycleGANConfig(RESNET, PATCH, pool_size=3, diff_augment=True),
    "instagan": InstaGANConfig(InstaGeneratorConfig(1, 4), INSTA, pool_size=3),
    "cut": CUTConfig(RESNET, PATCH, diff_augment=True, patches=8, features=8),
    "distilled": DistilledConfig(
        EditorConfig(("smile",), 4, 2, 1), PATCH, gan_weight=1.0, perceptual_weight=0.0, diff_augment=True
    ),
    "cyclegan with a penalty": CycleGANConfig(
        RESNET, PatchConfig(16, 4, norm="instance"), objective="wgan-gp", pool_size=3
    ),
    "cyclegan in grey": CycleGANConfig(RESNET, PATCH, pool_size=3).for_channels(1, 1),
}
SETTINGS = TrainingSettings(epochs=2, batch_size=2, ema=0.5, seed=3)
CROPS = Augmentation((32, 32), (36, 36))
OPTIONS = RunOptions(log_every=3, sample_every=2)


class Grey(Toy):
    def sample(self, index, rng):
        return {name: value[:, :1] for name, value in super().sample(index, rng).items()}


class Strengths(Toy):
    def sample(self, index, rng):
        return {**super().sample(index, rng), "strengths": torch.tensor([[1.0 - index % 3]])}


def toy_of(config):
    side = 48 if config.masks_per_image else 32
    kind = Strengths if isinstance(config, DistilledConfig) else Toy if config.channels == (3, 3) else Grey
    return kind(6, side, config.masks_per_image)


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def differing(one: Path, other: Path) -> list[str]:
    """Names of the files that are not the same in both folders, or only in one."""
    first, second = files_in(one), files_in(other)
    return sorted(name for name in {*first, *second} if first.get(name) != second.get(name))


def disturb(seed: int) -> None:
    """Bring the global generators into another state."""
    torch.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)


def stopped_at(samples: int):
    """A stage that stops a training as Ctrl-C does, once it has seen so many samples."""

    def step(done, total, note=""):
        if done >= samples:
            raise KeyboardInterrupt

    return stage_with(step)


def test_every_method_is_tried():
    assert {name.split()[0] for name in CONFIGS} == set(registry._BUILT_IN["latentlab.translators"])


@pytest.mark.parametrize("name", CONFIGS)
def test_a_training_is_the_same_twice_and_after_a_stop_and_leaves_the_callers_generators_alone(
    tmp_path, monkeypatch, name
):
    config = CONFIGS[name]
    disturb(1)
    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
    train(config, toy_of(config), SETTINGS, tmp_path / "one", options=OPTIONS, progress=False)
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1:] == (np.random.get_state()[1].tolist(), random.getstate())
    monkeypatch.setattr(loop, "SAVE_SECONDS", -1.0)
    for samples in (8, 10):
        disturb(samples)
        with pytest.raises(KeyboardInterrupt):
            train(config, toy_of(config), SETTINGS, tmp_path / "stopped", options=OPTIONS, progress=stopped_at(samples))
    train(config, toy_of(config), SETTINGS, tmp_path / "stopped", options=OPTIONS, progress=False)
    assert len(files_in(tmp_path / "one")) == 7
    assert differing(tmp_path / "one", tmp_path / "stopped") == []


def test_crops_and_mirrors_come_from_the_seed(tmp_path):
    for k in range(4):
        noise = torch.rand(1, 3, 40, 48, generator=torch.Generator().manual_seed(k))
        save_image(noise, tmp_path / "A" / f"{k}.png")
    source = CUT.open_folder((tmp_path / "A", tmp_path / "A"), "train", CONFIGS["cut"], CROPS).source
    for seed in (1, 2):
        disturb(seed)
        train(CONFIGS["cut"], source, SETTINGS, tmp_path / str(seed), options=OPTIONS, progress=False)
    assert differing(tmp_path / "1", tmp_path / "2") == []
