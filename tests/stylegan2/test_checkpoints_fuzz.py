"""Damage of any kind gives a CheckpointError or a network, never another exception."""

from __future__ import annotations

import contextlib
import io
import pickletools
from functools import lru_cache
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import stylegan2
from stylegan2 import CheckpointError

DATA = Path(__file__).parents[1] / "data"
FILES = {
    "tf.pkl": "net32_tf.pkl",
    "nvidia.pkl": "net16cond_nvada_stub.pkl",
    "stylegan.pkl": "stylegan32_tf.pkl",
    "progressive.pkl": "pggan32_tf.pkl",
    "stylegan.pth": "stylegan32_genforce.pth",
}
SMALL = [*FILES, "rosinality.pt", "rosinality-zip.pt", "own.safetensors"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


@lru_cache
def original(kind: str) -> bytes:
    """A checkpoint of the kind."""
    path = DATA / FILES.get(kind, "net32_rosinality_train.pt")
    if kind == "rosinality-zip.pt":
        content = torch.load(path, weights_only=False)  # recorded with this repository
        file = io.BytesIO()
        torch.save({"g_ema": content["g_ema"], "latent_avg": torch.zeros(48)}, file)
        return file.getvalue()
    return path.read_bytes()


def structure(data: bytes) -> list[tuple[int, int]]:
    """Ranges of bytes that are no weights: what a parser decides on."""
    if data[:2] == b"PK":
        return [(0, 25_000), (len(data) - 15_000, len(data))]
    if data[:1] != b"\x80":
        return [(0, 8 + int.from_bytes(data[:8], "little"))]
    positions: list[int] = []
    start = 0
    with contextlib.suppress(ValueError):
        while start < len(data):
            for _, _, position in pickletools.genops(data[start:]):
                positions.append(start + position)
            start = positions[-1] + 1
    return [(position, min(position + 12, len(data))) for position in positions]


def attempt(path: Path, data: bytes, network: str) -> None:
    path.write_bytes(data)
    with contextlib.suppress(CheckpointError):
        stylegan2.load(path, network)


@pytest.fixture(scope="module", params=SMALL)
def sample(request, folder, tiny):
    """A checkpoint's bytes, and where its structure is."""
    if request.param == "own.safetensors":
        stylegan2.save(tiny, folder / "own.safetensors")
        data = (folder / "own.safetensors").read_bytes()
    else:
        data = original(request.param)
    return request.param, data, structure(data)


@settings(max_examples=12)
@given(share=st.floats(0, 1), network=st.sampled_from(["G_ema", "D"]))
def test_truncated(folder, sample, share, network):
    name, data, _ = sample
    attempt(folder / name, data[: int(share * len(data))], network)


@settings(max_examples=40)
@given(choices=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=3))
def test_flipped(folder, sample, choices):
    name, data, ranges = sample
    changed = bytearray(data)
    for which, where, value in choices:
        start, end = ranges[round(which * (len(ranges) - 1))]
        changed[min(start + int(where * (end - start)), len(data) - 1)] = value
    attempt(folder / name, bytes(changed), "G_ema")
