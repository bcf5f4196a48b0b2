"""Training and applying translators on a GPU: each method's steps, those of the CPU."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies import SingleDeviceStrategy

from latentlab.faces.geometry import CropGeometry
from latentlab.pipelines.distilling import FaceEditor
from latentlab.translation.applying import Application
from latentlab.translation.augment import augment
from latentlab.translation.data.sources import collate, move_batch
from latentlab.translation.methods import CycleGANConfig, InstaGANConfig, Pix2Pix, TranslationConfig, load_method
from latentlab.translation.methods.base import Techniques
from latentlab.translation.methods.distilled import DistilledConfig
from latentlab.translation.networks import EditorConfig, PatchConfig, ResNetConfig, UNetConfig
from latentlab.translation.networks.instagan import InstaDiscriminatorConfig, InstaGeneratorConfig
from latentlab.translation.training import TrainingSettings, train
from latentlab.translation.training.loop import take_step
from latentlab.translation.training.state import TrainingState
from latentlab.translation.translator import Translator, load_translator
from tests.latentlab.random_networks import random_distance
from tests.latentlab.translation.toys import Toy
from tests.pretended import check_alike, on_cuda

pytestmark = pytest.mark.usefixtures("cuda")

CUDA = torch.device("cuda", 0)
TECHNIQUES = Techniques("resize", 1.0, "alex", 2, True, True)


def cyclegan(**changes) -> CycleGANConfig:
    return CycleGANConfig(ResNetConfig(1, 4), PatchConfig(16, 4), pool_size=2, **changes)


def pix2pix() -> TranslationConfig:
    config = Pix2Pix.configure(32, 4)
    return replace(config, discriminator=replace(config.discriminator, receptive_field=16, norm="instance"))


def cut() -> TranslationConfig:
    config_class = load_method("cut").config_class
    return config_class(ResNetConfig(1, 4), PatchConfig(16, 4), patches=16, features=8)


def instagan() -> InstaGANConfig:
    return InstaGANConfig(InstaGeneratorConfig(1, 4), InstaDiscriminatorConfig(4), pool_size=2, instances=4, at_once=2)


def distilled() -> DistilledConfig:
    return DistilledConfig(EditorConfig(("smile", "age"), 4, 2, 1), gan_weight=0.1)


CONFIGS = {
    "pix2pix": pix2pix,
    "cyclegan": cyclegan,
    "cyclegan with a penalty": lambda: cyclegan(objective="wgan-gp"),
    "cyclegan with techniques": lambda: cyclegan().with_techniques(TECHNIQUES),
    "cut": cut,
    "instagan": lambda: instagan().with_techniques(Techniques(diff_augment=True)),
    "distilled": distilled,
}


def batch_for(config: TranslationConfig):
    """Two samples, with masks for those that take them."""
    toy = Toy(8, 32, config.masks_per_image)
    batch = collate([toy.sample(k, None) for k in (1, 2)])
    if isinstance(config, DistilledConfig):
        batch["strengths"] = torch.tensor([[1.0, 0.0], [0.5, -0.5]])
    return batch


@pytest.fixture(scope="module")
def lpips():
    here = random_distance("alex")
    return here, on_cuda(here)


@pytest.fixture(scope="module")
def fabrics():
    """Lightning on the CPU, and on the device: unlaunched, for it would look for a driver."""
    return Fabric(accelerator="cpu"), Fabric(accelerator="cpu", strategy=SingleDeviceStrategy(CUDA))


def state_of(config, distance, device) -> TrainingState:
    method = config.build(0)
    method._distance = distance
    method.networks.to(device).to(memory_format=torch.channels_last)
    return TrainingState(method, TrainingSettings(ema=0.9))


@pytest.mark.parametrize("name", CONFIGS)
def test_steps_of_every_method(name, lpips, fabrics):
    config = CONFIGS[name]()
    batch, losses = batch_for(config), []
    for fabric, distance, device in zip(fabrics, lpips, ("cpu", CUDA), strict=True):
        state = state_of(config, distance, device)
        steps = 2 if name == "cyclegan" else 1  # the pools hand images back in the second
        losses.append([take_step(fabric, state, [move_batch(batch, device)], 1e-6) for _ in range(steps)])
        assert all(weight.device.type == torch.device(device).type for weight in state.method.networks.parameters())
        previews = state.method.preview(move_batch(batch, device))
        assert {column.device.type for column in previews} == {torch.device(device).type}
    for here, there in zip(*losses, strict=True):
        for optimiser, values in here.items():
            assert {value.device.type for value in there[optimiser].values()} <= {"cuda"}
            found, expected = ({k: float(v) for k, v in own.items()} for own in (there[optimiser], values))
            assert found == pytest.approx(expected, rel=1e-3, abs=1e-4), optimiser


def test_a_training_is_resumed_in_mixed_precision(tmp_path):
    settings = TrainingSettings(epochs=0.5, decay=0, batch_size=2, precision="bf16-mixed", ema=0.9)
    fabric = Fabric(accelerator="cpu", strategy=SingleDeviceStrategy(CUDA), precision="bf16-mixed")
    given = cyclegan(), Toy(4, 16)
    train(*given, settings, tmp_path, fabric=fabric, progress=False)
    translator = train(*given, replace(settings, epochs=1), tmp_path, fabric=fabric, progress=False)
    assert translator.card["steps"] == 2


@pytest.mark.parametrize("beside", [0, 2])
def test_augmentation(beside):
    images, others = torch.rand(3, 3, 16, 16), torch.rand(3, beside, 16, 16)
    here = augment(images, others, -1.0, torch.Generator().manual_seed(1))
    there = augment(on_cuda(images), on_cuda(others), -1.0, torch.Generator().manual_seed(1))
    check_alike(there, here)


@pytest.mark.parametrize(
    ("config", "size"),
    [
        (UNetConfig(32, 4), 30),
        (ResNetConfig(1, 4), 20),
        (InstaGeneratorConfig(1, 4), 18),
        (EditorConfig(("smile",), 4, 2, 1), 30),
    ],
    ids=["u-net", "resnet", "instagan", "editor"],
)
def test_translators_are_applied(config, size):
    torch.manual_seed(0)
    here = Translator({"a2b": config.build()}, {"method": "made up"})
    network = on_cuda(here.networks["a2b"])
    there = Translator({"a2b": network}, here.card).to("cuda")
    image = torch.rand(1, 3, size, size) * 2 - 1
    masks = torch.where(torch.rand(1, 2, size, size) > 0.5, 1.0, -1.0) if network.takes_masks else None
    expected, expected_masks = Application(here, dropout=False)(image, masks)
    made, made_masks = Application(there, dropout=False)(image, masks)  # which it moves itself
    check_alike(made, expected, 1e-3)
    if masks is not None:
        check_alike(made_masks, expected_masks, 1e-3)


def test_the_editor_that_comes_with_the_package():
    photo = torch.rand(1, 3, 80, 80) * 2 - 1
    here, there = (FaceEditor(load_translator("smile", device)) for device in ("cpu", "cuda"))
    check_alike(there.translate(on_cuda(photo)), here.translate(photo), 1e-2)
    quad = np.array([[10.0, 10.0], [10.0, 70.0], [70.0, 70.0], [70.0, 10.0]])
    geometry = CropGeometry.plan(quad, 64, (80, 80))
    check_alike(there.edit_face(on_cuda(photo), geometry), here.edit_face(photo, geometry), 1e-2)
