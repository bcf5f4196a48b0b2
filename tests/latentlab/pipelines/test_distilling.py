"""Distilling directions into an editor, and photos edited by one: what changes, and what stays to the bit."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from latentlab import images
from latentlab.datasets.known_factors import KnownFactors
from latentlab.directions import Direction
from latentlab.directions.teaching import Teacher, with_teacher
from latentlab.errors import UserError
from latentlab.faces import FaceFound, align
from latentlab.files import images_in
from latentlab.mapping import ws_of_seeds
from latentlab.pipelines import Components
from latentlab.pipelines.distilling import (
    DistilSettings,
    FaceEditor,
    StripSettings,
    Taught,
    distil,
    is_face_editor,
    make_strips,
    renderer_for,
    taught_by,
)
from latentlab.rendering import Renderer
from latentlab.scorers import load_scorer
from latentlab.translation import Translator, load_translator
from latentlab.translation.methods.distilled import DistilledConfig
from latentlab.translation.networks import Editor, EditorConfig
from latentlab.translation.networks.editor import Layers
from latentlab.translation.shipped import shipped_editors
from latentlab.translation.training import TrainingSettings
from tests.conftest import stage_with
from tests.latentlab.projection.interrupted import kill_at

STRIPS = StripSettings(faces=4, resolution=32, held_out=0.25, seed_start=0, low=0.1, high=0.9)


@pytest.fixture(scope="module")
def render():
    return Renderer(KnownFactors(), 32)


@pytest.fixture(scope="module")
def taught(render):
    vector = render.generator.direction("ground").astype(np.float32)
    direction = Direction(vector, "ground", "known", generator=render.generator.fingerprint)
    return {"ground": Taught(direction, render.generator.scorer(), "ground")}


@pytest.fixture(scope="module")
def strips(render, taught, tmp_path_factory):
    folder = tmp_path_factory.mktemp("strips")
    make_strips(taught, render, STRIPS, folder, progress=False)
    return folder


# --- strips -------------------------------------------------------------------------------------------------


def test_strips_go_from_one_target_to_the_other(strips, taught):
    assert [len(images_in(strips / part / "ground")) for part in ("train", "test")] == [4, 1]
    scorer = taught["ground"].scorer
    for path in images_in(strips / "train" / "ground"):
        faces = torch.cat(images.load_image(path).split(32, dim=3))
        scores = scorer(faces)[:, scorer.names.index("ground")]
        assert len(faces) == len(STRIPS.levels)
        assert scores[0] < 0.12 and scores[-1] > 0.88 and (scores.diff() > -0.02).all()


def test_strips_follow_a_direction_along_which_its_score_falls(render, taught, tmp_path):
    towards_dark = -with_teacher(taught["ground"].direction, Teacher("ground"))
    make_strips({"dark": replace(taught["ground"], direction=towards_dark)}, render, STRIPS, tmp_path, progress=False)
    scorer = taught["ground"].scorer
    for path in images_in(tmp_path / "train" / "dark"):
        scores = scorer(torch.cat(images.load_image(path).split(32, dim=3)))[:, scorer.names.index("ground")]
        assert scores[0] > 0.88 and scores[-1] < 0.12, "at 1 it is dark"


def test_the_middle_of_a_strip_is_the_face_as_it_was_sampled(strips, render):
    path = images_in(strips / "train" / "ground")[0]
    face = render(ws_of_seeds(render.generator, [int(path.stem)], STRIPS.psi)).clamp(-1, 1)
    middle = images.load_image(path)[..., 64:96]
    assert torch.equal(images.to_bytes(middle), images.to_bytes(face))


def test_strips_that_were_stopped_go_on(strips, render, taught, tmp_path):
    class Stopped(Exception):
        pass

    def stop(done, total, note=""):
        if note:
            raise Stopped

    few = replace(STRIPS, batch_size=2)
    with pytest.raises(Stopped):
        make_strips(taught, render, few, tmp_path, stage_with(stop))
    assert json.loads((tmp_path / "ground.json").read_text())["tried"] == 2
    make_strips(taught, render, few, tmp_path, progress=False)
    for part in ("train", "test"):
        one, other = (images_in(folder / part / "ground") for folder in (tmp_path, strips))
        assert [path.name for path in one] == [path.name for path in other]
        assert all(a.read_bytes() == b.read_bytes() for a, b in zip(one, other, strict=True))
    with pytest.raises(UserError, match="high"):
        make_strips(taught, render, replace(few, high=0.8), tmp_path, progress=False)


def test_a_direction_that_leads_nowhere_is_told(render, taught, tmp_path):
    still = Direction(render.generator.direction("size").astype(np.float32), "ground", "known")
    nowhere = {"ground": replace(taught["ground"], direction=still)}
    with pytest.raises(
        UserError, match=r"of 64 faces the direction of ground brought \d to a ground of 0.1 and of 0.9"
    ):
        make_strips(nowhere, render, replace(STRIPS, batch_size=32), tmp_path, progress=False)


@pytest.mark.parametrize("wrong", [{"levels": (-1.0, 1.0)}, {"levels": (1.0, 0.0, -1.0)}, {"low": 0.9}, {"faces": 0}])
def test_strips_of_no_use_are_refused(wrong):
    with pytest.raises(UserError):
        replace(STRIPS, **wrong)


def test_the_generator_renders_no_less_than_the_faces(render):
    components = Components.load(render.generator)
    assert renderer_for(components, 32).resolution == 64, "a small generator at its own resolution"
    with pytest.raises(UserError, match="renders 64 pixels at most"):
        renderer_for(components, 128)
    with pytest.raises(UserError, match="multiple of 8 pixels"):
        DistilSettings.for_resolution(100)
    with pytest.raises(UserError, match="editor of 128 pixels learns from faces as large or larger, not of 32"):
        DistilSettings(STRIPS)


def test_a_mixed_precision_renders_nearly_the_same_in_bfloat16(render):
    components = Components.load(render.generator)
    ws = ws_of_seeds(render.generator, [0], 0.7)
    exact, mixed = (renderer_for(components, 32, precision)(ws) for precision in ("32-true", "bf16-mixed"))
    assert mixed.dtype is torch.float32, "what is rendered is float32 either way"
    torch.testing.assert_close(mixed, exact, atol=0.1, rtol=0)


def test_what_taught_a_direction_is_on_its_card(taught, render):
    with pytest.raises(UserError, match="does not say which score taught it"):
        taught_by(taught["ground"].direction, Components.load(render.generator))


# --- from directions to an editor ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def editor(strips, render, taught):
    """A toy, trained for seconds; its strips are there already."""
    method = replace(DistilledConfig(EditorConfig(("ground",), 8, 2, 1)), perceptual_weight=0.0)
    training = TrainingSettings(epochs=60, batch_size=4, learning_rate=3e-3, betas=(0.9, 0.999))
    folder = strips.parent / "distilled"
    folder.mkdir()
    strips.rename(folder / "strips")
    found = distil(taught, render, folder, DistilSettings(STRIPS, method, training, 32), progress=False)
    (folder / "strips").rename(strips)
    return found


def test_editors_of_several_resolutions_learn_from_the_same_strips(strips, render, taught, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in images_in(strips / "train" / "ground")}
    method = replace(DistilledConfig(EditorConfig(("ground",), 4, 2, 1)), perceptual_weight=0.0)
    settings = DistilSettings(STRIPS, method, TrainingSettings(epochs=1, batch_size=2), 16)
    found = distil(taught, render, tmp_path, settings, progress=False, strips=strips)
    assert found.card["resolution"] == 16 and not (tmp_path / "strips").exists()
    assert before == {path: path.stat().st_mtime_ns for path in images_in(strips / "train" / "ground")}


def test_an_editor_edits_faces_by_strengths_of_either_sign(editor, strips, taught):
    scorer = taught["ground"].scorer
    faces = torch.cat([images.load_image(path)[..., 64:96] for path in images_in(strips / "train" / "ground")])

    def score(strengths):
        return float(scorer(editor(faces, strengths=strengths)[0])[:, scorer.names.index("ground")].mean())

    low, unedited, high = (score({"ground": strength}) for strength in (-1, 0, 1))
    assert low + 0.2 < unedited < high - 0.1
    assert score(None) == high, "1 is the default"


def test_its_card_says_what_it_learnt(editor, render, tmp_path):
    editor.save(tmp_path / "editor.safetensors")
    loaded = load_translator(tmp_path / "editor.safetensors")
    assert is_face_editor(loaded) and loaded.network("a2b").attributes == ("ground",)
    card = loaded.card
    assert card["generator"] == render.generator.fingerprint and card["resolution"] == 32
    assert card["learnt"] == {
        "ground": {
            "direction": "ground",
            "method": "known",
            "score": "ground",
            "reversed": False,
            "low": 0.1,
            "high": 0.9,
        }
    }
    assert card["training"]["data"]["faces"] == {"ground": 4}


def test_editors_that_come_with_the_package_edit_faces():
    for name in shipped_editors():
        found = load_translator(name)
        assert is_face_editor(found) and name in found.network("a2b").attributes


@pytest.mark.weights
def test_the_shipped_editor_puts_smiles_on_and_takes_them_away():
    """Seeds that it has not learnt from, judged by a classifier that taught nothing."""
    components, judge = Components.load("mobile-ffhq"), load_scorer("attributes-judge:smiling")
    generator = components.generator
    faces = components.renderer(256)(ws_of_seeds(generator, list(range(320_000, 320_008)), 0.7)).clamp(-1, 1)
    smiling, serious = (
        torch.cat(
            [FaceEditor(load_translator("smile"), strengths={"smile": s}).translate(one) for one in faces.split(1)]
        )
        for s in (1.0, -1.0)
    )
    assert (judge(smiling) > 0.5).sum() >= 7 and (judge(serious) < 0.5).sum() >= 7
    untouched = (smiling == faces).all(dim=1).float().mean()
    assert untouched > 0.3, "hair and background stay to the bit"


KILLED = """
import sys
from contextlib import contextmanager
from pathlib import Path
from latentlab.translation.training import loop
from tests.latentlab.pipelines.test_distilling import small_job
loop.SAVE_SECONDS = 0.0

