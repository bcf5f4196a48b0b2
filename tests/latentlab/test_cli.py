"""The command line: as a process where that is the point, else by its entry point within this one."""

import json
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import typer
from conftest import make_tiny
from PIL import Image

import stylegan2
from latentlab.cli import app as app_module
from latentlab.cli.options import parse_seeds
from latentlab.directions import Direction
from latentlab.errors import UserError
from stylegan2.config import GeneratorConfig
from stylegan2.sampling import z_from_seeds

# The smallest pictures that the scorer takes; its labels of them are nonsense, but there are several.
CONFIG = GeneratorConfig(
    resolution=64, z_dim=16, w_dim=16, mapping_layers=2, mapping_lr_multiplier=1.0,
    channel_base=512, channel_max=16,
)  # fmt: skip
SAMPLES = 80


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("cli")


@pytest.fixture(scope="module")
def network(place) -> Path:
    path = place / "tiny.safetensors"
    stylegan2.save(make_tiny(CONFIG), path)
    return path


@pytest.fixture(scope="module")
def other_network(place) -> Path:
    changed = make_tiny(CONFIG)
    changed.synthesis.b4.const.data += 1
    stylegan2.save(changed, place / "other.safetensors")
    return place / "other.safetensors"


@pytest.fixture
def samples(run, place, network) -> Path:
    """Made once: the second time the command finds it done."""
    folder = place / "samples"
    # The random network's faces differ by less than half precision would change them.
    words = ["--samples", SAMPLES, "--out", folder, "--batch", 8, "--precision", "float32"]
    code, out, _ = run("label", "--network", network, *words)
    assert code == 0
    assert f"{SAMPLES} samples in" in out
    return folder


@pytest.fixture
def direction(run, place, samples) -> Path:
    path = place / "happy.safetensors"
    if not path.exists():
        code, out, _ = run("fit", samples, "--method", "mean", "--out", path)
        assert code == 0
        assert out.startswith("# Direction: happy")
    return path


# --- help ---------------------------------------------------------------------------------------------------

