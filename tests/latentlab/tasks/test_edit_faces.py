"""The comparison of edits: every method on a tiny generator, and photos, labels and strengths on known answers."""

import csv
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from latentlab import images, scorers
from latentlab.comparison import compare, write_report
from latentlab.datasets import KnownFactors, labelled_faces
from latentlab.datasets.labelled_faces import find_mouth
from latentlab.datasets.labelled_photos import RealFaces
from latentlab.directions.response import Response
from latentlab.errors import UserError
from latentlab.pipelines.components import Components
from latentlab.pipelines.distilling import FaceEditor
from latentlab.progress import silent, stage_of
from latentlab.scorers import FunctionScorer
from latentlab.tasks.edit_faces import (
    METHODS,
    PRESETS,
    PROJECTION,
    EditInputs,
    EditSettings,
    Strengths,
    check_inputs,
    edit_methods,
    edit_sections,
    make_edit_task,
    paste_edits,
    strengths_of,
)
from latentlab.tasks.edit_faces.choice import Labelling, choose_judged, choose_labelling, complete_settings
from latentlab.tasks.edit_faces.distilled import DistilledEdits
from latentlab.tasks.edit_faces.latent import Latent, learn_style
from latentlab.tasks.edit_faces.response import calibrated, respond
from latentlab.tasks.edit_faces.search import search_settings, search_strengths, target_of
from latentlab.translation import Translator
from latentlab.translation.networks import EditorConfig
from stylegan2.sampling import z_from_seeds
from tests.conftest import TINY, make_tiny
from tests.latentlab.faces.generated import face, on_grey, resized

SMALL = EditSettings(
    attribute="bright",
    size=64,
    faces=8,
    held_out=2,
    base_channels=4,
    epochs={"pix2pix": 0.5, "cyclegan": 0.25, "instagan": 0.25},
    projection_steps=2,
)


def brightness(threshold, sharpness=40.0):
    """Above ½ for pictures that are brighter than the threshold on the whole."""

    def score(pictures):
        return torch.sigmoid(sharpness * (pictures.clamp(-1, 1).mean(dim=(1, 2, 3)) - threshold))

    found = FunctionScorer(("bright",), score, fingerprint=f"brightness above {threshold:.4f}")
    found.level = threshold
    return found


pytestmark = pytest.mark.weights  # faces are found and described by dlib's models


@pytest.fixture(scope="module")
def judge():
    return scorers.load_attributes()


@pytest.fixture(scope="module")
def components():
    tiny = make_tiny(replace(TINY, resolution=64))
    with torch.no_grad():
        ws = tiny.mapping(z_from_seeds(range(64), tiny.z_dim), psi=0.7)
        median = float(tiny.synthesis(ws).clamp(-1, 1).mean(dim=(1, 2, 3)).median())
    return Components.load(tiny, brightness(median))


class Nobody:
    """Finds no face, as dlib in a tiny generator's images, but at once."""

    name = "nobody"

    def __call__(self, photo):
        return []


@pytest.fixture(scope="module")
def faceless(components):
    """The same networks for images that show nobody."""
    return Components.load(components.generator, components.scorer, Nobody())


@pytest.fixture(scope="module")
def done(faceless, judge, tmp_path_factory):
    """All methods on the tiny generator."""
    folder = tmp_path_factory.mktemp("compared")
    task = make_edit_task(SMALL, faceless, judge, folder)
    methods = edit_methods(task)
    comparison = compare(task, methods)
    return task, methods, comparison, strengths_of(comparison, methods)


@pytest.mark.slow
def test_every_method_is_compared_and_reported(done):
    task, _, comparison, strengths = done
    assert [one.name for one in comparison.results] == [PROJECTION, *METHODS]
    assert [one.failure for one in comparison.results] == [""] * 8
    page = write_report(comparison, "a command", edit_sections(comparison, strengths), [PROJECTION]).read_text()
    for words in ("At the same response", "Where latent methods lose", "What is gained against what is kept", *METHODS):
        assert words in page
    table = list(csv.DictReader((task.folder / "table.csv").open()))
    assert {(row["method"], row["measure"]) for row in table} >= {
        (name, measure.name) for name in METHODS for measure in task.measures
    }


@pytest.mark.slow
def test_a_photo_that_cannot_be_brought_to_the_target_is_counted(done):
    """Two steps of a projection end far from the photos, where this generator's brightness hardly changes."""
    _, methods, _, strengths = done
    for method in (one for one in methods if isinstance(one, Latent)):
        assert method.response(calibrated(method.response)) == pytest.approx(0.9)
        found = method.strengths()
        assert found.strengths.shape == (2,) and strengths.unreached[method.name] == (~found.reached).sum()


