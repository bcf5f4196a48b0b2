"""Every format gives the same network; what cannot be loaded is named; saving loses nothing."""

from __future__ import annotations

import math
import pickle
import sys
import types
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import stylegan2
from stylegan2 import CheckpointError, Discriminator, DiscriminatorConfig, Generator, GeneratorConfig
from stylegan2.checkpoints import loading
from stylegan2.checkpoints.format import Content, Loaded, Networks
from stylegan2.checkpoints.layout import discriminator_config, filter_taps, generator_config
from tests.stylegan2.refusals import refusal

FILES = ["net32_nvada_stub.pkl", "net32_tf.pkl", "net32_rosinality_train.pt", "net32_genforce.pth"]


def vectors(data: Path, name: str) -> dict[str, torch.Tensor]:
    return {key: torch.from_numpy(value) for key, value in np.load(data / name).items()}


def raw(path: Path) -> Any:
    return torch.load(path, weights_only=False)  # recorded with this repository


# Every format, the same weights


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("network", ["G_ema", "D"])
def test_formats_hold_the_same_weights(data, file, network):
    state = stylegan2.load(data / file, network).state_dict()
    expected = vectors(data, f"net32_nvada_{network}_state.npz")
    assert state.keys() == expected.keys()
    for name, value in expected.items():
        if name != "mapping.w_avg" or "rosinality" not in file:
            torch.testing.assert_close(state[name], value, rtol=0, atol=1e-6)


@pytest.mark.parametrize("file", FILES)
def test_formats_give_the_recorded_pictures(data, file):
    io = vectors(data, "net32_io.npz")
    G, D = stylegan2.load(data / file), stylegan2.load(data / file, "D")
    assert not G.training and not any(p.requires_grad for p in [*G.parameters(), *D.parameters()])
    with torch.no_grad():
        torch.testing.assert_close(G(io["z"]), io["img"], rtol=0, atol=2e-4)
        torch.testing.assert_close(D(io["img"]), io["d_logits"], rtol=0, atol=2e-5)
        if "rosinality" not in file:
            torch.testing.assert_close(G(io["z"], psi=0.6), io["img_psi06"], rtol=0, atol=2e-4)


@pytest.mark.parametrize("file", FILES)
def test_the_network_in_training_differs_from_its_mean(data, file):
    G, G_ema = stylegan2.load(data / file, "G"), stylegan2.load(str(data / file))
    assert G.config == G_ema.config
    assert not torch.equal(G.synthesis.b4.const, G_ema.synthesis.b4.const)


def test_formats_agree_on_the_fingerprint(data):
    # The settings that are in no shape differ: conv_clamp stands in NVIDIA's alone.
    assert stylegan2.load(data / FILES[1]).fingerprint == stylegan2.load(data / FILES[3]).fingerprint


def test_conditional_networks(data):
    io = vectors(data, "net16cond_io.npz")
    G = stylegan2.load(data / "net16cond_nvada_stub.pkl")
    D = stylegan2.load(data / "net16cond_nvada_stub.pkl", "D")
    with torch.no_grad():
        torch.testing.assert_close(G(io["z"], io["c"]), io["img"], rtol=0, atol=2e-4)
        torch.testing.assert_close(D(io["img"], io["c"]), io["d_logits"], rtol=0, atol=2e-5)


def test_settings_are_read(data):
    config = stylegan2.load(data / FILES[0]).config
    assert (config.conv_clamp, config.mapping_lr_multiplier, config.w_avg_beta) == (256, 0.01, 0.995)
    assert (config.channel_base, config.channel_max, config.fp16_resolutions) == (1024, 40, 3)
    assert config.resample_filter == (1, 3, 3, 1)
    assert stylegan2.load(data / FILES[0], "D").config.mbstd_group_size == 4


def test_the_discriminator_of_an_alias_free_file_loads(data):
    assert isinstance(stylegan2.load(data / "unsupported_stylegan3t.pkl", "D"), Discriminator)