COMMANDS = {
    "smile": ["--samples", "--seed-start", "--psi", "--network", "--scorer", "--out", "--render", "--device"],
    "study": ["--attribute", "--name", "--samples", "--threshold", "--scorer", "--out", "--render"],
    "generate": ["--seeds", "--psi", "--network", "--resolution", "--precision", "--out", "--device"],
    "label": ["--samples", "--seed-start", "--psi", "--network", "--scorer", "--precision", "--out", "--device"],
    "fit": ["--attribute", "--method", "--out"],
    "edit": [
        "--direction",
        "--seeds",
        "--strengths",
        "--network",
        "--force",
        "--photo",
        "--mask",
        "--keep-detail",
        "--aligned",
        "--face",
        "--save-latents",
        "--precision",
    ],
    "train-generator": [
        "--preset",
        "--resolution",
        "--images",
        "--augment",
        "--from",
        "--freeze",
        "--measure-every",
        "--out",
    ],
    "walk": ["--direction", "--seeds", "--strengths", "--attribute", "--network", "--out", "--force", "--precision"],
    "studio": ["--network", "--scorer", "--out", "--host", "--port", "--password", "--browser", "--device"],
    "drag": ["--move", "--seed", "--latents", "--mask", "--steps", "--network", "--out", "--device"],
    "interpolate": [
        "--mode",
        "--loop",
        "--frames",
        "--fps",
        "--psi",
        "--cutoff",
        "--class",
        "--network",
        "--precision",
        "--out",
    ],
    "align": ["--out", "--resolution", "--face", "--detector", "--landmarks", "--show"],
    "project": ["--out", "--space", "--steps", "--start", "--tune", "--aligned", "--face", "--save-latents"],
    "metrics generator": ["--network", "--metric", "--real", "--pairs", "--samples", "--psi", "--scorer", "--out"],
    "metrics folders": ["--metric", "--resolution", "--out", "--device"],
    "directions list": [],
    "directions show": ["--channels", "--network"],
    "directions compare": ["--network"],
    "directions import": ["--out", "--attribute", "--scorer", "--score", "--reverse", "--network", "--device"],
    "directions export": ["--form", "--network"],
    "directions name": ["--samples", "--attribute", "--network"],
    "directions stability": ["--attribute", "--method", "--against", "--threshold", "--resamples", "--network"],
    "directions measure": [
        "--attribute",
        "--teacher",
        "--judge",
        "--related",
        "--faces",
        "--samples",
        "--out",
        "--batch",
    ],
    "translate train": [
        "--out",
        "--size",
        "--base-channels",
        "--variant",
        "--epochs",
        "--batch",
        "--keep-aspect",
        "--resize",
        "--flip",
        "--order",
        "--on-problem",
        "--unequal",
        "--recursive",
        "--input-channels",
        "--output-channels",
        "--devices",
        "--seed",
    ],
    "translate list": [],
    "translate show": [],
    "translate apply": [
        "--out",
        "--way",
        "--size",
        "--masks",
        "--dropout",
        "--seed",
        "--strength",
        "--aligned",
        "--device",
    ],
    "distil": ["--direction", "--out", "--folder", "--strips", "--faces", "--size", "--epochs", "--low", "--network"],
    "translate export": ["--way"],
    "translate make drawings": ["--out", "--images", "--seeds", "--size", "--held-out"],
    "translate make latent": ["--out", "--direction", "--layout", "--faces", "--low", "--high", "--attribute"],
    "translate make shapes": ["--out", "--scenes", "--seed", "--size"],
    "compare edit": [
        "--attribute",
        "--methods",
        "--photos",
        "--out",
        "--preset",
        "--judge",
        "--epoch-scale",
        "--paste",
    ],
    "compare drawings": ["--faces", "--steps", "--methods", "--metrics", "--preset", "--base-channels", "--out"],
    "compare facades": ["--folder", "--methods", "--metrics", "--preset", "--base-channels", "--out", "--device"],
    "compare shapes": ["--scenes", "--methods", "--metrics", "--preset", "--base-channels", "--out", "--device"],
    "scorer train": ["--out", "--framing", "--epochs", "--base-channels", "--data", "--licence", "--seed", "--device"],
    "weights list": [],
    "weights get": [],
    "weights export": ["--discriminator", "--layout"],
    "weights convert": ["--network"],
    "weights inspect": ["--json"],
}


def all_commands(group, name: str = ""):
    """Commands by their full names."""
    context = typer.Context(group)
    for word in group.list_commands(context):
        command = group.get_command(context, word)
        full = f"{name} {word}".strip()
        if hasattr(command, "list_commands"):
            yield from all_commands(command, full)
        else:
            yield full, command


