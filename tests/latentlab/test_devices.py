"""A device that is not there: told in one line with those that are, wherever the Python API takes one."""

import pytest
import torch

import stylegan2
from latentlab import scorers
from latentlab.devices import find_device
from latentlab.errors import UserError
from latentlab.perceptual import load_perceptual
from latentlab.pipelines import Components
from latentlab.tasks.shapes import make_shapes_task
from latentlab.tasks.shapes.definition import PRESETS
from latentlab.translation import Translator, launch, load_translator

MISSING = "cuda:99"  # neither a machine without CUDA nor one with it has this one


def test_what_is_there_is_found():
    assert find_device("cpu") == torch.device("cpu") == find_device(torch.device("cpu"))
    assert find_device() == find_device("auto")


@pytest.mark.parametrize(
    "load",
    [
        find_device,
        lambda device: scorers.load_scorer("fer", device),
        lambda device: scorers.load_attributes("attributes", device),
        lambda device: scorers.load_scorer("attributes:young", device),
        lambda device: load_perceptual("vgg", device),
        lambda device: load_translator("none.pth", device),
        lambda device: Translator({}, {}).to(device),
        lambda device: Components.load("mobile-ffhq", device=device),
        lambda device: make_shapes_task(PRESETS["quick"], None, device),
    ],
)
def test_a_device_that_is_not_there(load):
    with pytest.raises(UserError, match=r"device 'cuda:99' is not available \(.*\); there is .*cpu, or auto"):
        load(MISSING)


def test_a_generator_is_not_loaded_onto_a_device_that_is_not_there(data):
    for missing in (MISSING, torch.device(MISSING)):
        with pytest.raises(stylegan2.DeviceError, match=r"device 'cuda:99' is not available"):
            stylegan2.load(data / "net32_nvada_stub.pkl", device=missing)
    assert stylegan2.load(data / "net32_nvada_stub.pkl", device="auto").w_avg.device == find_device("auto")


def test_a_training_on_an_accelerator_that_is_not_there():
    with pytest.raises(UserError, match="no training on 1 of 'abacus': .*take auto, or cpu"):
        launch("abacus")
    with pytest.raises(UserError, match="no training on 1 of 'tpu'"):
        launch("tpu")