@pytest.mark.slow
def test_no_face_is_in_two_parts_and_photos_lie_in_the_source(done):
    task, _, _, _ = done
    domains = task.domains
    parts = [set(part.seeds) for part in (domains.source, domains.target, domains.held_source, domains.held_target)]
    assert [len(part) for part in parts] == [8, 8, 2, 2] and len(set.union(*parts)) == 20
    assert not domains.held_source.is_positive("bright").any() and domains.held_target.is_positive("bright").all()
    assert [int(name) for name in task.names] == list(domains.held_source.seeds)
    assert task.labels == [f"seed {seed}" for seed in domains.held_source.seeds]
    assert task.inputs().shape == (2, 3, 64, 64)  # the generator's own size, where that is below a photo's


@pytest.mark.slow
def test_unfound_faces_are_counted_and_not_hidden(done):
    _, _, comparison, _ = done
    for row in comparison.results:  # a tiny generator's pictures show nobody
        assert np.isnan(row.columns["identity"]).all() and row.intervals["identity"].missing == 2
        assert not np.isnan(row.columns["lpips_outside"]).any()


@pytest.mark.slow
def test_losses_add_up_to_what_the_rows_say(done):
    task, _, comparison, strengths = done
    results = {one.name: one for one in comparison.results}
    for loss in strengths.losses:
        assert loss.projecting["l1_outside"].mean == pytest.approx(results[PROJECTION].intervals["l1_outside"].mean)
        assert loss.both["l1_outside"].mean == pytest.approx(results[loss.method].intervals["l1_outside"].mean)
        whole = loss.projecting["l1_outside"].mean + loss.editing["l1_outside"].mean
        assert loss.both["l1_outside"].mean <= whole + 1e-6


@pytest.mark.slow
def test_even_footing_is_at_the_translators_response(done):
    task, methods, comparison, strengths = done
    latent = {method.name for method in methods if method.name.startswith("latent")}
    told = {(point.against, point.method) for point in strengths.even} | set(strengths.unmatched)
    assert told == {(a, b) for a in ("pix2pix", "cyclegan", "instagan") for b in latent}
    assert [point.share for point in strengths.curve] == [0.5, 1.0, 1.5] * len(latent)
    scores = {one.name: task.evaluator.labeller.score(one.images).mean() for one in comparison.results}
    for name, response in strengths.responses.items():
        assert response == pytest.approx(scores[name])
    assert all(0 <= point.share <= 1.5 for point in strengths.even)


@pytest.mark.slow
def test_a_finished_comparison_is_found_again(done, faceless, judge):
    task, _, comparison, _ = done
    again = make_edit_task(SMALL, faceless, judge, task.folder)
    names = ["latent-conditional", "instagan"]
    second = compare(again, edit_methods(again, names))
    first = {one.name: one for one in comparison.results}
    for other in second.results:
        one = first[other.name]
        assert torch.equal(one.images, other.images) and one.costs == other.costs
        for name, interval in one.intervals.items():
            assert other.intervals[name] == interval or np.isnan(interval.mean)


@pytest.mark.slow
def test_other_faces_want_another_folder_and_other_methods_do_not(done, faceless, judge):
    task, _, _, _ = done
    with pytest.raises(UserError, match="a comparison whose settings.seed_start is .*, not 5; ask"):
        make_edit_task(replace(SMALL, seed_start=5), faceless, judge, task.folder)
    make_edit_task(replace(SMALL, base_channels=5, projection_steps=3), faceless, judge, task.folder)


@pytest.mark.slow
def test_an_attribute_of_the_whole_face_may_change_all_of_it(done, components, judge):
    task, _, _, _ = done
    young = replace(task, settings=replace(SMALL, judged="young", conditions=("male",)))
    assert not young.evaluator.regions.any() and task.evaluator.regions.any()
    assert [measure.title for measure in young.measures if measure.name == "l1_outside"] == ["L1 to the photo"]
    shifted = task.shown() + 0.1
    assert young.evaluator.changes(task.shown(), shifted)["l1_outside"] == pytest.approx([0.05] * 2)


