"""What cannot be loaded is named: other files, damaged ones, and unknown names."""

from __future__ import annotations

import os
import pickle
import sys
import types
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

import stylegan2
from stylegan2 import CheckpointError
from stylegan2.checkpoints import loading
from tests.stylegan2 import growing_files as files
from tests.stylegan2 import trial
from tests.stylegan2.refusals import refusal

FILES = ["net32_nvada_stub.pkl", "net32_tf.pkl", "net32_rosinality_train.pt", "net32_genforce.pth"]


def raw(path: Path) -> Any:
    return torch.load(path, weights_only=False)  # recorded with this repository


CONTENTS = {
    b"": "empty",
    b"x": "unknown format",
    b"<!DOCTYPE html><html>Quota exceeded</html>": "web page",
    b"version https://git-lfs.github.com/spec/v1\noid": "git lfs pull",
    b"\x89HDF\r\n\x1a\n" + bytes(100): "unknown format",
    b"PK\x03\x04": "zip",
    b"\x80": "truncated",
    b"\xff" * 8 + b"{": "truncated",
    pickle.dumps([1, 2]): "pickled list",
    pickle.dumps({"a": 1}): "keys a",
    pickle.dumps({"GAN": {}, "version": "1.5"}): "lucidrains",
    pickle.dumps({"g_ema": {"style.1.weight": 1.0}}): "damaged",
}


@pytest.mark.parametrize(("content", "expected"), CONTENTS.items())
def test_contents_are_named(tmp_path, content, expected):
    path = tmp_path / "weights.pt"
    path.write_bytes(content)
    assert expected in refusal(path)


def test_recorded_files_are_named(data, tmp_path):
    assert "truncated" in refusal(data / "truncated.pkl")
    assert "StyleGAN3-T" in refusal(data / "unsupported_stylegan3t.pkl")
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/readme.txt", "nothing" * 100)
    assert "no data.pkl" in refusal(tmp_path / "x.zip")


def test_paths_and_names(data, tmp_path):
    assert "neither a file" in refusal(tmp_path / "missing.pkl")
    assert "neither a file, nor a folder, nor the name" in refusal("no-such-weights")
    assert "folder without OpenVINO" in refusal(tmp_path)
    with pytest.raises(CheckpointError, match="'Gs'.*G_ema, G, D"):
        stylegan2.load(data / FILES[0], "Gs")


def test_names_of_installed_packages(data, tmp_path, monkeypatch):
    (tmp_path / "someones_weights.py").write_text(
        "from pathlib import Path\n"
        "def locate(name):\n"
        f"    return Path({str(data)!r}) / name if name in {FILES} else None\n"
    )
    (tmp_path / "someones_weights-1.0.dist-info").mkdir()
    (tmp_path / "someones_weights-1.0.dist-info" / "METADATA").write_text("Name: someones-weights\nVersion: 1.0\n")
    (tmp_path / "someones_weights-1.0.dist-info" / "entry_points.txt").write_text(
        "[stylegan2.weights]\nsomeone = someones_weights:locate\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert stylegan2.load(FILES[1]).resolution == 32


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            lambda s: s.update({"convs.0.conv.weight": torch.zeros(1, 40, 40, 1, 1)}),
            "b8.conv0.weight has the shape",
        ),
        (lambda s: s.pop("convs.3.activate.bias"), "lacks synthesis.b16.conv1.bias"),
        (lambda s: s.update({"convs.1.conv.extra": torch.zeros(1)}), "convs.1.conv.extra"),
        (lambda s: s.update({"style.1.weight": torch.zeros(48, 48, dtype=torch.int64)}), "int64"),
        (lambda s: s.update({"style.1.weight": "text"}), "style.1.weight is not a tensor"),
        (lambda s: [s.pop(n) for n in list(s) if n.startswith("convs.5")], "b32.conv1"),
        (lambda s: s.update({"convs.0.conv.blur.kernel": torch.eye(4)}), "not separable"),
        (lambda s: s.update({"convs.0.conv.blur.kernel": torch.ones(4, 4)}), "different filters"),
    ],
)
def test_wrong_tensors_are_named(data, tmp_path, change, expected):
    content = raw(data / FILES[2])
    change(content["g_ema"])
    torch.save(content, tmp_path / "x.pt")
    message = refusal(tmp_path / "x.pt")
    assert expected in message


