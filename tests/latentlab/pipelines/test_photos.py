"""The job on photos, on a generated face with real networks and few steps."""

import dataclasses
import json
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

import stylegan2
from latentlab import images, perceptual, scorers
from latentlab.directions import Direction
from latentlab.directions.shipped import SHIPPED, find
from latentlab.errors import UserError
from latentlab.faces import load_detector
from latentlab.faces.identity import FaceDescriptor
from latentlab.pipelines.photos import Lab, PhotoSettings, edit_portrait, embed, write_edits, write_portrait
from latentlab.projection import DEFAULTS, Projection, TuningSettings, WeightDelta

SETTINGS = PhotoSettings(DEFAULTS["w+"].shortened(2), TuningSettings(steps=2, drift_seeds=(1,)))


@pytest.fixture(scope="module")
def generator():
    return stylegan2.load("mobile-ffhq")


@pytest.fixture(scope="module")
def folder(generator, tmp_path_factory):
    """Photos: a generated face on a wide ground, and one without a face."""
    path = tmp_path_factory.mktemp("photos")
    with torch.no_grad():
        face = images.reduce(generator(stylegan2.z_from_seeds([641], generator.z_dim), psi=0.7), 400)
    photo = torch.linspace(-0.5, 0.5, 640).expand(1, 3, 480, 640).clone()
    photo[..., 40:440, 120:520] = face
    images.save_image(photo, path / "face.png")
    images.save_image(torch.zeros(1, 3, 200, 200), path / "blank.png")
    return path


@pytest.fixture(scope="module")
def lab(generator):
    vgg = perceptual.load_perceptual("vgg")
    return Lab(generator, load_detector(), FaceDescriptor(), vgg, vgg)


@pytest.fixture(scope="module")
def embedded(lab, folder):
    paths = [folder / "blank.png", folder / "face.png", folder / "missing.png"]
    return embed(paths, lab, SETTINGS, folder / "out")


def test_a_bad_photo_is_named_and_never_ends_the_batch(embedded):
    portraits, failures = embedded
    assert [portrait.name for portrait in portraits] == ["face"]
    assert len(failures) == 2
    assert "blank.png" in str(failures[0])
    assert "missing.png" in str(failures[1])


def test_a_portrait_is_checked_before_and_after(embedded):
    (portrait,), _ = embedded
    before = {finding.name: finding for finding in portrait.before}
    after = {finding.name: finding for finding in portrait.after}
    assert before["faces in the photo"].value == 1
    assert before["resolution"].value == pytest.approx(400, rel=0.2)
    shown = images.reduce(portrait.rendered, 256).clamp(-1, 1)
    error = (shown - images.reduce(portrait.face.image, 256)).square().mean()
    assert after["MSE"].value == pytest.approx(float(error), rel=0.05)
    assert after["LPIPS"].value > 0


def test_the_tuned_generator_renders_it(embedded, generator):
    (portrait,), _ = embedded
    assert portrait.tuned.steps == 2
    again = portrait.tuned.delta.apply(generator).synthesis(portrait.ws)
    torch.testing.assert_close(portrait.rendered, again)
    assert not torch.allclose(portrait.rendered, generator.synthesis(portrait.ws))


def test_done_work_is_found_again(embedded, lab, folder):
    steps = {}

    @contextmanager
    def stage(title, unit="picture"):
        yield lambda done, total, note="": steps.setdefault(title, []).append((done, total))

    (portrait,), _ = embedded
    (again,), _ = embed([folder / "face.png"], lab, SETTINGS, folder / "out", stage)
    assert steps["projecting"] == [(2, 2)]
    assert "tuning on face.png" not in steps
    assert torch.equal(again.ws, portrait.ws)
    assert torch.equal(again.rendered, portrait.rendered)


@pytest.mark.parametrize("mask", ["feather", "hull"])
def test_the_edit_smiles_more_and_leaves_the_rest_of_the_photo(embedded, lab, mask):
    (portrait,), _ = embedded
    scorer = scorers.load_scorer("fer")
    edits = list(edit_portrait(portrait, find("smile"), [-3.0, 3.0], scorer, "happy", lab.descriptor, mask))
    assert edits[1].score > edits[0].score + 0.3
    assert all(-1 <= edit.identity < 1 for edit in edits)
    geometry, photo = portrait.face.geometry, portrait.photo
    left = int(geometry.quad[:, 0].min())
    for edit in edits:
        assert edit.photo.shape == photo.shape
        assert torch.equal(edit.photo[..., : left - 1], photo[..., : left - 1])
        assert not torch.equal(edit.photo, photo)