def test_pairs_give_two_sets_without_pairs(faceless, judge, tmp_path):
    task = make_edit_task(replace(SMALL, data="pairs", faces=6, held_out=2), faceless, judge, tmp_path)
    (row,) = compare(task, edit_methods(task, ["cyclegan"])).results
    assert not row.failure
    parts = [
        {path.stem for path in (tmp_path / "edited-latent-style" / name).iterdir()} for name in ("trainA", "trainB")
    ]
    assert [len(part) for part in parts] == [3, 3] and not parts[0] & parts[1]
    before, after = (
        torch.cat([images.load_image(path) for path in sorted((tmp_path / "edited-latent-style" / name).iterdir())])
        for name in ("trainA", "trainB")
    )
    assert after.mean() > before.mean()


# --- bad input ----------------------------------------------------------------------------------------------


def test_unknown_names_are_told(components, judge, tmp_path):
    with pytest.raises(UserError, match="no score is called 'dark'; there are bright"):
        make_edit_task(replace(SMALL, attribute="dark"), components, judge, tmp_path)
    with pytest.raises(UserError, match="knows no grin"):
        make_edit_task(replace(SMALL, judged="grin"), components, judge, tmp_path)
    with pytest.raises(UserError, match="real faces"):
        make_edit_task(replace(SMALL, data="real"), components, judge, tmp_path)


@pytest.mark.parametrize(
    "wrong",
    [{"faces": 1}, {"held_out": 1}, {"size": 32}, {"towards": "up"}, {"data": "x"}, {"epochs": {}}, {"judged": "male"}],
)
def test_settings_that_cannot_be_are_refused(wrong):
    with pytest.raises(UserError):
        replace(PRESETS["quick"], **wrong)


def test_a_domain_that_does_not_come_together_is_told(components, judge, tmp_path, monkeypatch):
    monkeypatch.setattr(labelled_faces, "_MOST_DRAWN", 192)
    rare = Components.load(components.generator, brightness(5.0), components.detector)
    with pytest.raises(UserError, match="only 0 of 192 faces are of the rarer domain"):
        make_edit_task(replace(SMALL, psi=0.1), rare, judge, tmp_path)


def test_the_scorer_that_labels_may_not_judge(judge):
    with pytest.raises(UserError, match="may not judge"):
        check_inputs(replace(SMALL, attribute="smiling"), scorers.load_scorer("attributes:smiling"), judge)


# --- strengths ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("towards", "sign"), [("positive", 1), ("negative", -1)])
def test_style_channels_are_found_and_each_face_is_brought_to_the_target(judge, tmp_path, towards, sign):
    """Of the known factors, the mouth is driven by one style channel, and by no other."""
    known = KnownFactors()
    settings = replace(SMALL, attribute="mouth", towards=towards, faces=60, held_out=6)
    task = make_edit_task(settings, Components.load(known, known.scorer()), judge, tmp_path, progress=False)
    lacking, having = (task.domains.source, task.domains.target)[::sign]
    assert having.is_positive("mouth").all() and not lacking.is_positive("mouth").any()
    direction = learn_style(task)
    assert direction.channels.names[np.argmax(np.abs(direction.vector))] == "b8.conv1:7"
    response = respond(task, direction, stage_of(False))
    assert response(calibrated(response)) == pytest.approx(0.9)
    ws, target = task.domains.held_source.ws(known.num_ws), target_of(task)
    found = search_strengths(task, ws, direction, search_settings(direction, response), stage_of(False))
    assert found.reached.all() and (sign * found.strengths > 0).all() and np.ptp(found.strengths) > 0
    assert (sign * (found.after - target.value) >= 0).all()
    beyond = sign * (task.domains.target.column("mouth") - target.value) >= 0
    assert beyond.mean() == pytest.approx(0.75, abs=0.02)


def test_the_calibrated_strength_is_interpolated():
    assert calibrated(Response((0.0, 1.0, 2.0, 4.0), (0.0, 0.5, 0.8, 1.0))) == pytest.approx(3.0)
    assert calibrated(Response((0.0, 1.0, 2.0), (0.0, 0.4, 0.2))) == 1.0  # the most that arrive


