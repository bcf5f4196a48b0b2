"""Where the terminal or the whole system knows ASCII only: nothing fails, and reports stay readable."""

import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import make_tiny

import stylegan2
from latentlab.files import read_json, readable, write_json
from latentlab.samples import EditTable, SampleSettings, SampleStore, SampleTable

# Standard output refuses what it cannot encode; names of files are bytes that Python cannot decode.
ASCII = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
NAME = "Bär \N{RIGHTWARDS ARROW}"
UNDECODED = os.fsdecode(b"B\xe4r")  # Latin-1, which is no UTF-8


@pytest.fixture
def folder(tmp_path):
    (tmp_path / NAME).mkdir()
    return tmp_path / NAME


def latentlab(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "latentlab", *map(str, words)]
    return subprocess.run(command, capture_output=True, encoding="ascii", env={**os.environ, **ASCII}, check=False)


def test_a_path_is_printed_after_the_work(folder):
    stylegan2.save(make_tiny(), folder / "net.safetensors")
    done = latentlab("generate", "--network", folder / "net.safetensors", "--seeds", "1", "--out", folder)
    assert done.returncode == 0, done.stderr
    assert "1 image in " in done.stdout and "Traceback" not in done.stderr
    assert sorted(path.name for path in folder.iterdir()) == ["grid.png", "net.safetensors", "seed000001.png"]


def test_an_error_is_printed(folder):
    done = latentlab("generate", "--seeds", "600\N{EN DASH}607", "--out", folder)
    assert done.returncode == 2 and done.stderr.startswith("latentlab: ") and len(done.stderr.splitlines()) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names of files are no bytes")
def test_files_of_a_name_that_is_no_text(tmp_path):
    folder = tmp_path / UNDECODED
    write_json(folder / "a.json", {"photo": str(folder)})
    assert read_json(folder / "a.json") == {"photo": str(tmp_path / "B\N{REPLACEMENT CHARACTER}r")}
    scores = np.zeros((1, 2, 1), dtype=np.float32)
    edits = EditTable(np.array([5]), np.array([0.0, 1.0]), scores, ("happy",))
    edits.save(folder / "edits.parquet")
    assert EditTable.load(folder / "edits.parquet").strengths.tolist() == [0, 1]
    store = SampleStore.open(folder / "samples", SampleSettings("g", "s", ("happy",), 0.7, 3, 1, 64))
    one = np.ones((1, 1), dtype=np.float32)
    store.write(0, SampleTable(np.array([3]), 0.7 * one[0], one, one, ("happy",)))
    assert store.table().seeds.tolist() == [3]


def test_undecoded_names_become_what_they_were():
    assert readable("B\udcc3\udca4r") == "Bär"
    assert readable("Bär") == "Bär" and readable(UNDECODED).startswith("B")
