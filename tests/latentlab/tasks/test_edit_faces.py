"""The comparison of edits: every method on a tiny generator, and photos, labels and strengths on known answers."""

import csv
from dataclasses import replace

import numpy as np
import pytest
import torch

from latentlab import images, scorers
from latentlab.comparison import compare, write_report
from latentlab.errors import UserError
from latentlab.scorers import FunctionScorer
from latentlab.tasks.edit_faces import (
    FLOOR,
    METHODS,
    PRESETS,
    EditLab,
    EditSettings,
    RealFaces,
    Strengths,
    check_inputs,
    edit_methods,
    edit_sections,
    faces,
    make_edit_task,
    paste_edits,
    strengths_of,
)
from latentlab.tasks.edit_faces.faces import mouth_of
from latentlab.tasks.edit_faces.latent import Response
from stylegan2.sampling import z_from_seeds
from tests.conftest import TINY, make_tiny
from tests.latentlab.faces.generated import face, on_grey, resized

SMALL = EditSettings(
    attribute="bright",
    size=64,
    faces=8,
    held_out=2,
    width=4,
    epochs={"pix2pix": 0.5, "cyclegan": 0.25, "instagan": 0.25},
    projection_steps=2,
)


def brightness(threshold, sharpness=40.0):
    """Above ½ for pictures that are brighter than the threshold on the whole."""

    def score(pictures):
        return torch.sigmoid(sharpness * (pictures.clamp(-1, 1).mean(dim=(1, 2, 3)) - threshold))

    found = FunctionScorer(("bright",), score, fingerprint=f"brightness above {threshold:.4f}")
    found.threshold = threshold
    return found


@pytest.fixture(scope="module")
def lab():
    tiny = make_tiny(replace(TINY, resolution=64))
    with torch.no_grad():
        ws = tiny.mapping(z_from_seeds(range(64), tiny.z_dim), psi=0.7)
        median = float(tiny.synthesis(ws).clamp(-1, 1).mean(dim=(1, 2, 3)).median())
    return EditLab.of(tiny, brightness(median), scorers.load_attributes())


@pytest.fixture(scope="module")
def done(lab, tmp_path_factory):
    """All methods on the tiny generator."""
    folder = tmp_path_factory.mktemp("compared")
    task = make_edit_task(SMALL, lab, folder)
    methods = edit_methods(task)
    comparison = compare(task, methods)
    return task, methods, comparison, strengths_of(comparison, methods)


def test_every_method_is_compared_and_told(done):
    task, _, comparison, strengths = done
    assert [row.name for row in comparison.rows] == [FLOOR, *METHODS]
    assert [row.failure for row in comparison.rows] == [""] * 7
    page = write_report(comparison, "a command", edit_sections(comparison, strengths), [FLOOR]).read_text()
    for words in ("At the same response", "Where latent methods lose", "What is gained against what is kept", *METHODS):
        assert words in page
    table = list(csv.DictReader((task.folder / "table.csv").open()))
    assert {(row["method"], row["figure"]) for row in table} >= {
        (name, figure.name) for name in METHODS for figure in task.figures
    }


def test_latent_methods_reach_what_they_were_calibrated_to(done):
    """The pictures are a mapping of their brightness and little else: nine in ten training faces arrive."""
    _, methods, _, _ = done
    svm = next(method for method in methods if method.name == "latent-svm")
    strength = svm.response.calibrated()
    assert svm.response.first(svm.response.arrived, 0.9) == strength
    assert np.diff(svm.response.scores).min() > -0.05


def test_no_face_is_in_two_parts_and_photos_lie_in_the_source(done):
    task, _, _, _ = done
    domains = task.domains
    parts = [set(part.seeds) for part in (domains.source, domains.target, domains.held_source, domains.held_target)]
    assert [len(part) for part in parts] == [8, 8, 2, 2] and len(set.union(*parts)) == 20
    assert not domains.held_source.is_positive("bright").any() and domains.held_target.is_positive("bright").all()
    assert [int(name) for name in task.names] == list(domains.held_source.seeds)
    assert task.inputs().shape == (2, 3, 64, 64)  # the generator's own size, where that is below a photo's