# --- defaults that fit each other ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inputs", "labelling", "judged"),
    [
        (EditInputs(), Labelling("fer", "happy"), "smiling"),
        (EditInputs(attribute="smile"), Labelling("fer", "happy"), "smiling"),
        (EditInputs(scorer="own.safetensors:young"), Labelling("own.safetensors:young", "young"), "young"),
        (EditInputs("young", judge="own.safetensors"), Labelling("attributes:young", "young"), "young"),
        (EditInputs("young", "a.safetensors:young", judged="male"), Labelling("a.safetensors:young", "young"), "male"),
    ],
)
def test_what_labels_and_what_is_judged_follow_from_the_attribute(inputs, labelling, judged, judge):
    assert choose_labelling(inputs) == labelling
    assert choose_judged(inputs, labelling, judge.names) == judged
    settings = complete_settings(PRESETS["quick"], inputs, labelling, judged)
    assert (settings.attribute, settings.judged) == (labelling.attribute, judged)
    assert judged not in settings.conditions and settings.related is None


def test_an_option_that_is_missing_is_named(judge):
    with pytest.raises(UserError, match="add --scorer FILE.safetensors:young"):
        choose_labelling(EditInputs(attribute="young"))
    with pytest.raises(UserError, match="the judge has no attribute sad: add --judged NAME"):
        choose_judged(EditInputs("sad"), Labelling("fer", "sad"), judge.names)


def test_conditions_and_related_attributes_can_be_chosen():
    inputs = EditInputs("young", conditions=("male", "eyeglasses"), related=("bags_under_eyes",))
    settings = complete_settings(PRESETS["quick"], inputs, Labelling("x", "young"), "young")
    assert settings.conditions == ("male", "eyeglasses") and settings.related == ("bags_under_eyes",)


# --- photos and real faces ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_photos_that_cannot_be_edited_are_left_out_with_a_reason(components, judge, tmp_path):
    """Two photos darker than the threshold, one that is brighter, and one of nobody."""
    photos, out = tmp_path / "photos", tmp_path / "out"
    for seed, gain, name in ((600, -0.2, "one"), (641, -0.2, "two"), (603, 0.2, "bright")):
        picture = resized(face(seed), 300)
        photo = on_grey(picture - picture.mean(), 420, 420, 60, 60) + components.scorer.level + gain
        images.save_image(photo.clamp(-1, 1), photos / f"{name}.png")
    images.save_image(torch.zeros(1, 3, 99, 99), photos / "nobody.png")
    settings = replace(SMALL, faces=2, held_out=2, projection_steps=1)
    task = make_edit_task(settings, components, judge, out, photos)
    assert task.names == ("one", "two") == tuple(task.labels) and task.inputs().shape == (2, 3, 256, 256)
    assert "target domain already" in task.left_out["bright.png"] and "no face" in task.left_out["nobody.png"]
    assert (task.evaluator.regions.sum(dim=(1, 2, 3)) > 20).all()
    methods = edit_methods(task, ["latent-mean"])
    comparison = compare(task, methods)
    assert [one.failure for one in comparison.results] == ["", ""]
    sections = edit_sections(comparison, Strengths((), (), {}, (), {}, ()))
    assert sections[0].title == "Photos left out" and len(sections[0].rows) == 2
    assert sections[0].note.startswith("2 of 4 photos were edited; 2 could not be (bright.png: it is of the target")
    paste_edits(comparison, photos)
    pasted, photo = images.load_image(out / "pasted" / "latent-mean" / "one.png"), images.load_image(photos / "one.png")
    assert pasted.shape == photo.shape and torch.equal(pasted[..., :20, :20], photo[..., :20, :20])


def test_too_few_photos_are_told(components, judge, tmp_path):
    for name in "abcd":
        images.save_image(torch.zeros(1, 3, 64, 64), tmp_path / "photos" / f"{name}.png")
    with pytest.raises(UserError, match=r"0 of 4 photos can be .* two are needed \(a.png: dlib.*; and 1 more\)"):
        make_edit_task(replace(SMALL, faces=2, held_out=2), components, judge, tmp_path / "out", tmp_path / "photos")


