"""What `stylegan2.inspect` says of files: of those that load, of those that do not, and of hostile ones."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import asdict

import pytest
import safetensors.torch
import torch
from torch import nn

import stylegan2
from stylegan2 import CheckpointError
from tests.stylegan2.pickles import PROTO, Call, archive, name, saved, text

FILES = ["net32_nvada_stub.pkl", "net32_tf.pkl", "net32_rosinality_train.pt", "net32_genforce.pth"]


@pytest.mark.parametrize("file", FILES)
def test_a_checkpoint_is_described(data, file):
    found = stylegan2.inspect(data / file)
    content = (data / file).read_bytes()
    assert (found.path, found.size) == (str(data / file), len(content))
    assert found.sha256 == hashlib.sha256(content).hexdigest()
    assert found.problem is None
    assert set(found.networks) == {"G_ema", "G", "D"}
    for network, config in found.networks.items():
        assert config == asdict(stylegan2.load(data / file, network).config)
    assert found.globals and all(found.globals.values())
    assert found.tensors.dtypes == {"float32": found.tensors.count} and found.tensors.values > 370_000


def test_the_projects_own_files_are_described(tiny, tmp_path):
    stylegan2.save(tiny, tmp_path / "x.safetensors")
    found = stylegan2.inspect(tmp_path / "x.safetensors")
    assert found.networks["G_ema"] == asdict(tiny.config)
    assert found.metadata["kind"] == "generator"
    assert found.tensors.values == sum(value.numel() for value in tiny.state_dict().values())
    assert (found.globals, found.problem) == ({}, None)


def test_other_files_are_described_as_far_as_they_are_known(data, tmp_path):
    safetensors.torch.save_file({"a": torch.zeros(2, 3).half()}, tmp_path / "x", {"license": "MIT\x1b[2J"})
    found = stylegan2.inspect(tmp_path / "x")
    assert (found.format, found.metadata, found.tensors.values) == ("safetensors", {"license": "MIT\\x1b[2J"}, 6)
    assert "keys a" in found.problem
    torch.save({"weights": [torch.zeros(2), torch.zeros(3)], "licence": "MIT", "epoch": 3}, tmp_path / "y")
    found = stylegan2.inspect(tmp_path / "y")
    assert (found.format, found.tensors.values) == ("torch file", 5)
    assert found.metadata == {"licence": "'MIT'", "epoch": "3"}
    torch.save(nn.Linear(2, 2), tmp_path / "z")
    assert stylegan2.inspect(tmp_path / "z").globals["torch.nn.modules.linear.Linear"]
    found = stylegan2.inspect(data / "unsupported_stylegan3t.pkl")
    assert set(found.networks) == {"D"} and "StyleGAN3-T" in found.problem


HOSTILE = {
    "recorded": None,
    "torch file": lambda: saved({"a": torch.zeros(2), "b": Call(print, 1)}, zipped=True),
    "older torch file": lambda: saved({"a": torch.zeros(2), "b": Call(print, 1)}, zipped=False),
    "several": lambda: (
        PROTO + name("os", "system") + b"0" + name("builtins", "print") + b"q\x00" + text("x") + b"\x85R."
    ),
    "before damage": lambda: PROTO + name("builtins", "print") + text("x") + b"\x85R\xff",
    "protocol 0": lambda: b"cbuiltins\nprint\n(S'x'\ntR.",
    "with a state": lambda: PROTO + name("builtins", "print") + b")\x81}" + text("x") + b"Nsb.",
    "in an archive": lambda: archive({"data.pkl": PROTO + name("builtins", "print") + b")R."}),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_the_names_of_a_hostile_file_are_listed(data, tmp_path, kind, capsys):
    make = HOSTILE[kind]
    (tmp_path / "x").write_bytes(make() if make else (data / "hostile_nested_load_from_bytes.pkl").read_bytes())
    found = stylegan2.inspect(tmp_path / "x")
    # torch writes the names of Python 2.
    expected = ("__builtin__.print" if "torch" in kind else "builtins.print") if make else "posix.system"
    assert found.globals[expected] is False and found.problem is not None
    assert found.networks == {}
    if kind == "several":
        assert found.globals == {"os.system": False, "builtins.print": False}
    if "torch" in kind:
        assert found.tensors.values == 2
    assert capsys.readouterr().out == ""


def test_names_with_codes_of_a_terminal_are_printable(tmp_path):
    (tmp_path / "x").write_bytes(b"\x80\x04" + text("os\x1b[2J") + text("sys\ntem") + b"\x93)R.")
    found = stylegan2.inspect(tmp_path / "x")
    assert list(found.globals) == ["os\\x1b[2J.sys\\ntem"] and found.problem.isprintable()


@pytest.mark.parametrize("content", [b"", b"hello", b"<html>", bytes(1000)])
def test_what_is_no_checkpoint_is_refused(tmp_path, content):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(CheckpointError, match="x: it") as caught:
        stylegan2.inspect(tmp_path / "x")
    assert str(caught.value).isprintable()
    with pytest.raises(CheckpointError, match="neither a file"):
        stylegan2.inspect(tmp_path / "missing")


def test_nothing_is_imported_by_name(data):
    stylegan2.inspect(data / "net32_nvada_stub.pkl")
    stylegan2.inspect(data / "net32_tf.pkl")
    assert "torch_utils" not in sys.modules and "dnnlib" not in sys.modules
