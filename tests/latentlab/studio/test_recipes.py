"""Images and exports of edited faces, and that the recipe beside them gives the same image again."""

import runpy
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch

from latentlab.directions import load_direction, match_layers
from latentlab.errors import UserError
from latentlab.images import load_image, reduce, to_pil
from latentlab.latents import load_latents
from latentlab.pipelines import Components
from latentlab.pipelines.photos import photo_recipe
from latentlab.studio.exporting import EXPORTS, export
from latentlab.studio.faces import Mix, PhotoFace, SeedFace
from latentlab.studio.networks import Networks
from latentlab.studio.recipes import combined_styles, recipe_of
from latentlab.studio.session import Edit, Session

pytestmark = pytest.mark.weights

PLAIN, MIXED = SeedFace(600), SeedFace(601, 0.8, Mix(602, 8, 15))


@pytest.fixture(scope="module")
def networks():
    return Networks(Components.load())


def session_of(face, strengths=(), layers=None, own=()):
    return Session(face, own=dict(own)).to(Edit.of(dict(strengths), layers), 0.0)


CASES = {
    "a face": session_of(PLAIN),
    "styles": session_of(PLAIN, {"smile": 6.5}),
    "some layers of one's own": session_of(PLAIN, {"mine": 1.2}, (2, 6), {"mine": load_direction("smile-w")}),
    "several, on a mixed face": session_of(MIXED, {"smile": 4, "age": -3, "yaw": 1.5, "eyeglasses": 1.25}, (0, 7)),
    "several of w": session_of(PLAIN, {"smile-w": 1, "yaw": -1.5}),
}


def nearest(path, image):
    """Largest difference of an image file to an image, in levels of 8 bits."""
    return float((load_image(path) - image.clamp(-1, 1)).abs().max()) * 127.5


@pytest.mark.parametrize("name", CASES)
def test_python_and_command_give_the_same_image_again(name, networks, tmp_path, monkeypatch, run):
    session = CASES[name]
    files = export(session, ["PNG", "recipe"], networks, tmp_path, progress=False)
    assert {path.name for path in files} >= {"image.png", "again.py", "again.sh"}
    monkeypatch.chdir(tmp_path)
    image = load_image("image.png")
    runpy.run_path("again.py")
    assert nearest("again.png", image) <= 1.01
    code, _, errors = run(*shlex.split((tmp_path / "again.sh").read_text())[1:])
    assert code == 0, errors
    (made,) = [path for path in (tmp_path / "again").glob("*.png") if path.name != "grid.png"]
    assert nearest(made, image) <= 1.01


def test_exports_are_of_the_edit(networks, tmp_path):
    session = session_of(PLAIN, {"smile-w": 1.25, "smile": 3}, (0, 5))
    made = export(session, [one for one in EXPORTS if one != "MP4"], networks, tmp_path, progress=False)
    names = {"image.png", "code.npz", "code.safetensors", "edit.safetensors", "again.py", "again.sh"}
    assert sorted(path.name for path in made) == sorted(names)
    direction = match_layers(load_direction("smile-w"), networks.num_ws, range(6))
    wanted = networks.subject(PLAIN).latents["ws"] + 1.25 * torch.from_numpy(direction.rows(networks.num_ws))
    for name in ("code.npz", "code.safetensors"):
        torch.testing.assert_close(load_latents(tmp_path / name), wanted)


def test_the_walk_goes_from_the_face_to_its_edit(networks, tmp_path, monkeypatch):
    imageio = pytest.importorskip("imageio.v2")
    monkeypatch.setattr("latentlab.studio.exporting.FRAMES", 4)
    export(session_of(PLAIN, {"smile": 9}), ["MP4"], networks, tmp_path, progress=False)
    frames = [np.asarray(frame, float) for frame in imageio.get_reader(tmp_path / "walk.mp4")]
    assert len(frames) == 4
    first = levels_of(networks, ())
    last = levels_of(networks, [(load_direction("smile"), 9)])
    assert np.abs(frames[0] - first).mean() < np.abs(frames[0] - last).mean()
    assert np.abs(frames[2] - last).mean() < np.abs(frames[2] - first).mean()


def levels_of(networks, steps):
    """The face at these steps, as bytes `(512, 512, 3)`."""
    return np.asarray(to_pil(reduce(networks.subject(PLAIN).full(steps), 512)), float)


@pytest.mark.parametrize(
    ("session", "kinds", "said"),
    [
        (session_of(PLAIN), ["MP4"], "move a slider"),
        (session_of(PLAIN), [], "choose among"),
        (session_of(PLAIN), ["EXE"], "not EXE"),
        (Session(), ["PNG"], "pick a face"),
        (session_of(PLAIN, {"gone": 1}), ["PNG"], "no direction gone"),
        (session_of(SeedFace(1, mix=Mix(2, 10, 99))), ["PNG"], "rows of ws are 0 to 15"),
        (session_of(PLAIN, {"eyeglasses": 1}, (12, 15)), ["PNG"], "none of these layers"),
        (session_of(PhotoFace(Path("me.jpg"), 1, photo_recipe())), ["PNG"], "project it again"),
    ],
)
def test_what_cannot_be_exported_is_told_and_nothing_is_written(session, kinds, said, networks, tmp_path):
    with pytest.raises(UserError, match=said):
        export(session, kinds, networks, tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()


def test_styles_combine_to_one_direction(networks):
    smile, age, yaw = (load_direction(name) for name in ("smile", "age", "yaw"))
    steps = [(smile, 4.0), (age, -3.0), (smile, -1.0), (yaw, 2.0)]
    direction, strength = combined_styles(steps)
    subject = networks.subject(PLAIN)
    with torch.inference_mode():
        apart = subject.previewed([(smile, 3.0), (age, -3.0)])
        torch.testing.assert_close(subject.previewed([(direction, strength)]), apart, atol=1e-3, rtol=0)
    assert combined_styles([(yaw, 2.0)]) is None
    assert combined_styles([(smile, 2.0), (smile, -2.0)]) is None


def test_figures_tell_what_an_edit_does(networks):
    subject, steps = networks.subject(SeedFace(601)), [(load_direction("smile"), 8.0)]
    figures = networks.figures(subject, steps)
    before, after = figures.scores["happy"]
    assert before < 0.5 < after
    assert 0.5 < figures.identity < 1
    assert figures.why_unknown == ""
    moved = [(load_direction("yaw"), 3.0)]
    assert networks.figures(subject, moved).distance != pytest.approx(figures.distance)


def test_own_directions_are_checked_and_named_without_their_folder(networks, tmp_path):
    np.save(tmp_path / "mine.npy", np.eye(1, 512, dtype=np.float32)[0])
    assert networks.own_direction(tmp_path / "mine.npy").generator == networks.components.generator.fingerprint
    (tmp_path / "bad.npy").write_bytes(b"nothing")
    np.save(tmp_path / "short.npy", np.ones(7, dtype=np.float32))
    for name in ("bad.npy", "short.npy"):
        with pytest.raises(UserError) as error:
            networks.own_direction(tmp_path / name)
        assert str(tmp_path) not in str(error.value)
    assert recipe_of(session_of(PLAIN), networks).files == ()
