"""The job on photos, on a generated face with real networks and few steps."""

import json
import shutil
import weakref
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import stylegan2
from latentlab import images
from latentlab.directions import Direction
from latentlab.directions.shipped import load_direction, shipped_directions
from latentlab.editing import default_strengths, strength_range
from latentlab.errors import UserError
from latentlab.latents import load_latents
from latentlab.perceptual import load_perceptual
from latentlab.pipelines import (
    Components,
    PhotoEditSettings,
    PhotoSettings,
    StrengthSettings,
    check_photos,
    edit_photo,
    edit_photos,
    project_photos,
)
from latentlab.pipelines.photos import PHOTO_TARGETS, Pasting, edit_portrait
from latentlab.pipelines.photos import settings as settings_module
from latentlab.pipelines.photos.quick import edit_photos_quickly, has_editor
from latentlab.pipelines.photos.settings import FAST_AGAINST_DEFAULT, photo_recipe
from latentlab.projection import DEFAULTS, Projection, TuningSettings, WeightDelta
from latentlab.scorers import FunctionScorer
from tests.conftest import TINY, make_tiny
from tests.processes import COMMAND, Program, run_command
from tests.stylegan2.test_mobile import make_mobile

pytestmark = pytest.mark.weights

SETTINGS = PhotoSettings(DEFAULTS["w+"].shortened(1), TuningSettings(steps=1, drift_seeds=(1,)))


@pytest.fixture(scope="module")
def generator():
    return stylegan2.load("mobile-ffhq")


@pytest.fixture(scope="module")
def folder(generator, tmp_path_factory):
    """Photos: a generated face on a wide ground, the same out of focus, and one without a face."""
    path = tmp_path_factory.mktemp("photos")
    with torch.no_grad():
        face = images.reduce(generator(stylegan2.z_from_seeds([641], generator.z_dim), psi=0.7), 400)
    photo = torch.linspace(-0.5, 0.5, 640).expand(1, 3, 480, 640).clone()
    photo[..., 40:440, 120:520] = face
    images.save_image(photo, path / "face.png")
    blurred = F.interpolate(images.reduce(photo, 64), (480, 640), mode="bicubic").clamp(-1, 1)
    images.save_image(blurred, path / "blurred.png")
    images.save_image(torch.zeros(1, 3, 200, 200), path / "blank.png")
    return path


@pytest.fixture(scope="module")
def components(generator):
    """The default networks, but the small LPIPS: the page on photos runs all of it with the large one."""
    return Components.load(generator, perceptual=load_perceptual("alex"))


@pytest.fixture(scope="module")
def projected(components, folder):
    paths = [folder / "blank.png", folder / "face.png", folder / "missing.png"]
    return list(project_photos(paths, components, SETTINGS, folder / "out"))


@pytest.fixture(scope="module")
def portrait(projected):
    return projected[-1][1].portrait


def test_a_bad_photo_is_named_and_never_ends_the_batch(projected, folder):
    assert [path.name for path, _ in projected] == ["blank.png", "missing.png", "face.png"]
    for path, found in projected[:2]:
        assert isinstance(found, UserError)
        assert str(path) in str(found)
    result = projected[2][1]
    assert (result.edits, result.folder) == ((), folder / "out" / "face")


def test_a_portrait_is_checked_before_and_after(portrait):
    before = {check.name: check for check in portrait.before}
    after = {check.name: check for check in portrait.after}
    assert before["faces in the photo"].value == 1
    assert before["resolution"].value == pytest.approx(400, rel=0.2)
    shown = images.reduce(portrait.rendered, 256).clamp(-1, 1)
    error = (shown - images.reduce(portrait.face.image, 256)).square().mean()
    assert after["MSE"].value == pytest.approx(float(error), rel=0.05)
    assert after["LPIPS"].value > 0


def test_the_tuned_generator_renders_it(portrait, generator):
    assert portrait.tuned.steps == 1
    again = portrait.tuned.delta.apply(generator).synthesis(portrait.ws)
    torch.testing.assert_close(portrait.rendered, again)
    assert not torch.allclose(portrait.rendered, generator.synthesis(portrait.ws))