def test_the_folder_holds_everything(embedded, lab, generator, tmp_path):
    (portrait,), _ = embedded
    direction = find("smile")
    edits = list(edit_portrait(portrait, direction, [0.0, 2.5], scorers.load_scorer("fer"), "happy", lab.descriptor))
    own = write_portrait(portrait, tmp_path)
    write_edits(portrait, edits, direction, own, "latentlab edit …")
    assert Projection.load(own / "projection.safetensors").ws(generator).equal(portrait.ws)
    tuned = WeightDelta.load(own / "delta.safetensors").apply(generator)
    torch.testing.assert_close(tuned.synthesis(portrait.ws), portrait.rendered)
    assert (own / "delta.safetensors").stat().st_size < 5e6
    assert images.load_image(own / "photo_+2.5.png").shape == portrait.photo.shape
    facts = json.loads((own / "report.json").read_text())
    assert [edit["strength"] for edit in facts["edits"]] == [0.0, 2.5]
    assert {finding["name"] for finding in facts["after"]} >= {"LPIPS", "MSE", "identity"}
    report = (own / "report.md").read_text()
    assert f"| +2.5 | {edits[1].score:.2f} | {edits[1].identity:.2f} |" in report
    assert "latentlab edit …" in report
    figure = images.load_image(own / "comparison.png")
    assert figure.shape[3] > 1.3 * figure.shape[2]  # three columns, two rows


def test_a_portrait_of_space_s_has_no_code_to_edit(lab, folder):
    settings = PhotoSettings(DEFAULTS["s"].shortened(1), None)
    (portrait,), _ = embed([folder / "face.png"], lab, settings, folder / "styles")
    assert portrait.ws is None
    with pytest.raises(UserError, match="w and w"):
        next(edit_portrait(portrait, find("smile"), [1.0], scorers.load_scorer("fer"), "happy", lab.descriptor))
    with pytest.raises(UserError, match="do not tune"):
        embed([folder / "face.png"], lab, dataclasses.replace(settings, tuning=SETTINGS.tuning), folder / "styles")


# --- the shipped direction ----------------------------------------------------------------------------------


def test_the_shipped_directions_fit_the_generator_they_say(generator):
    for name in SHIPPED:
        direction = find(name)
        direction.check(generator)
        assert direction.statistics["held_out_auc"] > 0.9


def test_a_direction_is_found_by_name_or_file(tmp_path):
    path = tmp_path / "mine.safetensors"
    find("smile").save(path)
    assert (find(str(path)).vector == Direction.load(path).vector).all()
    with pytest.raises(UserError, match=r"no file frown.*smile"):
        find("frown")


# --- the command line ---------------------------------------------------------------------------------------


def test_a_photo_goes_in_and_a_smiling_one_comes_out(folder, tmp_path):
    photos = ["--photo", str(folder / "face.png"), "--photo", str(folder / "blank.png")]
    quick = ["--steps", "1", "--no-tune", "--strengths=0,3"]
    command = [Path(sys.executable).with_name("latentlab"), "edit", *photos, "--direction", "smile", *quick]
    done = subprocess.run([*command, "--out", "out"], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 2, done.stderr
    assert "blank.png: dlib68 finds no face" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    written = {path.name for path in (tmp_path / "out" / "face").iterdir()}
    assert written >= {"comparison.png", "report.md", "report.json", "photo_+3.png", "photo_+0.png", "aligned.png"}
    assert "smile +3: happy" in done.stdout
    assert "identity" in done.stdout


def test_project_writes_code_and_findings(folder, tmp_path, run):
    code, said, told = run(
        "project", folder / "face.png", "--steps", "1", "--no-tune", "--space", "s", "--out", tmp_path / "out"
    )
    assert code == 0, told
    assert "LPIPS" in said
    assert Projection.load(tmp_path / "out" / "face" / "projection.safetensors").styles()


def test_there_is_no_published_recipe_for_s(folder, refused):
    assert "take w or w+" in refused("project", folder / "face.png", "--space", "s", "--published")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--direction", "frown"], "no direction is shipped"),
        (["--direction", "smile", "--attribute", "glee"], "no score is called 'glee'"),
        (["--direction", "smile", "--strengths=a"], "strengths are numbers"),
        (["--direction", "smile", "--steps", "0"], "takes that many steps"),
        (["--direction", "smile", "--photo", "a/face.png"], "both be written as face"),
        (["--direction", "smile", "--out", "file"], "file"),
    ],
)
def test_bad_input_is_refused_before_any_work(arguments, message, folder, tmp_path, monkeypatch, refused):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    assert message in refused("edit", "--photo", folder / "face.png", *arguments)