def test_a_tensorflow_pickle_of_another_length_is_named(tmp_path):
    files.write_tf(tmp_path / "x.pkl", [files.network({}, {})])
    assert "1 networks" in refusal(tmp_path / "x.pkl")


@pytest.mark.parametrize("file", FILES[2:])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_values_that_are_not_finite_are_named(data, tmp_path, file, value):
    content = raw(data / file)
    for key in ("g_ema", "generator_smooth"):
        for name, tensor in content.get(key, {}).items():
            if name in ("convs.3.activate.bias", "synthesis.layer4.bias"):
                tensor[1] = value
    torch.save(content, tmp_path / "x.pt")
    assert "synthesis.b16.conv1.bias has values that are not finite" in refusal(tmp_path / "x.pt")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_values_whose_sum_overflows_are_finite(data, tmp_path, dtype):
    state = torch.load(data / "net32_state_dict.pt", weights_only=True)
    state["synthesis.b8.conv1.bias"].fill_(6e4)
    if dtype == torch.float32:
        state["synthesis.b8.conv1.bias"].fill_(3e38)
    torch.save({name: value.to(dtype) for name, value in state.items()}, tmp_path / "x.pt")
    assert stylegan2.load(tmp_path / "x.pt").resolution == 32


def test_a_terminal_sees_no_codes_of_a_file(data, tmp_path):
    state = torch.load(data / "net32_state_dict.pt", weights_only=True)
    torch.save({**state, "synthesis.b4.\x1b[2J\n": torch.zeros(1)}, tmp_path / "x.pt")
    torch.save({"\x1b[2J": torch.zeros(1), "\ud800": 1}, tmp_path / "y.pt")
    torch.save(state, tmp_path / "z\x1b[2J\n.pt")
    for path in (tmp_path / "x.pt", tmp_path / "y.pt"):
        message = refusal(path)
        assert message.isprintable() and "\\x1b[2J" in message
    with pytest.raises(CheckpointError) as caught:
        stylegan2.load(tmp_path / "z\x1b[2J\n.pt", "D")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b", "\ud800", "/" + "x/" * 3000, "\x1b[2J"])
def test_names_that_no_file_has(name):
    for path in (name, Path(name)):
        with pytest.raises(CheckpointError, match="neither a file") as caught:
            stylegan2.load(path)
        assert str(caught.value).isprintable() and len(str(caught.value)) < 900
    with pytest.raises(CheckpointError):
        stylegan2.convert(name, "x.safetensors")


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b", "\ud800"])
def test_names_that_no_file_can_get(tiny, tmp_path, name):
    with pytest.raises(CheckpointError, match="cannot be written") as caught:
        stylegan2.save(tiny, tmp_path / name)
    assert str(caught.value).isprintable() and list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="needs pipes and devices")
def test_what_is_no_regular_file_is_refused(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "zero.pkl").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe.pkl")
    os.mkfifo(tmp_path / "folder" / "MappingNetwork.xml")
    (tmp_path / "folder" / "SynthesisNetwork.xml").symlink_to("/dev/zero")
    paths = [tmp_path / name for name in ("pipe.pkl", "zero.pkl", "folder")]
    trials = [(action, path) for action in ("load", "inspect") for path in paths]
    kinds = ("a named pipe", "a device", "a named pipe") * 2
    # In other processes: reading them as files would not end.
    for (action, path), outcome, kind in zip(trials, trial.outcomes(trials), kinds, strict=True):
        assert f"it is {kind}, not a file" in outcome["said"]
        if action == "load":
            assert outcome["kind"] == "CheckpointError" and outcome["said"].startswith(f"{path}: ")


def test_whatever_a_reader_raises_is_one_line(data, tmp_path, monkeypatch):
    for error in (RecursionError("deep"), MemoryError(), OSError(5, "I/O"), KeyError("a"), zipfile.BadZipFile("x")):

        def fail(content: Any, error: Exception = error) -> Any:
            raise error

        other = types.SimpleNamespace(READS="somebody", networks=fail)
        monkeypatch.setattr(loading, "FORMATS", (other,))
        message = refusal(data / FILES[0])
        assert ("memory" in message) == isinstance(error, MemoryError)