def test_unfound_faces_are_counted_and_not_hidden(done):
    _, _, comparison, _ = done
    for row in comparison.rows:  # a tiny generator's pictures show nobody
        assert np.isnan(row.columns["identity"]).all() and row.figures["identity"].missing == 2
        assert not np.isnan(row.columns["lpips_outside"]).any()


def test_losses_add_up_to_what_the_rows_say(done):
    task, _, comparison, strengths = done
    rows = {row.name: row for row in comparison.rows}
    for loss in strengths.losses:
        assert loss.projecting["l1_outside"].mean == pytest.approx(rows[FLOOR].figures["l1_outside"].mean)
        assert loss.both["l1_outside"].mean == pytest.approx(rows[loss.method].figures["l1_outside"].mean)
        whole = loss.projecting["l1_outside"].mean + loss.editing["l1_outside"].mean
        assert loss.both["l1_outside"].mean <= whole + 1e-6


def test_even_footing_is_at_the_translators_response(done):
    _, methods, _, strengths = done
    latent = {method.name: method for method in methods if method.name.startswith("latent")}
    told = {(point.against, point.method) for point in strengths.even} | set(strengths.unmatched)
    assert told == {(a, b) for a in ("pix2pix", "cyclegan", "instagan") for b in latent}
    for point in strengths.even:
        response = latent[point.method].response
        sigma = latent[point.method].direction.sigma
        assert np.interp(point.sigmas * sigma, response.strengths, response.scores) >= 0.999 * min(
            strengths.responses[point.against], response.scores[-1]
        )


def test_a_finished_comparison_is_found_again(done, lab):
    task, _, comparison, _ = done
    again = make_edit_task(SMALL, lab, task.folder)
    names = ["latent-conditional", "instagan"]
    second = compare(again, edit_methods(again, names))
    first = {row.name: row for row in comparison.rows}
    for other in second.rows:
        one = first[other.name]
        assert torch.equal(one.pictures, other.pictures) and one.costs == other.costs
        for name, interval in one.figures.items():
            assert other.figures[name] == interval or np.isnan(interval.mean)


def test_other_faces_want_another_folder_and_other_methods_do_not(done, lab):
    task, _, _, _ = done
    with pytest.raises(UserError, match="other faces"):
        make_edit_task(replace(SMALL, seed_start=5), lab, task.folder)
    make_edit_task(replace(SMALL, width=5, projection_steps=3), lab, task.folder)


def test_losing_the_attribute_is_the_reverse(lab, tmp_path):
    task = make_edit_task(replace(SMALL, towards="negative", faces=4, held_out=2), lab, tmp_path)
    assert task.domains.source.is_positive("bright").all() and not task.domains.target.is_positive("bright").any()
    (floor, svm) = compare(task, edit_methods(task, ["latent-svm"])).rows
    assert task.score(svm.pictures).mean() > task.score(floor.pictures).mean()
    assert svm.pictures.mean() < floor.pictures.mean()


def test_an_attribute_of_the_whole_face_may_change_all_of_it(done, lab):
    task, _, _, _ = done
    young = replace(task, settings=replace(SMALL, judged="young", conditions=("male",)))
    assert not young.regions.any() and task.regions.any()
    assert [figure.title for figure in young.figures if figure.name == "l1_outside"] == ["L1 to the photo"]
    shifted = task.shown() + 0.1
    assert young.changes(task.shown(), shifted)["l1_outside"] == pytest.approx([0.05] * 2)


