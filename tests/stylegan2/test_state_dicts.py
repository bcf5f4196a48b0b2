"""State dicts and pickled modules load as users save them: alone, under any usual key or prefix, of any code base."""

from __future__ import annotations

import argparse
import os
import sys
import types
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

import stylegan2
from stylegan2 import CheckpointError
from stylegan2.safe_pickle import ForbiddenGlobalError
from tests.conftest import TINY
from tests.stylegan2.pickles import Call
from tests.stylegan2.refusals import refusal

State = dict[str, Any]


def prefixed(state: State, prefix: str) -> State:
    return OrderedDict((prefix + name, value) for name, value in state.items())


def assert_same(loaded: Any, expected: Any) -> None:
    assert loaded.config == expected.config
    assert all(torch.equal(value, expected.state_dict()[name]) for name, value in loaded.state_dict().items())


WAYS: dict[str, Callable[[State], Any]] = {
    "alone": lambda state: state,
    "data parallel": lambda state: prefixed(state, "module."),
    "compiled": lambda state: {"state_dict": prefixed(state, "_orig_mod.")},
    "params_ema": lambda state: {"params_ema": state, "params": {}},
    "g_ema": lambda state: {"g_ema": prefixed(state, "module."), "iteration": 7},
    "generator": lambda state: {"models": {"generator_smooth": state, "generator": {}}, "optimizers": {"lr": 1.0}},
    "all in one": lambda state: {"state_dict": {"epoch": 3, **prefixed(state, "G_ema."), "D.b4.x": torch.zeros(1)}},
    "double precision": lambda state: {name: value.double() for name, value in state.items()},
}


@pytest.mark.parametrize("way", WAYS)
def test_a_state_dict_gives_the_recorded_images(data, tmp_path, way):
    state = torch.load(data / "net32_state_dict.pt", weights_only=True)
    torch.save(WAYS[way](state), tmp_path / "x.pt", _use_new_zipfile_serialization=way != "g_ema")
    io = {name: torch.from_numpy(value) for name, value in np.load(data / "net32_state_dict_io.npz").items()}
    G = stylegan2.load(tmp_path / "x.pt")
    with torch.no_grad():
        torch.testing.assert_close(G.mapping(io["z"]), io["ws"], rtol=0, atol=1e-5)
        torch.testing.assert_close(G(io["z"]), io["img"], rtol=0, atol=2e-4)


def test_a_state_dict_as_safetensors(data, tmp_path):
    state = torch.load(data / "net32_state_dict.pt", weights_only=True)
    safetensors.torch.save_file(state, tmp_path / "x.safetensors", {"format": "pt"})
    assert (
        stylegan2.load(tmp_path / "x.safetensors").fingerprint
        == stylegan2.load(data / "net32_state_dict.pt").fingerprint
    )


class Node(nn.Module):
    """A module of somebody's code, which this project does not have; to run any of it is an error."""

    def __setstate__(self, state: Any) -> None:
        raise AssertionError("the code of a checkpoint ran")


def as_module(state: State) -> Node:
    """A module whose state dict is `state`."""
    top = Node()
    for name, value in state.items():
        *path, leaf = name.split(".")
        node: Any = top
        for part in path:
            if part not in node._modules:
                node.add_module(part, Node())
            node = node._modules[part]
        node.register_buffer(leaf, value) if leaf == "kernel" else node.register_parameter(leaf, nn.Parameter(value))
    assert top.state_dict().keys() == state.keys()
    return top


FILES = {"net32_rosinality_train.pt": ("g_ema", "d"), "net32_genforce.pth": ("generator_smooth", "discriminator")}
FORMS: dict[str, Callable[[State], Any]] = {
    "state dict": lambda state: state,
    "prefixed": lambda state: {"state_dict": prefixed(state, "module.")},
    "module": as_module,
    "module in data parallel": lambda state: nn.DataParallel(as_module(state)),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("file", FILES)
def test_networks_of_other_code_bases_alone(data, tmp_path, file, form):
    content = torch.load(data / file, weights_only=False)  # recorded with this repository
    for name, key in zip(("G_ema", "D"), FILES[file], strict=True):
        torch.save(FORMS[form](content[key]), tmp_path / "x.pt")
        assert_same(stylegan2.load(tmp_path / "x.pt", name), stylegan2.load(data / file, name))


def test_a_module_in_the_older_container(data, tmp_path):
    content = torch.load(data / "net32_rosinality_train.pt", weights_only=False)["g_ema"]
    torch.save(as_module(content), tmp_path / "x.pt", _use_new_zipfile_serialization=False)
    assert stylegan2.load(tmp_path / "x.pt", "G").num_ws == 8


@pytest.mark.parametrize("kind", ["generator", "discriminator", "mobile"])
def test_networks_of_this_project_pickled_whole(tmp_path, kind):
    network = {
        "generator": lambda: stylegan2.Generator(
            stylegan2.GeneratorConfig(16, 8, 2, 8, channel_base=64, conv_clamp=3.0)
        ),
        "discriminator": lambda: stylegan2.Discriminator(
            stylegan2.DiscriminatorConfig(16, channel_base=64, channel_max=16)
        ),
        "mobile": lambda: stylegan2.MobileGenerator(stylegan2.MobileConfig(16, 8, 8, channel_base=64)),
    }[kind]()
    torch.save(network, tmp_path / "x.pt")
    assert_same(stylegan2.load(tmp_path / "x.pt", "D" if kind == "discriminator" else "G_ema"), network)
    torch.save(network.state_dict(), tmp_path / "x.pt")
    if kind == "mobile":
        assert "stylegan2.save" in refusal(tmp_path / "x.pt")
    elif kind == "discriminator":
        assert_same(stylegan2.load(tmp_path / "x.pt", "D"), network)
        with pytest.raises(CheckpointError, match="no generator; it has D"):
            stylegan2.load(tmp_path / "x.pt")


def released(module: nn.Module) -> Any:
    """A generator of ours as the PyTorch release pickles it."""
    state = {part: dict(getattr(module, part)) for part in ("_parameters", "_buffers")}
    state["_modules"] = {name: released(child) for name, child in module._modules.items()}
    state.update(activation="linear" if hasattr(module, "lrelu") and not module.lrelu else "lrelu", w_avg_beta=0.99)
    state.update(bias_gain=0.01, up=getattr(module, "up", 1), conv_clamp=256)
    meta = {"class_name": type(module).__name__, "module_src": "1/0", "state": state}
    return Call(sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj, meta)


def test_a_released_generator_that_was_tuned_and_saved_alone(tiny, tmp_path, monkeypatch):
    module = types.ModuleType("torch_utils.persistence")
    exec("def _reconstruct_persistent_obj(meta): raise AssertionError", module.__dict__)
    module._reconstruct_persistent_obj.__module__ = "torch_utils.persistence"
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "torch_utils", types.ModuleType("torch_utils"))
        patch.setitem(sys.modules, "torch_utils.persistence", module)
        torch.save(released(tiny), tmp_path / "x.pt")
    loaded = stylegan2.load(tmp_path / "x.pt")
    assert (loaded.config.conv_clamp, loaded.config.w_avg_beta) == (256, 0.99)  # as only the module knows
    assert all(torch.equal(value, tiny.state_dict()[name]) for name, value in loaded.state_dict().items())