class Stages:
    """Notes the steps of each stage."""

    def __init__(self) -> None:
        self.steps: dict[str, list[tuple[int, int]]] = {}

    @contextmanager
    def __call__(self, title: str, unit: str = "image"):
        noted = self.steps.setdefault(title, [])
        yield lambda done, total, note="": noted.append((done, total))


@pytest.mark.parametrize("mask", ["feather", "hull"])
def test_the_edit_smiles_more_and_leaves_the_rest_of_the_photo(portrait, components, mask):
    smile = load_direction("smile")
    edits = list(edit_portrait(portrait, smile, strength_range(smile), components, "happy", Pasting(mask)))
    assert edits[1].score > edits[0].score + 0.3
    assert all(-1 <= edit.identity < 1 for edit in edits)
    geometry, photo = portrait.face.geometry, portrait.photo
    left = int(geometry.quad[:, 0].min())
    for edit in edits:
        assert edit.photo.shape == photo.shape
        assert torch.equal(edit.photo[..., : left - 1], photo[..., : left - 1])
        assert not torch.equal(edit.photo, photo)


@pytest.mark.slow
def test_the_folder_holds_everything_and_done_work_is_found_again(projected, components, generator, folder):
    """One photo, edited after it was projected."""
    settings = PhotoEditSettings(SETTINGS.projection, SETTINGS.tuning, command="latentlab edit …")
    direction = load_direction("smile")
    stages = Stages()
    result = edit_photo(folder / "face.png", direction, [0.0, 2.5], components, settings, folder / "out", stages)
    own, portrait, edits = result.folder, result.portrait, result.edits
    before = projected[-1][1].portrait
    assert stages.steps["projecting"] == [(1, 1)]
    assert stages.steps["tuning on face.png"] == []
    assert torch.equal(portrait.ws, before.ws)
    assert torch.equal(portrait.rendered, before.rendered)
    assert own == folder / "out" / "face"
    assert [edit.strength for edit in edits] == [0.0, 2.5]
    assert Projection.load(own / "projection.safetensors").ws(generator).equal(portrait.ws)
    tuned = WeightDelta.load(own / "delta.safetensors").apply(generator)
    torch.testing.assert_close(tuned.synthesis(portrait.ws), portrait.rendered)
    assert (own / "delta.safetensors").stat().st_size < 5e6
    assert images.load_image(own / "photo_+2.5.png").shape == portrait.photo.shape
    facts = json.loads((own / "report.json").read_text())
    assert [edit["strength"] for edit in facts["edits"]] == [0.0, 2.5]
    assert {check["name"] for check in facts["after"]} >= {"LPIPS", "MSE", "identity"}
    report = (own / "report.md").read_text()
    assert f"| +2.5 | {edits[1].score:.2f} | {edits[1].identity:.2f} |" in report
    assert "latentlab edit …" in report
    figure = images.load_image(own / "comparison.png")
    assert figure.shape[3] > 1.3 * figure.shape[2]  # three columns, two rows
    # What a notebook shows.
    assert result._repr_png_() == (own / "comparison.png").read_bytes()
    assert edits[1]._repr_png_().startswith(b"\x89PNG") and "tensor" not in repr(result)


def test_a_photo_alone_that_is_bad_is_an_error(components, folder):
    with pytest.raises(UserError, match=r"blank\.png: dlib68 finds no face"):
        edit_photo(folder / "blank.png", load_direction("smile"), [1.0], components, folder=folder / "bad")
    assert not (folder / "bad").exists()


