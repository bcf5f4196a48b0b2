"""`latentlab compare` on the command line."""

import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--methods", "latent-mean,magic"], "no method of this task is called 'magic'; there are latent-mean"),
        (["--task", "shapes", "--methods", "pix2pix"], "there are instagan, cyclegan, nothing"),
        (["--task", "shapes", "--folder", "x"], "the task shapes takes no --folder"),
        (["--task", "shapes", "--photos", "x"], "the task shapes takes no --photos"),
        (["--task", "shapes", "--steps", "3"], "the task shapes takes no --steps"),
        (["--task", "facades", "--folder", "x", "--towards", "positive"], "the task facades takes no --towards"),
        (["--task", "drawings", "--held-out", "4", "--judged", "young"], "the task drawings takes no --judged"),
        (["--task", "facades"], "takes a --folder with train/ and val/"),
        (["--task", "facades", "--folder", "nowhere"], "nowhere"),
        (["--paste"], "--photos, and there are none"),
        (["--folder", "x"], "a --folder of photos and their --labels"),
        (["--judged", "grin"], "knows no grin"),
        (["--attribute", "glee"], "no score is called 'glee'"),
        (["--scorer", "attributes:smiling", "--attribute", "smiling"], "may not judge"),
        (["--photos", "nowhere"], "nowhere"),
        (["--data", "real"], "real faces are a folder and labels"),
        (["--size", "32"], "64 pixels or more"),
    ],
)
def test_bad_input_is_refused_before_any_work(words, message, refused, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert message in refused("compare", *words, "--out", "out")
    assert not (tmp_path / "out" / "samples").exists()


def test_shapes_are_compared_and_found_again(run, tmp_path, monkeypatch):
    words = [
        "compare",
        "--task",
        "shapes",
        "--faces",
        "8",
        "--width",
        "2",
        "--held-out",
        "2",
        "--effort",
        "0.1",
        "--out",
        "out",
    ]
    command = [Path(sys.executable).with_name("latentlab"), *words]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    first = (tmp_path / "out" / "results.parquet").read_bytes()
    monkeypatch.chdir(tmp_path)
    code, said, _ = run(*words)
    assert code == 0 and "report.html has it all" in said and said.splitlines()[:-1] == done.stdout.splitlines()[:-1]
    assert (tmp_path / "out" / "results.parquet").read_bytes() == first
    results = pq.read_table(tmp_path / "out" / "results.parquet").to_pandas()
    assert set(results["method"]) == {"instagan", "cyclegan", "nothing"} and len(results) == 6
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["methods"].keys() == {"instagan", "cyclegan", "nothing"} and len(manifest["held_out"]["names"]) == 2