def test_every_option_has_a_help_text(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    found = dict(all_commands(typer.main.get_command(app_module.app)))
    assert set(found) == set(COMMANDS)
    for name, command in found.items():
        code, out, err = run(*name.split(), "--help")
        assert (code, err) == (0, "")
        assert command.help.splitlines()[0] in out
        names = [option for parameter in command.params for option in parameter.opts]
        assert set(COMMANDS[name]) <= set(names)
        for parameter in command.params:
            assert parameter.help and parameter.help.endswith("."), (name, parameter.name)
            if parameter.param_type_name == "option":
                assert parameter.opts[0] in out
            assert " ".join(parameter.help.split()[:3]) in out, (name, parameter.name)


def test_help_names_values_and_choices_not_types(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    for name, _ in all_commands(typer.main.get_command(app_module.app)):
        _, out, _ = run(*name.split(), "--help")
        assert not re.search(r"^ +[-A-Z].* <(bool|int|float|str|path|list)", out, re.MULTILINE | re.IGNORECASE), name
    assert re.search(r"--render .auto\|preview\|full.", run("smile", "--help")[1])


def test_mistyped_weights_are_suggested(refused):
    assert "did you mean mobile-ffhq?" in refused("generate", "--network", "mobile-ffq")
    assert "did you mean mobile-ffhq" in refused("weights", "get", "mobile-ffq")
    assert "did you mean fer?" in refused("label", "--scorer", "ferr")


def test_without_a_command_there_is_help(run):
    code, out, err = run()
    assert (code, err) == (0, "")
    for name in ("smile", "study", "generate", "label", "fit", "edit", "walk", "weights"):
        assert name in out


# --- what works ---------------------------------------------------------------------------------------------


def test_weights_are_listed(run):
    code, out, _ = run("weights", "list")
    assert code == 0
    assert re.search(r"^mobile-ffhq +generator ", out, re.MULTILINE)
    assert "random-face==" in out


def test_files_are_inspected(run, refused, data, tmp_path):
    code, out, err = run("weights", "inspect", data / "net32_rosinality_train.pt")
    assert (code, err) == (0, "")
    assert "rosinality" in out.splitlines()[0]
    assert re.search(r"^network +G_ema: resolution 32, z_dim 48, .*w_dim 48", out, re.MULTILINE)
    code, out, _ = run("weights", "inspect", data / "hostile_os_system.pkl")
    assert code == 0 and re.search(r"^asks for +posix\.system \(not allowed", out, re.MULTILINE)
    code, out, _ = run("weights", "inspect", data / "hostile_os_system.pkl", "--json")
    assert json.loads(out)["globals"] == {"posix.system": False}
    direction = Path(app_module.__file__).parents[1] / "data" / "directions" / "age.safetensors"
    code, out, _ = run("weights", "inspect", direction)
    assert code == 0 and "latentlab.direction" in out and re.search(r"^card +attribute: age$", out, re.MULTILINE)
    assert "problem" not in out
    (tmp_path / "x").write_text("hello")
    assert "unknown format" in refused("weights", "inspect", tmp_path / "x")


def test_conversion_is_proven(run, data, tmp_path):
    target = tmp_path / "net.safetensors"
    code, out, _ = run("weights", "convert", data / "net32_nvada_stub.pkl", target)
    assert code == 0
    assert out.splitlines()[-1] == "largest difference of a pixel before and after, seeds 0, 1, 2: 0"
    before, after = stylegan2.load(data / "net32_nvada_stub.pkl"), stylegan2.load(target)
    assert after.fingerprint == before.fingerprint
    z = z_from_seeds(3, after.z_dim)
    assert torch.equal(after(z), before(z))


def test_conversion_of_a_discriminator_compares_logits(run, data, tmp_path):
    source, target = data / "net32_nvada_stub.pkl", tmp_path / "d.safetensors"
    code, out, _ = run("weights", "convert", source, target, "--network", "D")
    assert code == 0
    assert out.splitlines()[-1] == "largest difference of a logit before and after, seeds 0, 1, 2: 0"


def test_exports_to_a_layout_that_holds_the_networks(run, refused, data, tmp_path):
    generator, target = data / "pggan32_tf.pkl", tmp_path / "net.pth"
    message = refused("weights", "export", generator, target)
    assert "these are of Progressive GAN; choose the layout genforce" in message and not target.exists()
    code, out, _ = run("weights", "export", generator, target, "--layout", "genforce")
    assert (code, out) == (0, f"written: {target}\n")
    assert stylegan2.load(target).fingerprint == stylegan2.load(generator).fingerprint


def test_pictures_are_generated(run, network, tmp_path):
    out = tmp_path / "pictures"
    code, text, _ = run("generate", "--network", network, "--seeds", "600-602,7", "--psi", 0.5, "--out", out)
    assert code == 0
    assert text.startswith("4 images in")
    names = ["grid.png", "seed000007.png", "seed000600.png", "seed000601.png", "seed000602.png"]
    assert sorted(path.name for path in out.iterdir()) == names
    expected = make_tiny(CONFIG)(z_from_seeds(601, 16), psi=0.5)[0]
    with Image.open(out / "seed000601.png") as image:
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)
    wanted = ((expected + 1) * 127.5).clamp(0, 255)
    assert (pixels - wanted).abs().max() < 0.51
    with Image.open(out / "grid.png") as image:
        assert image.size == (128, 128)


def test_the_grid_of_many_seeds_shows_the_first_hundred(run, network, tmp_path):
    code, text, err = run("generate", "--network", network, "--seeds", "0-100", "--out", tmp_path / "many")
    assert code == 0, err
    assert text.splitlines()[-1].endswith("grid.png of the first 100")
    assert len(list((tmp_path / "many").glob("seed*.png"))) == 101
    with Image.open(tmp_path / "many" / "grid.png") as grid, Image.open(tmp_path / "many" / "seed000099.png") as last:
        assert grid.size == (640, 640)
        assert np.array_equal(np.asarray(grid)[-64:, -64:], np.asarray(last))


@pytest.mark.weights
def test_label_fit_edit_walk(run, place, network, samples, direction):
    frame = pd.read_parquet(samples)
    assert frame["seed"].tolist() == list(range(600, 600 + SAMPLES))
    scores = frame.drop(columns=["seed", "psi", "w"])
    happy = scores.idxmax(axis=1) == "happy"
    assert 5 < happy.sum() < SAMPLES - 5
    card = Direction.load(direction)
    assert (card.attribute, card.method) == ("happy", "MeanDifference")
    assert card.statistics["n_train"] + card.statistics["held_out_n"] == SAMPLES
    assert card.generator == stylegan2.load(network).fingerprint

    edits = place / "edits"
    words = ["--direction", direction, "--network", network, "--seeds", "600-602", "--strengths", "-2,0,2"]
    code, out, _ = run("edit", *words, "--out", edits)
    assert code == 0
    assert out.startswith("9 images in")
    assert len(list(edits.glob("seed*.png"))) == 9
    table = pd.read_parquet(edits / "edits.parquet")
    assert sorted(set(table["strength"])) == [-2, 0, 2]
    unedited = table[table["strength"] == 0].set_index("seed")["happy"]
    labelled = frame.set_index("seed")["happy"]
    for seed in (600, 601, 602):  # strength 0 scores as the sample did
        assert unedited[seed] == pytest.approx(labelled[seed], abs=1e-3)

    for name, frames, more in (("walk.png", 1, ()), ("walk.gif", 4, ("--frames", 4))):
        code, out, _ = run("walk", *words, *more, "--out", place / name)
        assert code == 0
        with Image.open(place / name) as image:
            assert getattr(image, "n_frames", 1) == frames


@pytest.mark.weights
@pytest.mark.parametrize("method", ["svm", "ridge"])
def test_the_other_methods_fit(run, samples, tmp_path, method):
    code, out, _ = run("fit", samples, "--method", method, "--out", tmp_path / "d.safetensors")
    assert code == 0
    assert "held_out_auc" in out
    assert Direction.load(tmp_path / "d.safetensors").attribute == "happy"


@pytest.fixture
def smiled(run, place, network) -> Path:
    """A finished main job; made once."""
    folder = place / "smile"
    words = ["--network", network, "--samples", SAMPLES, "--edited-faces", 3, "--batch", 8, "--out", folder]
    code, out, err = run("smile", *words)
    assert code == 0, err
    assert str(folder / "report.md") in out
    return folder


@pytest.mark.weights
def test_the_main_job(smiled, network):
    report = (smiled / "report.md").read_text(encoding="utf-8")
    assert f"`latentlab smile --network {network} --samples {SAMPLES} " in report
    for name in (
        "walk.png",
        "walk.gif",
        "response.png",
        "smile-style-correlation.safetensors",
        "smile-svm.safetensors",
    ):
        assert (smiled / name).stat().st_size > 0
    assert len(list((smiled / "samples").glob("*.parquet"))) == 2


def test_any_attribute_is_studied(run, network, tmp_path, monkeypatch):
    """By the classifier that comes with the package, and in W; its scores of nonsense are cut in the middle."""
    monkeypatch.chdir(tmp_path)
    words = ["--attribute", "young", "--threshold", "median", "--samples", 40, "--edited-faces", 1, "--batch", 8]
    code, out, err = run("study", "--network", network, "--method", "svm", *words)
    assert code == 0, err
    assert re.match(r"[\d.]+% of 40 samples are labelled young: \d+ positive, \d+ negative\n", out)
    report = (tmp_path / "latentlab-young" / "report.md").read_text(encoding="utf-8")
    assert report.startswith("# Young in W of") and "scored by `attributes:young`" in report
    assert "(median of the training samples)" in report
    assert "smil" not in report and "happy" not in report
    assert Direction.load(tmp_path / "latentlab-young" / "young-svm.safetensors").attribute == "young"


def test_a_threshold_is_chosen_when_samples_are_there(run, refused, network, tmp_path):
    """Labels follow the threshold without another rendering; fitting takes that of the table, or another."""
    words = ["label", "--network", network, "--samples", 40, "--scorer", "attributes:young", "--out", tmp_path / "s"]
    for threshold, positive in (([], None), (["--threshold", "median"], "20 positive, 20 negative")):
        code, out, err = run(*words, *threshold)
        assert code == 0, err
        assert re.search(r"young +[\d.]+% \(\d+ positive, \d+ negative; scores from [\d.]+ to [\d.]+\)", out)
        assert positive is None or positive in out
    fit = ["fit", tmp_path / "s", "--attribute", "young", "--method", "mean", "--out", tmp_path / "d.safetensors"]
    code, out, _ = run(*fit)
    assert code == 0 and "| threshold | 0." in out
    code, out, _ = run(*fit, "--threshold", "q0.3,q0.7")
    assert code == 0 and re.search(r"\| threshold \| 0.\d+,0.\d+ \|", out)
    line = refused(*fit, "--threshold", 2)
    assert "0 positive" in line and "--threshold median" in line


# --- bad input ----------------------------------------------------------------------------------------------


@pytest.mark.weights
@pytest.mark.parametrize("psi", ["0", "nan", "9", "-1", "inf"])
@pytest.mark.parametrize("command", ["smile", "generate", "label"])
def test_psi_out_of_range(refused, network, tmp_path, command, psi):
    line = refused(command, "--network", network, "--psi", psi, "--out", tmp_path / "new")
    assert "psi must be above 0 and at most 2" in line
    assert not (tmp_path / "new").exists()


@pytest.mark.weights
@pytest.mark.parametrize("command", ["edit", "walk"])
def test_psi_out_of_range_for_edits(refused, network, direction, command):
    line = refused(command, "--direction", direction, "--network", network, "--psi", "nan")
    assert "psi must be" in line


@pytest.mark.parametrize("seeds", ["-1", "5-3", "99999999999", "4294967296", "a", "", "1,,2", "1-", "0-999999999"])
def test_seeds_that_are_none(refused, network, seeds):
    assert "seeds" in refused("generate", "--network", network, "--seeds", seeds)


def test_seeds():
    assert parse_seeds("600-602, 7") == [600, 601, 602, 7]
    assert parse_seeds("0,4294967295") == [0, 2**32 - 1]
    with pytest.raises(UserError, match="100000 is the most"):
        parse_seeds("0-100000")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["generate", "--resolution", "32"], "renders at 64 pixels, not at 32"),
        (["generate", "--resolution", "0"], "renders at 64 pixels, not at 0"),
        (["generate", "--device", "tpu"], "device 'tpu' is not available"),
        (["generate", "--device", "cuda:99"], "device 'cuda:99' is not available"),
        (["generate", "--device", "meta"], "device 'meta' is not available"),
        (["generate", "--device", ""], "device '' is not available"),
        (["generate", "--loud"], "--loud"),
        (["smile", "--samples", "many"], "--samples"),
        (["smile", "--render", "half"], "--render"),
        (["label", "--batch", "0"], "--batch"),
        (["label", "--batch", "many"], "--batch"),
        (["label", "--precision", "half"], "--precision"),
    ],
    ids=" ".join,
)
def test_options_out_of_range(refused, network, tmp_path, words, said):
    line = refused(*words[:1], "--network", network, "--out", tmp_path / "new", *words[1:])
    assert said in line
    assert not list(tmp_path.rglob("*.p*"))  # no image, no table