def test_a_photo_has_no_latents_of_the_spaces_above_its_own(components, folder, tmp_path):
    in_s = PhotoEditSettings(DEFAULTS["s"], None)
    with pytest.raises(UserError, match="space w, and photos projected into s have none of its latents; take a"):
        edit_photo(folder / "face.png", load_direction("smile-w"), [1.0], components, in_s, tmp_path)
    in_z = Direction(np.eye(512, dtype=np.float32)[0], "age", "m", "z", generator=components.generator.fingerprint)
    with pytest.raises(UserError, match="the age direction is of space z"):
        edit_photo(folder / "face.png", in_z, [1.0], components, folder=tmp_path)
    with pytest.raises(UserError, match="do not tune"):
        PhotoSettings(DEFAULTS["s"], SETTINGS.tuning)


def test_a_generator_of_32_pixels_projects_and_edits_and_what_is_too_small_is_unknown(components, folder, tmp_path):
    tiny = make_tiny(replace(TINY, resolution=32))
    direction = Direction(np.eye(tiny.w_dim, dtype=np.float32)[0], "smile", "made up", generator=tiny.fingerprint)
    settings = PhotoEditSettings(DEFAULTS["w+"].shortened(2), None)
    small = Components.load(tiny, components.scorer, components.detector, perceptual=components.perceptual)
    result = edit_photo(folder / "face.png", direction, [1.0], small, settings, tmp_path)
    (edit,) = result.edits
    assert np.isnan(edit.score) and np.isnan(edit.identity)
    assert edit.values() == "happy unknown, identity unknown"
    facts = json.loads((result.folder / "report.json").read_text())
    (told,) = facts["edits"]
    assert (told["strength"], told["score"], told["identity"]) == (1.0, None, None)
    assert [check["name"] for check in told["checks"]] == ["strength"] and facts["own_scores"] == [None, None]
    report = (result.folder / "report.md").read_text()
    assert "| +1 | unknown | unknown |" in report
    assert "Identity is unknown: faces of 32 pixels are too small for the descriptor." in report
    assert "The score happy is unknown: a face is scored on images" in report
    assert (
        "LPIPS, MSE, PSNR (poor): likely because only 2 of the recipe's 280 steps were taken; leave out --steps or "
        "--fast" in report
    )
    assert "This is a quick look: only 2 of the recipe's 280 steps were taken." in report
    assert "hair, hat" not in report
    assert "descriptor" not in vars(small), "nothing is fetched for what cannot be measured"


@pytest.fixture(scope="module")
def bright(components):
    """Networks with a tiny generator and a score of brightness, and the direction along which it grows."""
    tiny = make_tiny(replace(TINY, resolution=32))
    w = tiny.w_avg[None].clone().requires_grad_()
    tiny.synthesis(w[:, None].repeat(1, tiny.num_ws, 1))[:, 0].mean().backward()
    brighter = Direction((w.grad[0] / w.grad.norm()).numpy(), "bright", "gradient", generator=tiny.fingerprint)
    scorer = FunctionScorer(("bright",), lambda pictures: torch.sigmoid(pictures[:, 0].mean((1, 2))))
    return Components.load(tiny, scorer, components.detector, perceptual=components.perceptual), brighter


BRIGHT = PhotoEditSettings(
    DEFAULTS["w+"].shortened(2), None, attribute="bright", search=StrengthSettings(cap=0.5, renders=3)
)


def test_a_photo_is_brought_towards_a_target(bright, folder, tmp_path):
    (small, brighter), settings = bright, replace(BRIGHT, target=0.999)
    for strengths, other, message in [([1.0], settings, "give one"), (None, replace(settings, target=90), "not at 90")]:
        with pytest.raises(UserError, match=message):
            edit_photo(folder / "face.png", brighter, strengths, small, other, tmp_path / "no", progress=False)
    assert not (tmp_path / "no").exists()
    result = edit_photo(folder / "face.png", brighter, None, small, settings, tmp_path, progress=False)
    (edit,) = result.edits
    own, search = result.folder, edit.search
    assert 0 < edit.strength == search.strengths[0] <= 0.5 and search.after[0] > search.before[0]
    assert float(small.scorer(edit.crop)) == pytest.approx(search.after[0], abs=1e-5)
    assert images.load_image(own / "photo_target0.999.png").shape == result.portrait.photo.shape
    assert (own / "crop_target0.999.png").exists() and (own / "comparison.png").exists()
    (facts,) = json.loads((own / "report.json").read_text())["edits"]
    assert (facts["target"]["value"], facts["target"]["reached"]) == (0.999, False)
    assert facts["target"]["after"] == pytest.approx(search.after[0])
    report = (own / "report.md").read_text()
    assert "(target 0.999) |" in report and f"{search.describe()[0]}." in report