def test_pairs_give_two_sets_without_pairs(lab, tmp_path):
    task = make_edit_task(replace(SMALL, data="pairs", faces=6, held_out=2), lab, tmp_path)
    (row,) = compare(task, edit_methods(task, ["cyclegan"])).rows
    assert not row.failure
    parts = [{path.stem for path in (tmp_path / "edited_set" / name).iterdir()} for name in ("trainA", "trainB")]
    assert [len(part) for part in parts] == [3, 3] and not parts[0] & parts[1]
    before, after = (
        torch.cat([images.load_image(path) for path in sorted((tmp_path / "edited_set" / name).iterdir())])
        for name in ("trainA", "trainB")
    )
    assert after.mean() > before.mean()


# --- bad input ----------------------------------------------------------------------------------------------


def test_unknown_names_are_told(lab, tmp_path):
    with pytest.raises(UserError, match="no score is called 'dark'; there are bright"):
        make_edit_task(replace(SMALL, attribute="dark"), lab, tmp_path)
    with pytest.raises(UserError, match="knows no grin"):
        make_edit_task(replace(SMALL, judged="grin"), lab, tmp_path)
    with pytest.raises(UserError, match="real faces"):
        make_edit_task(replace(SMALL, data="real"), lab, tmp_path)


@pytest.mark.parametrize(
    "wrong",
    [{"faces": 1}, {"held_out": 1}, {"size": 32}, {"towards": "up"}, {"data": "x"}, {"epochs": {}}, {"judged": "male"}],
)
def test_settings_that_cannot_be_are_refused(wrong):
    with pytest.raises(UserError):
        replace(PRESETS["quick"], **wrong)


def test_a_domain_that_does_not_come_together_is_told(lab, tmp_path, monkeypatch):
    monkeypatch.setattr(faces, "_MOST_DRAWN", 192)
    rare = replace(lab, scorer=brightness(5.0))
    with pytest.raises(UserError, match="only 0 are of the rarer domain"):
        make_edit_task(replace(SMALL, psi=0.1), rare, tmp_path)


def test_the_scorer_that_labels_may_not_judge(lab):
    with pytest.raises(UserError, match="may not judge"):
        check_inputs(replace(SMALL, attribute="smiling"), scorers.load_scorer("attributes:smiling"), lab.judge)


# --- responses ----------------------------------------------------------------------------------------------


def test_the_first_strength_is_interpolated():
    response = Response((0.0, 1.0, 2.0, 4.0), (0.1, 0.3, 0.7, 0.6), (0.0, 0.5, 0.8, 1.0))
    assert response.first(response.scores, 0.5) == pytest.approx(1.5)
    assert response.first(response.scores, 0.1) == 0.0 and response.first(response.scores, 0.71) is None
    assert response.calibrated() == pytest.approx(3.0)
    assert Response((0.0, 1.0, 2.0), (0.1, 0.4, 0.3), (0.0, 0.4, 0.2)).calibrated() == 1.0  # the most that arrive


# --- photos and real faces ----------------------------------------------------------------------------------


def test_photos_that_cannot_be_edited_are_left_out_with_a_reason(lab, tmp_path):
    """Two photos darker than the threshold, one that is brighter, and one of nobody."""
    photos, out = tmp_path / "photos", tmp_path / "out"
    for seed, gain, name in ((600, -0.2, "one"), (641, -0.2, "two"), (603, 0.2, "bright")):
        picture = resized(face(seed), 300)
        photo = on_grey(picture - picture.mean(), 420, 420, 60, 60) + lab.scorer.threshold + gain
        images.save_image(photo.clamp(-1, 1), photos / f"{name}.png")
    images.save_image(torch.zeros(1, 3, 99, 99), photos / "nobody.png")
    task = make_edit_task(replace(SMALL, faces=2, held_out=2), lab, out, photos)
    assert task.names == ("one", "two") and task.inputs().shape == (2, 3, 256, 256)
    assert "target domain already" in task.left_out["bright.png"] and "no face" in task.left_out["nobody.png"]
    assert (task.regions.sum(dim=(1, 2, 3)) > 20).all()
    methods = edit_methods(task, ["latent-mean"])
    comparison = compare(task, methods)
    assert [row.failure for row in comparison.rows] == ["", ""]
    sections = edit_sections(comparison, Strengths((), (), {}, (), ()))
    assert sections[0].title == "Photos left out" and len(sections[0].rows) == 2
    paste_edits(comparison, photos)
    pasted, photo = images.load_image(out / "pasted" / "latent-mean" / "one.png"), images.load_image(photos / "one.png")
    assert pasted.shape == photo.shape and torch.equal(pasted[..., :20, :20], photo[..., :20, :20])