@contextmanager
def stage(title, unit="image"):
    def step(done, total, note=""):
        print(f"{title} {done}", flush=True)
        if f"{title} {done}" == "LINE":
            sys.stdin.readline()
    yield step

small_job(Path(sys.argv[1]), stage)
"""


def small_job(folder, progress=False):
    render = Renderer(KnownFactors(), 32)
    vector = render.generator.direction("ground").astype(np.float32)
    taught = {"ground": Taught(Direction(vector, "ground", "known"), render.generator.scorer(), "ground")}
    method = replace(DistilledConfig(EditorConfig(("ground",), 4, 2, 1)), perceptual_weight=0.0)
    training = TrainingSettings(epochs=4, batch_size=2, ema=0.9)
    settings = DistilSettings(replace(STRIPS, batch_size=2), method, training, 32)
    return distil(taught, render, folder, settings, progress=progress)


@pytest.mark.slow
def test_a_distillation_that_is_killed_goes_on_to_the_same_editor(tmp_path):
    killed = tmp_path / "killed"
    for line, kept in (("editing ground 4", "ground.json"), ("training 10", "step-*")):
        kill_at(KILLED.replace("LINE", line), killed, line)
        assert list(killed.rglob(kept)) and not (killed / "translator.safetensors").exists()
    again, whole = (small_job(folder).network("a2b").state_dict() for folder in (killed, tmp_path / "whole"))
    torch.testing.assert_close(again, whole, atol=1e-6, rtol=1e-5)


# --- photos -------------------------------------------------------------------------------------------------


class Marking(Editor):
    """Adds its strength to the red of the mouth's place, and so little everywhere that no eye sees it.

    Of what was there a share stays.
    """

    def __init__(self, kept=1.0):
        super().__init__(EditorConfig(("mark",), 4, 1, 1))
        self.kept = kept

    def layers(self, images, strengths):
        kept, added = torch.ones_like(images[:, :1]), torch.full_like(images, 1e-3)
        kept[..., 20:26, 10:22] = self.kept
        added[:, :1, 20:26, 10:22] += 0.15 * strengths[:, :1, None, None]
        return Layers(kept, added, torch.ones_like(kept))


class Detector:
    """Finds the faces that it was told of, by eyes and mouth."""

    name = "told"

    def __init__(self, *centres, size):
        self.faces = [self._face(np.array(centre), size) for centre in centres]

    @staticmethod
    def _face(centre, size):
        landmarks = np.tile(centre.astype(float), (68, 1))
        landmarks[36:42] += [-size, 0]
        landmarks[42:48] += [size, 0]
        landmarks[48:68] += [0, 2 * size]
        return FaceFound((*(centre - size), *(centre + size)), landmarks, 1.0)

    def __call__(self, photo):
        return self.faces


@pytest.fixture
def marking():
    return Translator({"a2b": Marking().eval()}, {"framing": "ffhq", "resolution": 32})


def noise(height, width):
    """A photo whose neighbouring pixels differ: what is resampled shows."""
    drawn = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0)) - 0.5
    return images.to_bytes(drawn).float() / 127.5 - 1


def sharpness(image):
    return float((image - torch.nn.functional.avg_pool2d(image, 3, 1, 1)).std())


def test_a_large_photo_stays_to_the_bit_outside_and_sharp_within(marking):
    """The face is eight times as large as the editor sees it."""
    photo, detector = noise(420, 400), Detector((200, 150), size=60)
    made = FaceEditor(marking, detector).translate(photo)
    geometry = align(photo, detector, 32)[0].geometry
    assert made.shape == photo.shape and geometry.length > 7 * 32
    changed = np.argwhere((made != photo).any(dim=1)[0].numpy())[:, ::-1] + 0.5  # (x, y)
    (x0, y0), (x1, y1) = geometry.to_crop(changed).min(0), geometry.to_crop(changed).max(0)
    assert 8 < x0 < 11 and 21 < x1 < 24 and 18 < y0 < 21 and 25 < y1 < 28, "a kernel's reach around what was edited"
    (left, top), (right, bottom) = np.rint(geometry.to_photo(np.array([[12.0, 22.0], [20.0, 24.0]]))).astype(int)
    inside = (slice(None), slice(0, 1), slice(top, bottom), slice(left, right))
    assert float((made - photo)[inside].mean()) == pytest.approx(0.15, abs=0.01)
    assert sharpness(made[inside]) == pytest.approx(sharpness(photo[inside]), rel=0.02)


def test_detail_of_what_was_replaced_goes_with_it():
    face = noise(256, 256)
    inside = (slice(None), slice(0, 1), slice(8 * 22, 8 * 24), slice(8 * 12, 8 * 20))
    for kept, stays in ((1.0, 1.0), (0.9, 0.9), (0.5, 0.0), (0.0, 0.0)):
        editor = Translator({"a2b": Marking(kept).eval()}, {"framing": "ffhq", "resolution": 32})
        made = FaceEditor(editor).translate(face)
        assert sharpness(made[inside]) == pytest.approx(stays * sharpness(face[inside]), abs=0.03)
        assert torch.equal(made[:, :, :128], face[:, :, :128])


def test_all_faces_of_a_photo_are_edited(marking):
    photo, detector = noise(260, 520), Detector((110, 110), (370, 110), size=40)
    change = FaceEditor(marking, detector, {"mark": -1.0}).translate(photo) - photo
    assert change[..., :260].min() < -0.1 and change[..., 260:].min() < -0.1


def test_a_small_face_is_edited_too(marking):
    photo, detector = noise(40, 40), Detector((20, 16), size=5)
    change = FaceEditor(marking, detector).translate(photo) - photo
    assert change[0, 0].max() > 0.1 and not change[..., :16, :].any()


@pytest.mark.parametrize("side", [16, 32, 128])
def test_aligned_faces_keep_their_size_and_need_no_detector(marking, side):
    face = noise(side, side)
    change = FaceEditor(marking).translate(face) - face
    assert change[0, 0, side * 23 // 32, side // 2] == pytest.approx(0.15, abs=0.02)
    assert not change[:, :, : side // 2].any()


def test_nothing_changes_at_strength_0(marking, editor):
    photo, detector = noise(260, 260), Detector((130, 110), size=40)
    for one, name in ((marking, "mark"), (editor, "ground")):
        assert torch.equal(FaceEditor(one, detector, {name: 0.0}).translate(photo), photo)


def test_what_cannot_be_edited_is_refused(marking):
    with pytest.raises(UserError, match=r"beach\.png: told finds no face"):
        FaceEditor(marking, Detector(size=1)).translate(noise(40, 40), "beach.png")
    with pytest.raises(UserError, match="an aligned face is square, not 40x50"):
        FaceEditor(marking).translate(noise(50, 40))
    with pytest.raises(UserError, match="no attribute frown; it has mark"):
        FaceEditor(marking, None, {"frown": 1.0})
    with pytest.raises(UserError, match=r"strengths lie in -1.5 … 1.5, of which -1 … 1 were learnt, unlike 2 of mark"):
        FaceEditor(marking, None, {"mark": 2.0})
    with pytest.raises(UserError, match="not distilled"):
        FaceEditor(Translator({"a2b": Marking()}, {}))


# --- the command line ---------------------------------------------------------------------------------------


def test_photos_are_edited_by_command(editor, run, refused, tmp_path):
    file, faces, out = tmp_path / "editor.safetensors", tmp_path / "faces", tmp_path / "out"
    editor.save(file)
    images.save_image(noise(64, 64), faces / "one.png")
    images.save_image(noise(64, 80), faces / "wide.png")
    apply = ("translate", "apply", file, faces, "--out", out, "--aligned")
    code, told, err = run(*apply, "--strength", "-0.5")
    assert code == 2 and "1 of 2" in told and "wide.png: an aligned face is square" in err.splitlines()[-1]
    made = images.load_image(out / "one.png")
    expected = FaceEditor(editor, None, {"ground": -0.5}).translate(images.load_image(faces / "one.png"))
    assert torch.equal(images.to_bytes(made), images.to_bytes(expected)) and made.shape[2:] == (64, 64)
    assert "no effect with an editor of faces" in refused(*apply, "--size", 32)
    assert "such as ground=0.5, not 'wide'" in refused(*apply, "--strength", "wide")
    assert "two strengths of ground" in refused(*apply, "--strength", 1, "--strength", "ground=0.5")
    assert "no attribute smile; it has ground" in refused(*apply, "--strength", "smile=1")


def test_bad_command_lines_are_refused(refused, tmp_path):
    out = ("--out", tmp_path / "e.safetensors")
    assert "written as .safetensors" in refused("distil", "--direction", "smile", "--out", tmp_path / "e.pth")
    assert "has one twice" in refused("distil", "--direction", "smile", "--direction", "smile", *out)
    assert "multiple of 16 pixels" in refused("distil", "--direction", "smile", "--size", 264, *out)
    assert not list(tmp_path.iterdir())