def test_where_nothing_is_said_a_photo_loses_its_attribute_and_gets_it(bright, folder, tmp_path):
    (small, brighter), path = bright, folder / "face.png"
    result = edit_photo(path, brighter, None, small, BRIGHT, tmp_path, progress=False)
    away, towards = result.edits
    assert tuple(edit.search.target.value for edit in result.edits) == PHOTO_TARGETS
    assert away.strength < 0 < towards.strength and away.search.target.away
    names = [f"photo_target{target}.png" for target in PHOTO_TARGETS]
    assert sorted(name.name for name in result.folder.glob("photo_*")) == names
    # Where the score is none of the direction's attribute, along the whole range.
    other = replace(brighter, attribute="dark")
    with pytest.raises(UserError, match="none of the direction's attribute: bright for dark; give a target"):
        edit_photo(path, other, None, small, BRIGHT, tmp_path / "no", progress=False)
    fixed = edit_photo(path, other, None, small, replace(BRIGHT, search=None), tmp_path, progress=False)
    assert [edit.strength for edit in fixed.edits] == list(default_strengths(other))
    assert all(edit.search is None for edit in fixed.edits)


def test_a_recipe_that_was_cut_is_told_from_a_whole_one_and_from_ones_own():
    for recipe in (photo_recipe(), photo_recipe("s"), photo_recipe("w", tune=False), photo_recipe("w", published=True)):
        assert recipe.steps_left_out == ""
    assert photo_recipe("w", 100, published=True).steps_left_out == "only 100 of the recipe's 1000 steps were taken"
    own = photo_recipe("w", 5)
    assert replace(own, projection=replace(own.projection, seed=3)).steps_left_out == ""
    # The same steps are a cut recipe where nothing follows, and a whole one where a refinement does.
    whole = photo_recipe()
    assert replace(whole, tuning=None).steps_left_out.endswith(
        f"of the recipe's {DEFAULTS['w+'].steps} steps were taken"
    )


def test_recipes_by_what_is_asked_for():
    assert photo_recipe() == PhotoSettings().recipe
    assert photo_recipe("s").tuning is None and photo_recipe(tune=False).tuning is None
    assert photo_recipe(tune=False).projection == DEFAULTS["w+"]
    assert photo_recipe(steps=7).projection.steps == 7
    fast = photo_recipe(fast=True)
    assert fast.is_fast and not photo_recipe().is_fast and fast.projection.steps < photo_recipe().projection.steps
    assert not photo_recipe(steps=40, fast=True).is_fast
    few = photo_recipe(steps=20, tune=False)
    assert not few.is_fast and few.steps_left_out, "no --fast was given that could be left out"
    assert photo_recipe(fast=True, tune=False).is_fast
    assert fast.steps_left_out == "only 8 of the recipe's 80 steps were taken"
    assert photo_recipe(steps=40, fast=True).steps_left_out == "only 40 of the recipe's 80 steps were taken"
    with pytest.raises(UserError, match="no quick look for space s; take w or w"):
        photo_recipe("s", fast=True)
    with pytest.raises(UserError, match="no published recipe for space s"):
        photo_recipe("s", published=True)


# --- the quick way ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def quick(components, folder):
    paths = [folder / "blank.png", folder / "face.png"]
    found = list(edit_photos_quickly(paths, load_direction("smile"), components, folder=folder / "quick"))
    assert "no face" in str(found[0][1])
    return found[1][1]


