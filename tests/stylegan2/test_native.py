"""The project's own format: saving loses nothing, conversion proves itself, and wrong files are named."""

from __future__ import annotations

import json
import math
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

import stylegan2
from stylegan2 import CheckpointError, Discriminator, DiscriminatorConfig, Generator, GeneratorConfig
from stylegan2.describing import describe
from tests.stylegan2.refusals import refusal

FILES = ["net32_nvada_stub.pkl", "net32_tf.pkl", "net32_rosinality_train.pt", "net32_genforce.pth"]


def mobile() -> Any:
    config = stylegan2.MobileConfig(16, z_dim=8, w_dim=8, mapping_layers=2, channel_base=256, channel_max=16)
    return stylegan2.MobileGenerator(config).eval()


@pytest.mark.parametrize("kind", ["generator", "resnet", "discriminator", "mobile"])
def test_save_round_trips_exactly(tiny, tmp_path, kind):
    network = {
        "generator": lambda: tiny,
        "resnet": lambda: Generator(replace(tiny.config, architecture="resnet", c_dim=2, conv_clamp=1.5)),
        "discriminator": lambda: Discriminator(DiscriminatorConfig(16, 2, channel_base=128, mbstd_group_size=None)),
        "mobile": mobile,
    }[kind]()
    stylegan2.save(network, tmp_path / "x.safetensors")
    loaded = stylegan2.load(tmp_path / "x.safetensors", "D" if kind == "discriminator" else "G_ema")
    assert type(loaded) is type(network) and loaded.config == network.config
    assert loaded.state_dict().keys() == network.state_dict().keys()
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in loaded.state_dict().items())
    assert [path.name for path in tmp_path.iterdir()] == ["x.safetensors"]


@pytest.mark.parametrize("network", ["G_ema", "G", "D"])
def test_convert_proves_itself(data, tmp_path, network):
    assert stylegan2.convert(data / FILES[0], tmp_path / "x.safetensors", network=network) == 0
    if network != "D":
        before, after = stylegan2.load(data / FILES[0], network), stylegan2.load(tmp_path / "x.safetensors")
        assert before.fingerprint == after.fingerprint


def test_convert_takes_conditional_networks(data, tmp_path):
    assert stylegan2.convert(data / "net16cond_nvada_stub.pkl", tmp_path / "x.safetensors", seeds=[5]) == 0
    with pytest.raises(ValueError, match="seeds"):
        stylegan2.convert(data / FILES[0], tmp_path / "x.safetensors", seeds=[])


def test_a_failed_save_leaves_the_old_file(tiny, tmp_path):
    path = tmp_path / "x.safetensors"
    path.mkdir()
    with pytest.raises(CheckpointError, match="cannot be written"):
        stylegan2.save(tiny, path)
    assert path.is_dir() and len(os.listdir(tmp_path)) == 1
    with pytest.raises(CheckpointError, match="cannot be written"):
        stylegan2.save(tiny, tmp_path / "missing" / "x.safetensors")
    with pytest.raises(CheckpointError, match="no kind of network"):
        stylegan2.save(torch.nn.Linear(1, 1), tmp_path / "y.safetensors")


def rewritten(source: Path, tmp_path: Path, metadata: dict[str, str] | None = None, **config: Any) -> Path:
    """The file with other metadata or settings."""
    data = source.read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
    header["config"] = json.dumps({**json.loads(header["config"]), **config})
    path = tmp_path / "changed.safetensors"
    safetensors.torch.save_file(safetensors.torch.load(data), path, {**header, **(metadata or {})})
    return path


@pytest.mark.parametrize(
    ("metadata", "config", "expected"),
    [
        ({"version": "2"}, {}, "too new"),
        ({"kind": "alias-free"}, {}, "too new"),
        ({"config": "{"}, {}, "configuration"),
        ({"config": "[1]"}, {}, "configuration"),
        ({}, {"resolution": 48}, "configuration"),
        ({}, {"resolution": 2**200}, "damaged"),
        ({}, {"unheard_of": 1}, "configuration"),
        ({}, {"mapping_layers": 10**9}, "damaged"),
        ({}, {"channel_max": 10**9}, "damaged"),
        ({}, {"z_dim": 10**12}, "damaged"),
        ({}, {"w_dim": "32"}, "damaged"),
        ({}, {"architecture": "resnet"}, "damaged or another architecture"),
        ({}, {"mapping_layers": 10**30}, "mapping_layers"),
        ({}, {"conv_clamp": float("nan")}, "no JSON"),
        ({}, {"conv_clamp": "256"}, "conv_clamp"),
        ({}, {"conv_clamp": -1.0}, "conv_clamp"),
        ({}, {"use_noise": "yes"}, "use_noise"),
        ({}, {"w_avg_beta": 1.5}, "w_avg_beta"),
        ({}, {"mapping_lr_multiplier": 0}, "mapping_lr_multiplier"),
        ({}, {"resample_filter": [1, "3"]}, "resample_filter"),
        ({}, {"resample_filter": [1.0] * 65}, "resample_filter"),
        ({}, {"fp16_resolutions": -1}, "fp16_resolutions"),
    ],
)
def test_own_files_that_are_wrong_are_named(tiny, tmp_path, metadata, config, expected):
    stylegan2.save(tiny, tmp_path / "x.safetensors")
    assert expected in refusal(rewritten(tmp_path / "x.safetensors", tmp_path, metadata, **config))


def test_other_safetensors_are_named(tmp_path):
    safetensors.torch.save_file({"a": torch.zeros(1)}, tmp_path / "x.safetensors")
    assert "a dictionary with the keys a" in refusal(tmp_path / "x.safetensors")


NOT_FINITE = [math.nan, math.inf, -math.inf, 10**400, "1", True]


@pytest.mark.parametrize("value", NOT_FINITE, ids=describe)
@pytest.mark.parametrize("field", ["conv_clamp", "w_avg_beta", "mapping_lr_multiplier", "resample_filter", "z_dim"])
def test_configurations_hold_numbers(field, value):
    with pytest.raises(ValueError, match=field):
        GeneratorConfig(16, **{field: (1.0, value) if field == "resample_filter" else value})
    if field in ("conv_clamp", "resample_filter"):
        with pytest.raises(ValueError, match=field):
            DiscriminatorConfig(16, **{field: (1.0, value) if field == "resample_filter" else value})
    if field in ("mapping_lr_multiplier", "z_dim"):
        with pytest.raises(ValueError, match=field):
            stylegan2.MobileConfig(16, **{field: value})


def test_configurations_take_the_numbers_of_numpy():
    config = GeneratorConfig(16, z_dim=np.int32(4), conv_clamp=np.float32(2), channel_base=64)
    assert Generator(config).resolution == 16