@pytest.mark.weights
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["smile", "--samples", "0"], "20 samples or more"),
        (["smile", "--samples", "-5"], "20 samples or more"),
        (["smile", "--samples", "30", "--seed-start", "-1"], "seeds must lie in"),
        (["smile", "--samples", "30", "--seed-start", "4294967290"], "seeds must lie in"),
        (["smile", "--edited-faces", "0"], "edited_faces must be 1"),
        (["smile", "--render", "preview"], "has no preview"),
        (["smile", "--scorer", "fr"], "did you mean fer"),
        (["smile", "--threshold", "high"], "a threshold is a number"),
        (["study", "--attribute", "yung"], "did you mean young?"),
        (["study", "--attribute", "xylophone"], "they know angry, "),
        (["study", "--attribute", "young", "--scorer", "fer"], "the scorer attributes:young scores it"),
        (["study", "--attribute", "young", "--threshold", "q2"], "quantiles lie above 0"),
        (["label", "--threshold", "high"], "a threshold is a number"),
        (["label", "--scorer", "ferr"], "did you mean fer"),
        (["label", "--samples", "0"], "samples must be 1 or more"),
        (["label", "--seed-start", "-1"], "seeds must lie in"),
        (["label", "--resolution", "32"], "renders at 64 pixels, not at 32"),
    ],
    ids=" ".join,
)
def test_options_out_of_range_beside_a_scorer(refused, network, tmp_path, words, said):
    line = refused(*words[:1], "--network", network, "--out", tmp_path / "new", *words[1:])
    assert said in line
    assert not list(tmp_path.rglob("*.p*"))  # no image, no table


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["smile", "--network", "mobil-ffhq"], "mobil-ffhq: neither a file"),
        (["generate", "--network", "/"], "folder without OpenVINO files"),
        (["weights", "get", "mobile-ffhk"], "did you mean mobile-ffhq"),
        (["weights", "convert", "nothing.pkl", "out.safetensors"], "nothing.pkl: neither a file"),
        (["weights", "convert"], "Missing argument"),
        (["weights", "lits"], "Did you mean 'list'?"),
        (["weigths"], "weigths"),
        (["fit", "no-such-folder"], "no-such-folder"),
        (["fit", ".", "--method", "guess"], "--method"),
        (["edit"], "--direction"),
    ],
    ids=" ".join,
)
def test_what_is_not_there(refused, tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    assert said in refused(*words)
    assert not list(tmp_path.iterdir())


def test_files_that_are_no_networks(refused, data, network, tmp_path):
    for name, said in (
        ("net16cond_nvada_stub.pkl", "conditional"),
        ("hostile_os_system.pkl", "system"),
        ("truncated.pkl", "truncated.pkl"),
        ("net32_io.npz", "net32_io.npz"),
    ):
        assert said in refused("generate", "--network", data / name, "--out", tmp_path)
    assert "no network 'D'" in refused("weights", "convert", network, tmp_path / "x", "--network", "D")
    assert not list(tmp_path.iterdir())


@pytest.mark.weights
@pytest.mark.parametrize("command", ["smile", "label", "generate", "edit"])
def test_an_output_folder_that_is_a_file(refused, network, direction, tmp_path, command):
    taken = tmp_path / "taken"
    taken.write_text("mine")
    more = ["--direction", direction] if command == "edit" else []
    assert str(taken) in refused(command, "--network", network, "--out", taken, *more)
    assert taken.read_text() == "mine"


@pytest.mark.weights
def test_output_folders_of_other_settings(refused, smiled, samples, network):
    words = ["--network", network, "--edited-faces", 3, "--out", smiled]
    assert "samples is 80, not 90" in refused("smile", *words, "--samples", 90)
    line = refused("smile", *words, "--samples", SAMPLES, "--psi", 0.5)
    assert "psi is 0.7, not 0.5; ask for the same, or choose another folder" in line
    line = refused("label", "--network", network, "--out", samples, "--samples", 81)
    assert "samples whose samples is 80, not 81" in line


@pytest.mark.weights
@pytest.mark.parametrize("command", ["edit", "walk"])
def test_directions_that_are_none(refused, network, place, tmp_path, command):
    text = tmp_path / "direction.txt"
    text.write_text("to the left")
    for path in (text, network, tmp_path / "missing.safetensors", tmp_path):
        line = refused(command, "--direction", path, "--network", network, "--out", tmp_path / "out.png")
        assert str(path) in line
    assert not (tmp_path / "out.png").exists()


@pytest.mark.weights
def test_a_direction_of_another_generator(run, refused, direction, other_network, tmp_path):
    words = [
        "walk",
        "--direction",
        direction,
        "--network",
        other_network,
        "--seeds",
        600,
        "--strengths",
        "0,1",
    ]
    line = refused(*words, "--out", tmp_path / "walk.png")
    assert "was learnt on" in line and "force" in line
    assert run(*words, "--out", tmp_path / "walk.png", "--force")[0] == 0
    assert (tmp_path / "walk.png").exists()


@pytest.mark.weights
def test_attributes_that_are_none(refused, samples, direction, network, tmp_path):
    line = refused("fit", samples, "--attribute", "smiling")
    assert "no score is called 'smiling'; there are angry" in line
    line = refused("walk", "--direction", direction, "--network", network, "--attribute", "smiling")
    assert "no score is called 'smiling'" in line
    line = refused("fit", samples, "--attribute", "disgust", "--out", tmp_path / "d.safetensors")
    assert "draw more samples" in line
    assert not (tmp_path / "d.safetensors").exists()


@pytest.mark.weights
@pytest.mark.parametrize("strengths", ["far", "nan", "", "1,inf", "1,1"])
def test_strengths_that_are_none(refused, network, direction, strengths, tmp_path):
    words = ["--direction", direction, "--network", network, "--strengths", strengths]
    assert "strengths" in refused("edit", *words, "--out", tmp_path)


@pytest.mark.weights
def test_a_figure_of_no_format(refused, network, direction, tmp_path):
    line = refused("walk", "--direction", direction, "--network", network, "--out", tmp_path / "walk.doc")
    assert "walk.doc" in line


# --- as a process -------------------------------------------------------------------------------------------

SCRIPT = Path(sys.executable).with_name("latentlab")


def test_a_process_tells_bad_input_in_one_line(tmp_path):
    words = ["generate", "--network", "no such network", "--out", tmp_path]
    ended = subprocess.run([SCRIPT, *words], capture_output=True, text=True)
    assert ended.returncode == 2
    assert ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    assert line.startswith("latentlab: no such network: neither a file")


# What takes long to import, or imports what does.
SLOW = {
    "torch",
    "numpy",
    "scipy",
    "lpips",
    "torchvision",
    "dlib",
    "sklearn",
    "pandas",
    "matplotlib",
    "lightning_fabric",
}


@pytest.mark.parametrize("command", ["", "smile", "edit", "compare edit", "translate train"])
def test_help_does_not_wait_for_imports(command):
    words = [sys.executable, "-X", "importtime", "-m", "latentlab", *command.split(), "--help"]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    assert "Usage:" in done.stdout
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "typer" in loaded and loaded & SLOW == set()


@pytest.mark.weights
def test_an_interrupted_process_says_so_and_loses_nothing(network, tmp_path):
    words = ["label", "--network", network, "--samples", "100000", "--batch", "8", "--out", tmp_path]
    process = subprocess.Popen(
        [SCRIPT, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    told: list[bytes] = []
    reader = threading.Thread(target=lambda: told.extend(iter(process.stderr.readline, b"")))
    reader.start()
    while process.poll() is None and not list(tmp_path.glob("shard-*.parquet")):
        reader.join(0.05)
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130
    reader.join()
    process.stdout.close()
    process.stderr.close()
    text = b"".join(told).decode()
    assert "latentlab: interrupted; run the same command again to resume" in text
    assert "Traceback" not in text
    shards = sorted(tmp_path.glob("shard-*.parquet"))
    assert pd.read_parquet(shards[0])["seed"].tolist() == list(range(600, 664))