def test_too_few_photos_are_told(lab, tmp_path):
    images.save_image(torch.zeros(1, 3, 64, 64), tmp_path / "photos" / "a.png")
    with pytest.raises(UserError, match="of 1 photos 0 can be edited, and two are needed"):
        make_edit_task(replace(SMALL, faces=2, held_out=2), lab, tmp_path / "out", tmp_path / "photos")


def test_real_faces_are_parted_by_person(lab, tmp_path):
    """Ten persons with a picture of each kind: nobody is both learnt from and held out."""
    rows = ["image,identity,smiling"]
    for person in range(10):
        for smiling in (0, 1):
            picture = resized(face((600, 641, 603)[person % 3]), 200)  # darker than the threshold, and no two alike
            picture = (picture - picture.mean() + lab.scorer.threshold - 0.2 - 0.01 * person).clamp(-1, 1)
            images.save_image(picture, tmp_path / "real" / f"{person}-{smiling}.png")
            rows.append(f"{person}-{smiling}.png,{person},{smiling}")
    labels = tmp_path / "labels.csv"
    labels.write_text("\n".join(rows) + "\n")
    settings = replace(SMALL, data="real", faces=3, held_out=2)
    real = RealFaces(tmp_path / "real", labels, "smiling")
    task = make_edit_task(settings, lab, tmp_path / "out", real=real)
    persons = {part: {p.stem[0] for p in (tmp_path / "out" / "set" / part).iterdir()} for part in ("trainA", "trainB")}
    kinds = {part: {p.stem[2] for p in (tmp_path / "out" / "set" / part).iterdir()} for part in ("trainA", "trainB")}
    assert kinds == {"trainA": {"0"}, "trainB": {"1"}} and {name[2] for name in task.names} == {"0"}
    assert not {name[0] for name in task.names} & (persons["trainA"] | persons["trainB"])
    again = make_edit_task(settings, lab, tmp_path / "out", real=real)
    assert again.names == task.names and again.held_out_key == task.held_out_key
    # Photos, renamed: one of a person to learn from, two of persons held out.
    photos = tmp_path / "photos"
    photos.mkdir()
    for name, person in (("x", min(persons["trainA"])), ("y", task.names[0][0]), ("z", task.names[1][0])):
        (photos / f"{name}.png").write_bytes((tmp_path / "real" / f"{person}-0.png").read_bytes())
    of_photos = make_edit_task(settings, lab, tmp_path / "d", photos, real)
    assert of_photos.names == ("y", "z") and "of the training set" in of_photos.left_out["x.png"]
    with pytest.raises(UserError, match="no column grin"):
        make_edit_task(settings, lab, tmp_path / "b", real=RealFaces(tmp_path / "real", labels, "grin"))
    with pytest.raises(UserError, match="9 are asked for"):
        make_edit_task(replace(settings, faces=9), lab, tmp_path / "c", real=real)


def test_a_mouth_is_found_where_it_is(lab):
    region = mouth_of(resized(face(600), 256), lab, 64)[0, 0]
    rows, columns = (region > 0).nonzero().float().mean(dim=0)
    assert 38 < rows < 48 and 26 < columns < 38 and 20 < region.sum() < 500
    assert mouth_of(torch.zeros(1, 3, 256, 256), lab, 64) is None