@pytest.mark.parametrize("file", FILES)
def test_loading_leaves_the_callers_random_numbers(data, file):
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    stylegan2.load(data / file)
    assert torch.equal(torch.rand(2), expected)


def test_another_format_takes_one_module_and_one_line(tiny, tmp_path, monkeypatch):
    # What somebody would write who keeps weights as arrays of numpy: see stylegan2/checkpoints/format.py.
    def networks(content: Content) -> Networks | None:
        if content.path.suffix != ".npz":
            return None

        def read() -> Loaded:
            with np.load(content.path) as arrays:
                state = {name: torch.from_numpy(arrays[name]) for name in arrays.files}
            return Loaded(generator_config(state, (1, 3, 3, 1)), state)

        return {"G_ema": read}

    npz = types.SimpleNamespace(READS="somebody (.npz)", networks=networks)
    np.savez(tmp_path / "weights.npz", **{name: value.numpy() for name, value in tiny.state_dict().items()})
    assert "no data.pkl" in refusal(tmp_path / "weights.npz")
    monkeypatch.setattr(loading, "FORMATS", (npz, *loading.FORMATS))
    loaded = stylegan2.load(tmp_path / "weights.npz")
    assert all(torch.equal(value, tiny.state_dict()[name]) for name, value in loaded.state_dict().items())
    assert "no network 'D'; it has G_ema" in refusal(tmp_path / "weights.npz", "D")
    (tmp_path / "x").write_bytes(b"something else")
    assert "somebody (.npz)" in refusal(tmp_path / "x")
    np.savez(tmp_path / "broken.npz", **{"synthesis.b4.const": np.zeros(3)})
    assert "damaged" in refusal(tmp_path / "broken.npz")


@pytest.mark.filterwarnings("ignore:TypedStorage")
def test_a_file_with_another_network_under_the_name_is_refused(release, data):
    path = release({"G_ema": stylegan2.load(data / FILES[0], "D")})
    assert "G_ema is a Discriminator" in refusal(path)


# rosinality's family


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("shape", [(48,), (1, 48), (8, 48)])
def test_converted_and_encoder_files(data, tmp_path, zipped, shape):
    original = raw(data / FILES[2])["g_ema"]
    mean = torch.linspace(-1, 1, 48)
    converted = {"g_ema": original, "latent_avg": mean}
    decoder = {f"decoder.{name}": value for name, value in original.items()}
    encoder = {
        "state_dict": OrderedDict({"encoder.input_layer.0.weight": torch.zeros(2), **decoder}),
        "latent_avg": mean.expand(shape).clone(),
        "opts": {"device": torch.device("cpu"), "output_size": 32},
    }
    for content in (converted, encoder):
        torch.save(content, tmp_path / "x.pt", _use_new_zipfile_serialization=zipped)
        G = stylegan2.load(tmp_path / "x.pt")
        assert torch.equal(G.w_avg, mean)
        assert torch.equal(G.synthesis.b4.const, original["input.input"][0])


def test_a_missing_mean_is_sampled(data):
    G = stylegan2.load(data / FILES[2])
    with torch.no_grad():
        ws = G.mapping(torch.randn(20_000, G.z_dim, generator=torch.Generator().manual_seed(1)))
    # Two means of 10,000 and 20,000 samples: 5 standard errors of their difference.
    error = 5 * ws[:, 0].std(0) * math.sqrt(1 / 10_000 + 1 / 20_000)
    assert ((ws[:, 0].mean(0) - G.w_avg).abs() < error).all()
    assert torch.equal(stylegan2.load(data / FILES[2]).w_avg, G.w_avg)


def test_a_mean_that_differs_by_row_is_refused(data, tmp_path):
    content = {"g_ema": raw(data / FILES[2])["g_ema"], "latent_avg": torch.randn(8, 48)}
    torch.save(content, tmp_path / "x.pt")
    with pytest.raises(CheckpointError, match="latent_avg"):
        stylegan2.load(tmp_path / "x.pt")