def test_an_editor_brings_a_photo_to_both_targets_without_a_projection(quick, folder):
    scores = [edit.score for edit in quick.edits]
    assert scores == pytest.approx(PHOTO_TARGETS, abs=0.12)
    assert all(edit.search.reached[0] and edit.identity > 0.6 for edit in quick.edits)
    assert {check.verdict for edit in quick.edits for check in edit.checks} == {"good"}
    photo = images.load_image(folder / "face.png")
    for edit in quick.edits:
        assert torch.equal(edit.photo[..., :100], photo[..., :100]), "what lies outside the crop is the photo's own"


def test_an_editors_folder_says_how_the_edits_were_made(quick, folder):
    own = folder / "quick" / "face"
    named = {f"{kind}_target{target}.png" for kind in ("photo", "crop") for target in PHOTO_TARGETS}
    assert {path.name for path in own.iterdir()} == named | {
        "aligned.png",
        "comparison.png",
        "report.json",
        "report.md",
    }
    report = (own / "report.md").read_text("utf-8")
    assert "By the editor `smile` in one pass each and without a projection" in report
    assert "The whole way, without `--fast`" in report
    facts = json.loads((own / "report.json").read_text("utf-8"))
    assert facts["editor"] == "smile" and facts["seconds"] > 0
    assert [edit["target"]["value"] for edit in facts["edits"]] == list(PHOTO_TARGETS)


def test_an_editor_keeps_a_grey_photo_grey(components, folder):
    grey = images.luma(images.load_image(folder / "face.png")).expand(1, 3, -1, -1)
    images.save_image(grey, folder / "grey.png")
    settings = PhotoEditSettings(target=0.1)
    ((_, found),) = edit_photos_quickly(
        [folder / "grey.png"], load_direction("smile"), components, settings, folder / "quick"
    )
    (edit,) = found.edits
    assert not torch.equal(edit.photo, found.photo)
    assert float((edit.photo - images.luma(edit.photo)).abs().max()) < 0.02


def test_a_photo_that_cannot_be_scored_does_not_end_the_batch(generator, folder):
    seen = []

    def happy(pictures):
        seen.append(pictures)
        if len(seen) > 1:  # the first is the generator's mean, by which the kind of score is known
            raise UserError("too dark")
        return torch.full((len(pictures), 1), 0.5)

    components = Components.load(generator, FunctionScorer(("happy",), happy))
    paths = [folder / "face.png", folder / "blurred.png"]
    found = list(edit_photos_quickly(paths, load_direction("smile"), components, folder=folder / "unscored"))
    assert [path for path, _ in found] == paths
    assert all(isinstance(one, UserError) and "too dark" in str(one) for _, one in found)


def test_an_editor_stands_for_what_it_was_taught_alone(components):
    smile, happy = load_direction("smile"), PhotoEditSettings()
    assert has_editor(smile, None, components, happy)
    assert not has_editor(smile, [1.0], components, happy), "an editor's strengths are not the direction's"
    assert not has_editor(smile, None, components, PhotoEditSettings(attribute="surprise"))
    yaw = load_direction("yaw")
    assert not has_editor(yaw, None, components, happy)
    with pytest.raises(UserError, match="no editor comes with the package .*; there are smile"):
        list(edit_photos_quickly([], yaw, components))


def test_photos_that_wait_hold_no_pixels_and_are_read_again(bright, folder, tmp_path):
    networks, brighter = bright
    paths, seen = [tmp_path / f"{name}.png" for name in "abc"], []
    for path in paths:
        shutil.copy(folder / "face.png", path)

    def note(photo):
        seen.append((weakref.ref(photo.face.image), photo.face.image.clone()))

    results = edit_photos(
        paths, brighter, [0.0], networks, replace(BRIGHT, search=None), tmp_path / "out", progress=False, on_checks=note
    )
    _, first = next(results)
    assert sum(pixels() is not None for pixels, _ in seen) <= 1 < len(seen)
    assert torch.equal(first.portrait.face.image, seen[0][1])
    images.save_image(torch.zeros(1, 3, 60, 60), paths[1])
    (changed, error), (_, last) = results
    assert changed == paths[1] and "b.png was changed while" in str(error)
    assert torch.equal(last.portrait.face.image, seen[2][1])


