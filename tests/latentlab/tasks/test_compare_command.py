"""`latentlab compare TASK` on the command line."""

import json
import subprocess
import sys
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
import torch

import stylegan2
from latentlab import registry
from latentlab.comparison.definition import TaskDefinition
from latentlab.scorers import load_attributes
from latentlab.scorers.attributes.scorer import AttributeScorer
from stylegan2.sampling import z_from_seeds
from tests.conftest import TINY, make_tiny
from tests.processes import run_command


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["edi"], "no task is called 'edi'; did you mean edit?"),
        (["shapes", "--methods", "pix2pix"], "there are instagan, cyclegan, nothing"),
        (["shapes", "--methods", "cyclgan"], "called 'cyclgan' (did you mean cyclegan?)"),
        (["shapes", "--metrics", "lpip"], "no metric is called 'lpip'; did you mean lpips?"),
        (["shapes", "--folder", "x"], "No such option: --folder"),
        (["shapes", "--photos", "x"], "No such option: --photos"),
        (["shapes", "--steps", "3"], "No such option: --steps"),
        (["shapes", "--size", "32"], "greater than or equal to 64"),
        (["shapes", "--held-outs", "4"], "--held-out"),
        (["facades", "--folder", "x", "--towards", "positive"], "No such option: --towards"),
        (["drawings", "--held-out", "4", "--judged", "young"], "No such option: --judged"),
        (["facades"], "takes a --folder with train/ and val/"),
        (
            ["edit", "--methods", "latent-mean,magic"],
            "no method of this task is called 'magic'; there are latent-style",
        ),
        (["edit", "--paste"], "--photos, and there are none"),
        (["edit", "--folder", "x"], "--data real takes a --folder of photos and their --labels"),
        (["edit", "--attribute", "young"], "add --scorer FILE.safetensors:young"),
        (["edit", "--size", "32"], "64 pixels or more"),
        (["edit", "--scorer", "attributes:smiling", "--attribute", "smiling"], "may not judge"),
    ],
)
def test_bad_input_is_refused_before_any_work(words, message, refused, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert message in refused("compare", *words, "--out", "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.weights
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["facades", "--folder", "nowhere"], "nowhere"),
        (["edit", "--judged", "grin"], "knows no grin"),
        (["edit", "--scorer", "fer", "--attribute", "glee"], "no score of fer is called 'glee'"),
        (["edit", "--attribute", "sad"], "add --judged NAME"),
        (["edit", "--photos", "nowhere"], "nowhere"),
        (["edit", "--data", "real"], "--data real takes a --folder"),
    ],
)
def test_what_networks_have_to_be_asked_for_is_refused_before_any_work(words, message, refused, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert message in refused("compare", *words, "--out", "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", registry.tasks.names())
def test_help_shows_a_tasks_own_options_without_importing_torch(name):
    code = (
        "import sys; from latentlab.cli import main; sys.argv = ['latentlab', 'compare', *sys.argv[1:], '--help']\n"
        "try: main()\nfinally: assert 'torch' not in sys.modules, 'torch was imported'"
    )
    done = subprocess.run([sys.executable, "-c", code, name], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    definition = registry.tasks.load(name)
    own = {"edit": "--attribute", "drawings": "--steps", "facades": "--folder", "shapes": "--scenes"}[name]
    assert isinstance(definition, TaskDefinition)
    for option in (own, "--methods", "--metrics", "--preset", "--base-channels", "--epoch-scale", "--seed", "--device"):
        assert option in done.stdout
    assert ("--attribute" in done.stdout) == (name == "edit")


def test_a_task_that_cannot_be_imported_does_not_hide_the_others(run, refused, monkeypatch):
    class Broken(registry.Registry):
        def load(self, name):
            if name == "shapes":
                raise registry.UserError("the task 'shapes' (x:Y) cannot be imported: no module x")
            return super().load(name)

    monkeypatch.setattr(registry, "tasks", Broken("latentlab.tasks", "task"))
    code, printed, _ = run("compare", "--help")
    assert code == 0 and "drawings" in printed and "Cannot be used" in printed
    assert "no module x" in refused("compare", "shapes")


def test_shapes_are_compared_and_found_again(run, tmp_path):
    words = ["compare", "shapes", "--scenes", 8, "--base-channels", 2, "--held-out", 2, "--epoch-scale", 0.1]
    words += ["--metrics", "outside-change", "--out", tmp_path / "out"]
    done = run_command(*words)
    assert done.returncode == 0, done.stderr
    first = (tmp_path / "out" / "results.parquet").read_bytes()
    code, printed, _ = run(*words)
    assert code == 0 and "The report is" in printed
    assert printed.splitlines()[:-1] == done.stdout.splitlines()[:-1]
    assert (tmp_path / "out" / "results.parquet").read_bytes() == first
    results = pq.read_table(tmp_path / "out" / "results.parquet").to_pandas()
    assert set(results["method"]) == {"instagan", "cyclegan", "nothing"} and len(results) == 6
    assert (results["outside_change"] > 0).all()
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["methods"].keys() == {"instagan", "cyclegan", "nothing"} and len(manifest["held_out"]["names"]) == 2


@pytest.mark.weights
@pytest.mark.slow
def test_any_attribute_is_edited_with_a_second_classifier_that_knows_it(run, tmp_path):
    """The second classifier is the shipped one with other offsets, half of a small generator's faces male by them."""
    tiny = make_tiny(replace(TINY, resolution=64))
    stylegan2.save(tiny, tmp_path / "tiny.safetensors")
    second = load_attributes()
    with torch.no_grad():
        images = tiny.synthesis(tiny.mapping(z_from_seeds(range(20_000, 20_064), tiny.z_dim), psi=0.7))
        offsets = second.offsets - second.logits(images).median(dim=0).values
    second = AttributeScorer(second.network, second.all_names, second.slopes, offsets)
    second.save(tmp_path / "second.safetensors")
    words = ["compare", "edit", "--attribute", "male", "--scorer", f"{tmp_path / 'second.safetensors'}:male"]
    words += ["--network", tmp_path / "tiny.safetensors"]
    words += ["--towards", "negative", "--methods", "latent-style", "--faces", 8, "--held-out", 2, "--steps", 1]
    code, printed, err = run(*words, "--out", tmp_path / "out", "--device", "cpu")
    assert code == 0 and "The report is" in printed, err
    assert "failed" not in printed
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Editing 2 faces to be less male" in page and "LPIPS to the photo" in page
    results = pq.read_table(tmp_path / "out" / "results.parquet").to_pandas()
    assert set(results["method"]) == {"projection alone", "latent-style"}