# Architectures, inferred

configs = st.builds(
    GeneratorConfig,
    resolution=st.sampled_from([8, 16, 64]),
    z_dim=st.integers(1, 9),
    c_dim=st.sampled_from([0, 0, 2]),
    w_dim=st.integers(1, 9),
    img_channels=st.sampled_from([1, 3, 4]),
    mapping_layers=st.integers(1, 11),
    channel_base=st.sampled_from([64, 96, 128]),
    channel_max=st.integers(2, 9),
    architecture=st.sampled_from(["skip", "resnet", "orig"]),
    use_noise=st.booleans(),
    base_size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
)


def same_network(inferred: Any, config: Any) -> bool:
    """Whether both mean one network: any channel_base does that gives the same widths."""
    bases = {"channel_base": config.channel_base, "channel_max": config.channel_max}
    widths = all(inferred.channels(r) == config.channels(r) for r in config.block_resolutions)
    return widths and replace(inferred, **bases) == config


@settings(max_examples=40)
@given(configs)
def test_the_generator_is_inferred_from_names_and_shapes(config):
    with torch.device("meta"):
        state = Generator(config).state_dict()
    assert same_network(generator_config(state, config.resample_filter), config)


@settings(max_examples=40)
@given(configs, st.integers(1, 2))
def test_the_discriminator_is_inferred_from_names_and_shapes(config, mbstd_channels):
    own = ("resolution", "c_dim", "img_channels", "channel_base", "channel_max", "architecture", "base_size")
    shared = {name: getattr(config, name) for name in own}
    config = DiscriminatorConfig(**shared, mbstd_channels=mbstd_channels)
    with torch.device("meta"):
        state = Discriminator(config).state_dict()
    assert same_network(discriminator_config(state, config.resample_filter, config.base_size), config)


@given(st.lists(st.integers(1, 20), min_size=1, max_size=12), st.sampled_from([1, 4, 0.25]))
def test_taps_come_back_from_kernels(taps, scale):
    f = torch.tensor(taps, dtype=torch.float32)
    for kernel in (torch.outer(f, f) * scale / f.sum() ** 2, f / f.sum()):
        found = torch.tensor(filter_taps(kernel))
        torch.testing.assert_close(found / found.sum(), f / f.sum(), rtol=1e-4, atol=1e-6)


def test_the_usual_taps_come_back_as_they_are_written():
    f = torch.tensor([1.0, 3.0, 3.0, 1.0])
    assert filter_taps(torch.outer(f, f) / 16) == (1, 3, 3, 1)


class Persistent:
    """Pickles as a module of the PyTorch release."""

    def __init__(self, class_name: str, state: dict[str, Any]) -> None:
        self.meta = {
            "type": "class",
            "version": 6,
            "module_src": "1/0",
            "class_name": class_name,
            "state": state,
        }

    def __reduce__(self) -> Any:
        return sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj, (self.meta,)


_CLASSES = {
    "SynthesisLayer": "SynthesisLayer",
    "ToRGB": "ToRGBLayer",
    "FullyConnected": "FullyConnectedLayer",
    "Conv2d": "Conv2dLayer",
    "MappingNetwork": "MappingNetwork",
    "Generator": "Generator",
    "Discriminator": "Discriminator",
}