# --- the checks before the long work ------------------------------------------------------------------------


def test_photos_are_checked_without_the_networks_of_the_projection(generator, folder):
    components = Components.load(generator)
    told = []
    paths = [folder / "blurred.png", folder / "face.png"]
    found = dict(check_photos(paths, components, on_checks=lambda photo: told.append((photo.path, list(photo.checks)))))
    assert [path for path, _ in told] == paths
    verdicts = [{check.name: check.verdict for check in checks} for _, checks in told]
    assert (verdicts[0]["detail"], verdicts[1]["detail"]) == ("poor", "good")
    for path, checks in told:
        assert list(found[path].checks) == checks
    loaded = set(vars(components))
    assert "detector" in loaded
    assert not loaded & {"scorer", "descriptor", "perceptual", "fast_perceptual"}


def test_all_photos_are_checked_before_any_is_projected(components, folder, tmp_path):
    class Begun(Exception):
        pass

    order = []

    @contextmanager
    def stage(title, unit="image"):
        order.append(title)
        if title == "projecting":
            raise Begun
        yield lambda done, total, note="": None

    paths = [folder / "blurred.png", folder / "face.png"]
    results = project_photos(
        paths, components, PhotoSettings(strict=True), tmp_path, stage, lambda photo: order.append(photo.path.name)
    )
    path, found = next(results)
    assert path == folder / "blurred.png"
    assert str(found).startswith(f"{path} is left out: ")
    assert "detail" in str(found) and "is poor (the photo is blurred" in str(found)
    with pytest.raises(Begun):
        next(results)
    assert order == ["aligning", "blurred.png", "face.png", "projecting"]


@pytest.mark.parametrize("command", ["project", "edit"])
def test_strict_commands_leave_out_poor_photos(folder, tmp_path, run, command):
    words = ["project"] if command == "project" else ["edit", "--direction", "smile", "--photo"]
    code, said, told = run(*words, folder / "blurred.png", "--strict", "--out", tmp_path / "out")
    assert code == 2
    assert f"{folder / 'blurred.png'}: detail" in said
    assert all(line.endswith("; the photo is left out") for line in said.splitlines())
    assert told.splitlines()[-1].startswith(f"latentlab: {folder / 'blurred.png'} is left out: ")
    assert "projecting" not in told
    assert not (tmp_path / "out").exists()


def test_a_process_warns_of_a_poor_photo_while_the_work_has_not_begun(folder, tmp_path):
    words = ["project", folder / "blurred.png", "--out", tmp_path / "out"]
    process = Program(COMMAND, *words)
    line = process.stdout.readline()
    process.kill()
    rest = process.stdout.read()
    process.wait()
    assert line.startswith(f"{folder / 'blurred.png'}: ")
    assert "is poor (" in line
    assert line.endswith("; the result will suffer\n")
    assert "LPIPS" not in rest  # it was killed long before its end
    assert not (tmp_path / "out" / "blurred").exists()