@pytest.mark.slow
def test_real_faces_are_parted_by_person(components, judge, tmp_path):
    """Ten persons with a picture of each kind: nobody is both learnt from and held out."""
    rows = ["image,identity,smiling"]
    for person in range(10):
        for smiling in (0, 1):
            picture = resized(face((600, 641, 603)[person % 3]), 200)  # darker than the threshold, and no two alike
            picture = (picture - picture.mean() + components.scorer.level - 0.2 - 0.01 * person).clamp(-1, 1)
            images.save_image(picture, tmp_path / "real" / f"{person}-{smiling}.png")
            rows.append(f"{person}-{smiling}.png,{person},{smiling}")
    labels = tmp_path / "labels.csv"
    labels.write_text("\n".join(rows) + "\n")
    settings = replace(SMALL, data="real", faces=3, held_out=2)
    real = RealFaces(tmp_path / "real", labels, "smiling")
    task = make_edit_task(settings, components, judge, tmp_path / "out", real=real)
    persons = {part: {p.stem[0] for p in (tmp_path / "out" / "set" / part).iterdir()} for part in ("trainA", "trainB")}
    kinds = {part: {p.stem[2] for p in (tmp_path / "out" / "set" / part).iterdir()} for part in ("trainA", "trainB")}
    assert kinds == {"trainA": {"0"}, "trainB": {"1"}} and {name[2] for name in task.names} == {"0"}
    assert not {name[0] for name in task.names} & (persons["trainA"] | persons["trainB"])
    again = make_edit_task(settings, components, judge, tmp_path / "out", real=real)
    assert again.names == task.names and again.held_out_key == task.held_out_key
    # Photos, renamed: one of a person to learn from, two of persons held out.
    photos = tmp_path / "photos"
    photos.mkdir()
    for name, person in (("x", min(persons["trainA"])), ("y", task.names[0][0]), ("z", task.names[1][0])):
        (photos / f"{name}.png").write_bytes((tmp_path / "real" / f"{person}-0.png").read_bytes())
    of_photos = make_edit_task(settings, components, judge, tmp_path / "out", photos, real)
    assert of_photos.names == ("y", "z") and "of the training set" in of_photos.left_out["x.png"]
    with pytest.raises(UserError, match="no column grin"):
        make_edit_task(settings, components, judge, tmp_path / "b", real=RealFaces(tmp_path / "real", labels, "grin"))
    with pytest.raises(UserError, match="lists 8 photos for set/trainA, and 9 are needed"):
        make_edit_task(replace(settings, faces=9), components, judge, tmp_path / "c", real=real)
    with pytest.raises(UserError, match="gives 0 faces for set/trainA, and 3 are needed .8 of its photos could not"):
        make_edit_task(settings, components, judge, tmp_path / "d", real=replace(real, folder=tmp_path / "nowhere"))


def test_a_mouth_is_found_where_it_is(components):
    region = find_mouth(resized(face(600), 256), components.detector, 64)[0, 0]
    rows, columns = (region > 0).nonzero().float().mean(dim=0)
    assert 38 < rows < 48 and 26 < columns < 38 and 20 < region.sum() < 500
    assert find_mouth(torch.zeros(1, 3, 256, 256), components.detector, 64) is None


# --- a distilled editor -------------------------------------------------------------------------------------


def save_editor(path, **card):
    network = EditorConfig(("other", "bright"), 4, 2, 1).build()
    with torch.no_grad():
        for weight in network.parameters():
            weight.uniform_(-0.3, 0.3)
    editor = Translator({"a2b": network}, {"method": "distilled", **card})
    editor.save(path)
    return editor


LEARNT = {"other": "x", "bright": "bright"}


@pytest.mark.parametrize("sign", [1, -1])
def test_a_given_editor_edits_by_the_tasks_score_and_its_sign(sign, tmp_path):
    task = SimpleNamespace(settings=SMALL, size=64, sign=sign, device=torch.device("cpu"))
    photos = torch.rand(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    learnt = {name: {"direction": name, "method": "m", "score": score} for name, score in LEARNT.items()}
    editor = save_editor(tmp_path / "e.safetensors", framing="ffhq", resolution=64, learnt=learnt)
    method = DistilledEdits(task, None)
    method.use_model(tmp_path / "e.safetensors")
    method.fit(task, tmp_path, silent)
    small = images.resize(photos, 64, 64)
    edit = FaceEditor(editor, strengths={"bright": float(sign)})
    expected = torch.cat([edit.translate(one) for one in small.split(1)])
    assert torch.equal(method.apply(photos), expected) and not torch.equal(expected, small)


def test_a_translator_that_edits_no_faces_is_refused(tmp_path):
    save_editor(tmp_path / "e.safetensors")
    method = DistilledEdits(SimpleNamespace(settings=SMALL, size=64, sign=1, device=torch.device("cpu")), None)
    with pytest.raises(UserError, match="latentlab distil"):
        method.use_model(tmp_path / "e.safetensors")


def test_what_is_distilled_has_seen_no_face_of_the_task():
    method = DistilledEdits(SimpleNamespace(settings=SMALL, size=64, sign=1, device=torch.device("cpu")), None)
    assert method.inputs["strips"]["seed_start"] >= SMALL.seed_start + 1_000_000