def as_released(module: torch.nn.Module, config: Any, path: str = "") -> Persistent:
    """A network of ours as the PyTorch release pickles it."""
    leaf = path.split(".")[-1]
    state: dict[str, Any] = {
        "_parameters": dict(module._parameters),
        "_buffers": dict(module._buffers),
        "_modules": {n: as_released(m, config, f"{path}.{n}") for n, m in module._modules.items()},
    }
    kind = _CLASSES.get(type(module).__name__, type(module).__name__)
    if kind in ("SynthesisLayer", "Conv2dLayer", "FullyConnectedLayer"):
        state["activation"] = "linear" if leaf in ("affine", "embed", "skip", "out") else "lrelu"
    if kind in ("SynthesisLayer", "Conv2dLayer"):
        state.update(up=module.up, down=getattr(module, "down", 1))
        state["conv_clamp"] = None if leaf == "skip" else config.conv_clamp
    if kind == "FullyConnectedLayer":
        state["bias_gain"] = config.mapping_lr_multiplier if ".mapping.fc" in path else 1
        state["weight_gain"] = state["bias_gain"] / math.sqrt(module.weight.shape[1])
    if kind == "MappingNetwork":
        state["w_avg_beta"] = config.w_avg_beta
    return Persistent(kind, state)


@pytest.fixture
def release(tmp_path, monkeypatch):
    """Write our networks as the PyTorch release would: the names of its modules exist while pickling."""

    def write(networks: dict[str, Any], **changes: Any) -> Path:
        package, module = types.ModuleType("torch_utils"), types.ModuleType("torch_utils.persistence")
        exec("def _reconstruct_persistent_obj(meta): raise AssertionError", module.__dict__)
        module._reconstruct_persistent_obj.__module__ = "torch_utils.persistence"
        package.persistence = module
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, "torch_utils", package)
            patch.setitem(sys.modules, "torch_utils.persistence", module)
            persistent = {name: as_released(network, network.config) for name, network in networks.items()}
            for path, value in changes.items():
                target = persistent["G_ema"]
                *parts, attribute = path.split("__")
                for part in parts:
                    target = target.meta["state"]["_modules"][part]
                target.meta["state"][attribute] = value
            (tmp_path / "release.pkl").write_bytes(pickle.dumps(persistent))
        return tmp_path / "release.pkl"

    return write


@pytest.mark.filterwarnings("ignore:TypedStorage")
@pytest.mark.parametrize("architecture", ["skip", "resnet", "orig"])
def test_released_architectures(release, architecture):
    config = GeneratorConfig(
        16,
        8,
        2,
        6,
        4,
        3,
        0.02,
        0.998,
        128,
        9,
        architecture,
        (1.0, 2.0, 5.0, 1.0),
        3.5,
        architecture == "skip",
    )
    G = Generator(config)
    loaded = stylegan2.load(release({"G_ema": G}))
    assert same_network(loaded.config, config)
    assert loaded.state_dict().keys() == G.state_dict().keys()
    assert all(torch.equal(value, G.state_dict()[name]) for name, value in loaded.state_dict().items())


@pytest.mark.filterwarnings("ignore:TypedStorage")
def test_a_constant_that_is_not_square_is_the_discriminators_too(release, tiny):
    G = Generator(replace(tiny.config, base_size=(5, 3)))
    path = release({"G_ema": G, "D": Discriminator(DiscriminatorConfig(16, channel_base=256, base_size=(5, 3)))})
    assert stylegan2.load(path).image_size == stylegan2.load(path, "D").image_size == (20, 12)


@pytest.mark.filterwarnings("ignore:TypedStorage")
@pytest.mark.parametrize(
    "changes",
    [
        {"synthesis__b8__conv0__activation": "relu"},
        {"mapping__fc0__weight_gain": 0.5},
        {"synthesis__b8__conv1__conv_clamp": 2.0},
    ],
)
def test_released_networks_that_compute_something_else_are_refused(release, tiny, changes):
    attribute = next(iter(changes)).split("__")[-1]
    with pytest.raises(CheckpointError, match=f"unsupported.*{attribute}"):
        stylegan2.load(release({"G_ema": tiny}, **changes))


@pytest.mark.filterwarnings("ignore:TypedStorage")
def test_the_file_says_which_networks_it_has(release, tiny):
    path = release({"G_ema": tiny})
    with pytest.raises(CheckpointError, match=r"release\.pkl.*no network 'D'; it has G_ema"):
        stylegan2.load(path, "D")