def test_a_training_without_mean_weights(data, tmp_path):
    content = torch.load(data / "net32_rosinality_train.pt", weights_only=False)
    del content["g_ema"]
    content["args"] = argparse.Namespace(path=Path("/data/faces"), inner=argparse.Namespace(size=32))
    torch.save(content, tmp_path / "x.pt")
    with pytest.warns(UserWarning, match=r"x\.pt.*no G_ema.*loaded its G") as caught:
        loaded = stylegan2.load(tmp_path / "x.pt")
    assert [warning.filename for warning in caught] == [__file__]  # the line of the caller
    assert loaded.fingerprint == stylegan2.load(data / "net32_rosinality_train.pt", "G").fingerprint
    assert stylegan2.load(tmp_path / "x.pt", "G").fingerprint == loaded.fingerprint  # asked for, so without a warning
    assert "no network 'G_ema'; it has G, D" in refusal(tmp_path / "x.pt", "G_ema")


def test_the_advice_for_files_with_other_objects_works(tiny, tmp_path):
    module = as_module(tiny.state_dict())
    module.schedule = Call(os.path.join, "a", "b")
    torch.save(module, tmp_path / "x.pt")
    assert "save its tensors alone, as a state dict" in refusal(tmp_path / "x.pt")
    torch.save(module.state_dict(), tmp_path / "x.pt")
    assert torch.equal(stylegan2.load(tmp_path / "x.pt").w_avg, tiny.w_avg)


@pytest.mark.filterwarnings("ignore")  # torch warns of its own tracing
def test_the_advice_for_torchscript_works(tiny, tmp_path):
    z = torch.randn(1, tiny.z_dim)
    torch.jit.save(torch.jit.trace(tiny, z, check_trace=False), tmp_path / "x.pt")
    assert "TorchScript program, not weights; save the state_dict() of what torch.jit.load gives" in refusal(
        tmp_path / "x.pt"
    )
    torch.save(torch.jit.load(tmp_path / "x.pt").state_dict(), tmp_path / "y.pt")
    assert_same(stylegan2.load(tmp_path / "y.pt"), tiny)


class Hostile:
    """An object without the state of a module."""

    def __init__(self, state: Any) -> None:
        self.__dict__ = {"a": state}


@pytest.mark.parametrize("where", ["alone", "beside", "within"])
def test_objects_that_are_no_modules_stay_refused(tiny, tmp_path, where):
    module = as_module(tiny.state_dict())
    if where == "within":
        module.attribute = Hostile(1)
    torch.save({"alone": Hostile(module), "beside": [module, Hostile(1)], "within": module}[where], tmp_path / "x.pt")
    with pytest.raises(ForbiddenGlobalError, match="Hostile"):
        stylegan2.load(tmp_path / "x.pt")


@pytest.mark.parametrize("attack", [Call(os.system, "touch PWNED"), os.system, Tensor])
def test_a_module_brings_no_other_names_along(tiny, tmp_path, monkeypatch, attack):
    monkeypatch.chdir(tmp_path)
    module = as_module(tiny.state_dict())
    module.attribute = attack
    torch.save(module, "x.pt")
    with pytest.raises(ForbiddenGlobalError, match=r"system|Tensor"):
        stylegan2.load("x.pt")
    assert not Path("PWNED").exists()


def test_other_modules_are_named(tmp_path):
    torch.save(nn.Linear(2, 2), tmp_path / "x.pt")
    assert "pickled module of class torch.nn.modules.linear.Linear" in refusal(tmp_path / "x.pt")


def test_the_tiny_state_dict_is_that_of_its_configuration(tiny, tmp_path):
    torch.save(tiny.state_dict(), tmp_path / "x.pt")
    assert stylegan2.load(tmp_path / "x.pt").config == TINY