def test_an_aligned_face_becomes_a_latent_in_a_file_that_others_read(tmp_path, monkeypatch, run):
    monkeypatch.chdir(tmp_path)
    generator = make_tiny(replace(TINY, resolution=64))
    stylegan2.save(generator, "tiny.safetensors")
    images.save_image(generator(stylegan2.z_from_seeds([641], generator.z_dim), psi=0.7), tmp_path / "crop.png")
    words = ["--network", "tiny.safetensors", "--aligned", "--steps", 1, "--no-tune"]
    words += ["--save-latents", "codes.pt", "--out", "out"]
    code, said, told = run("project", "crop.png", *words)
    assert code == 0, told
    assert "latents are in codes.pt, in the order crop" in said
    kept = Projection.load(tmp_path / "out" / "crop" / "projection.safetensors").ws(generator)
    assert torch.equal(load_latents(tmp_path / "codes.pt"), kept)
    aligned, crop = (images.load_image(tmp_path / name) for name in ("out/crop/aligned.png", "crop.png"))
    assert torch.equal(images.to_bytes(aligned), images.to_bytes(crop)), "nothing was cropped"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--aligned", "--landmarks", "a.json"], "give neither --landmarks nor --face"),
        (["--save-latents", "codes.csv"], "written as .pt"),
        (["--space", "s", "--no-tune", "--save-latents", "codes.pt"], "writes codes of w and w+"),
        (["--landmarks", "missing.json"], "missing.json"),
        (["--face", "2"], "has 1 face, and the face 2 is asked for"),
    ],
)
def test_faces_that_are_not_there_are_told(folder, tmp_path, monkeypatch, run, words, message):
    monkeypatch.chdir(tmp_path)
    code, _, told = run("project", folder / "face.png", "--steps", 2, "--out", "out", *words)
    assert code == 2 and message in told.replace("\n", " "), told
    assert "Traceback" not in told


# --- the shipped direction ----------------------------------------------------------------------------------


def test_the_shipped_directions_fit_the_generator_they_say(generator):
    for name in shipped_directions():
        load_direction(name).check(generator)


def test_a_direction_is_found_by_name_or_file(tmp_path):
    path = tmp_path / "mine.safetensors"
    load_direction("smile").save(path)
    assert (load_direction(str(path)).vector == Direction.load(path).vector).all()
    with pytest.raises(UserError, match=r"no file frown.*smile"):
        load_direction("frown")


# --- the command line ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_photo_goes_in_and_a_smiling_one_comes_out(folder, tmp_path):
    photos = ["--photo", str(folder / "face.png"), "--photo", str(folder / "blank.png")]
    quick = ["--steps", "1", "--no-tune", "--strengths=0,3"]
    done = run_command("edit", *photos, "--direction", "smile", *quick, "--out", "out", cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert "blank.png: dlib68 finds no face" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    written = {path.name for path in (tmp_path / "out" / "face").iterdir()}
    assert written >= {"comparison.png", "report.md", "report.json", "photo_+3.png", "photo_+0.png", "aligned.png"}
    assert "smile +3: happy" in done.stdout
    assert "identity" in done.stdout
    assert "will suffer" not in done.stdout


def test_project_writes_latent_and_checks(folder, tmp_path, run):
    network = tmp_path / "mobile.safetensors"
    stylegan2.save(make_mobile(), network)
    words = ["--network", network, "--steps", 1, "--no-tune", "--space", "s", "--out", tmp_path / "out"]
    code, said, told = run("project", folder / "face.png", *words)
    assert code == 0, told
    assert "LPIPS" in said
    assert Projection.load(tmp_path / "out" / "face" / "projection.safetensors").styles()
    assert "1 of the recipe's 280 steps" in (tmp_path / "out" / "face" / "report.md").read_text("utf-8")


def test_a_quick_projection_says_what_the_whole_way_adds(folder, tmp_path, run, monkeypatch):
    network = tmp_path / "mobile.safetensors"
    stylegan2.save(make_mobile(), network)
    for name in ("FAST", "FAST_REFINEMENT"):
        known = getattr(settings_module, name)
        few = {space: one.shortened(1) for space, one in known.items()} if name == "FAST" else replace(known, steps=1)
        monkeypatch.setattr(settings_module, name, few)
    code, _, told = run("project", folder / "face.png", "--network", network, "--fast", "--out", tmp_path / "out")
    assert code == 0, told
    own = tmp_path / "out" / "face"
    report = (own / "report.md").read_text("utf-8")
    assert "| LPIPS |" in report and "This is a quick look. " + FAST_AGAINST_DEFAULT in report
    assert FAST_AGAINST_DEFAULT in json.loads((own / "report.json").read_text())["recipe"]


def test_there_is_no_published_recipe_for_s(folder, refused):
    assert "take w or w+" in refused("project", folder / "face.png", "--space", "s", "--published")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--direction", "frown"], "no direction of that name"),
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
