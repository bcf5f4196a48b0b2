"""Photos of visitors: faces, projections, the queue, and that the recipe gives the edited photo again."""

import runpy
import shlex
import subprocess
import sys

import numpy as np
import pytest
import torch
from conftest import make_tiny

import stylegan2
from latentlab.directions import Direction
from latentlab.errors import UserError
from latentlab.images import load_image, reduce, save_image
from latentlab.latents import save_latents
from latentlab.pipelines import Components
from latentlab.pipelines.photos import photo_recipe
from latentlab.studio.dragging import Moves, drag_face
from latentlab.studio.exporting import export
from latentlab.studio.faces import CodeFace, PhotoFace, SeedFace
from latentlab.studio.kept import kept_face
from latentlab.studio.networks import Networks
from latentlab.studio.photos import edit_queue, project_face
from latentlab.studio.session import Edit, Session
from latentlab.studio.working import Cancelled, Report
from stylegan2 import z_from_seeds
from stylegan2.config import GeneratorConfig

pytest.importorskip("dlib")
pytestmark = [pytest.mark.weights, pytest.mark.slow]

RECIPE = photo_recipe(steps=1, tune=False)


CONFIG = GeneratorConfig(resolution=64, z_dim=16, w_dim=16, mapping_layers=2, channel_base=512, channel_max=16)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("photos")


@pytest.fixture(scope="module")
def networks(place):
    """Tiny networks: what is tried is the way of the photos, not how they look."""
    stylegan2.save(make_tiny(CONFIG), place / "tiny.safetensors")
    return Networks(Components.load(place / "tiny.safetensors"))


@pytest.fixture(scope="module")
def direction(networks):
    vector = np.eye(1, CONFIG.w_dim, dtype=np.float32)[0]
    return Direction(vector, "bright", "m", generator=networks.components.generator.fingerprint)


@pytest.fixture(scope="module")
def layered(networks):
    """A direction with a row for each layer."""
    rows = np.zeros((networks.num_ws, CONFIG.w_dim), dtype=np.float32)
    rows[:6, 1] = 1
    return Direction(rows, "other", "m", "w+", generator=networks.components.generator.fingerprint)


@pytest.fixture(scope="module")
def photo(place):
    """Two persons, the second one smaller."""
    generator = stylegan2.load("mobile-ffhq")
    with torch.inference_mode():
        ws = generator.mapping(z_from_seeds([641, 655], generator.z_dim), psi=0.7)
        faces = reduce(generator.synthesis(ws), 512)
    both = torch.full((3, 512, 800), 0.3)
    both[:, :, :512] = faces[0]
    both[:, 128:384, 528:784] = reduce(faces[1:], 256)[0]
    save_image(both, place / "two.png")
    return place / "two.png"


@pytest.fixture(scope="module")
def portrait(networks, photo, place):
    return project_face(networks.faces(photo)[1], networks.components, RECIPE, place / "projections", Report())


def test_faces_are_found_once_the_largest_first(networks, photo):
    faces = networks.faces(photo)
    assert [face.number for face in faces] == [1, 2]
    assert faces[0].face.geometry.length > faces[1].face.geometry.length
    assert networks.faces(photo) is faces


def test_a_photo_without_a_face_is_told_by_its_name(networks, tmp_path):
    save_image(torch.zeros(3, 64, 64), tmp_path / "empty.png")
    with pytest.raises(UserError) as error:
        networks.faces(tmp_path / "empty.png")
    assert "empty.png" in str(error.value)
    assert str(tmp_path) not in str(error.value)


def test_python_and_command_give_the_edited_photo_again_from_what_is_exported(
    networks, direction, photo, portrait, tmp_path, monkeypatch, run
):
    kept, out = tmp_path / "photos" / "two.png", tmp_path / "export"
    kept.parent.mkdir()
    kept.write_bytes(photo.read_bytes())
    face = PhotoFace(kept, 2, RECIPE)
    networks.keep(face, portrait)
    session = Session(face, own={"mine": direction}).to(Edit.of({"mine": 6.0}), 0.0)
    made = export(session, ["PNG", "recipe"], networks, out, progress=False)
    names = {"image.png", "again.py", "again.sh", "mine.safetensors", "two.png"}
    assert {path.name for path in made} == {path.name for path in out.iterdir()} == names
    kept.unlink()  # nothing but the exported files is read
    monkeypatch.chdir(out)
    image = load_image("image.png")
    assert image.shape == load_image(photo).shape
    changed = (image - load_image(photo)).abs()
    assert float(changed[..., 550:].max()) > 0.1 > 0.02 > float(changed[..., :450].max())  # one person, not the other
    runpy.run_path("again.py")
    assert float((load_image("again.png") - image).abs().max()) * 127.5 <= 1.01
    code, _, errors = run(*shlex.split((out / "again.sh").read_text())[1:])
    assert code == 0, errors
    (edited,) = (out / "again").glob("*/photo_*.png")
    assert float((load_image(edited) - image).abs().max()) * 127.5 <= 1.01


def test_a_photo_that_is_kept_no_more_is_told(networks, portrait, tmp_path):
    face = PhotoFace(tmp_path / "gone.png", 2, RECIPE)
    networks.keep(face, portrait)
    with pytest.raises(UserError, match=r"^gone\.png is not kept here any more.*load it again"):
        export(Session(face), ["recipe"], networks, tmp_path / "out", progress=False)


@pytest.fixture(scope="module")
def refined(networks, photo, place):
    recipe = photo_recipe(steps=2)
    portrait = project_face(networks.faces(photo)[1], networks.components, recipe, place / "refined", Report())
    assert portrait.tuned.delta.refined
    return PhotoFace(photo, 2, recipe), portrait


def test_the_face_of_a_photo_is_dragged_in_its_photo_and_kept(networks, photo, refined, tmp_path):
    face, portrait = refined
    networks.keep(face, portrait)
    subject, moves = networks.subject(face), Moves.parse("20,20 > 30,20")
    path = drag_face(subject, (), moves, None, 2, tmp_path / "dragged-1" / "dragged.safetensors", Report(), face)
    dragged = networks.subject(CodeFace(path, face))
    assert kept_face(sorted(path.parent.iterdir()), {"two.png": photo}.__getitem__) == CodeFace(path, face)
    assert dragged.preview.generator is portrait.generator
    changed = (dragged.full(()) - subject.full(())).abs()  # by little: this tiny generator's w has hardly any spread
    assert float(changed[..., 550:].max()) > 0 == float(changed[..., :450].max())


def run_exported(folder):
    """Run the exported command as a process, as a shell does."""
    words = [sys.executable, "-m", *shlex.split((folder / "again.sh").read_text())]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


def nearest(one, other):
    return float((load_image(one) - load_image(other)).abs().max()) * 127.5


def test_a_process_gives_a_face_with_two_directions_again(networks, direction, layered, tmp_path):
    own = {"mine": direction, "other": layered}
    session = Session(SeedFace(3), own=own).to(Edit.of({"mine": 1.5, "other": -2.0}, (0, 3)), 0.0)
    export(session, ["PNG", "recipe"], networks, tmp_path, progress=False)
    run_exported(tmp_path)
    (made,) = (tmp_path / "again").glob("*.png")
    assert nearest(made, tmp_path / "image.png") == 0


def test_a_process_gives_a_dragged_photo_with_two_directions_again(
    networks, direction, layered, photo, portrait, tmp_path
):
    kept, path = tmp_path / "image.png", tmp_path / "dragged-1" / "dragged.safetensors"
    kept.write_bytes(photo.read_bytes())
    face = PhotoFace(kept, 2, RECIPE)
    networks.keep(face, portrait)
    path.parent.mkdir()
    save_latents(portrait.ws - 2 * torch.from_numpy(direction.vector), path)
    own = {"mine": direction, "other": layered}
    session = Session(CodeFace(path, face), own=own).to(Edit.of({"mine": 3.0, "other": -2.0}), 0.0)
    made = export(session, ["PNG", "recipe"], networks, tmp_path / "out", progress=False)
    read = {"photo-image.png", "dragged.safetensors", "mine.safetensors", "other.safetensors"}
    assert {one.name for one in made} == {"image.png", "again.py", "again.sh", *read}
    assert all(name in (tmp_path / "out" / "again.py").read_text() for name in read)
    kept.unlink()  # nothing but the exported files is read
    run_exported(tmp_path / "out")
    (edited,) = (tmp_path / "out" / "again").glob("*/photo_*.png")
    assert nearest(edited, tmp_path / "out" / "image.png") <= 1.01
    assert "+3 bright -2 other" in (edited.parent / "report.md").read_text().replace("\N{MINUS SIGN}", "-")


def test_python_gives_a_dragged_photo_again(networks, direction, refined, tmp_path, monkeypatch):
    face, portrait = refined
    networks.keep(face, portrait)
    path = tmp_path / "dragged-1" / "dragged.safetensors"
    path.parent.mkdir()
    save_latents(portrait.ws - 6 * torch.from_numpy(direction.vector), path)
    dragged = CodeFace(path, face)
    changed = (networks.subject(dragged).full(()) - networks.subject(face).full(())).abs()
    assert float(changed[..., 550:].max()) > 0.1
    session = Session(dragged, own={"mine": direction}).to(Edit.of({"mine": 3.0}), 0.0)
    made = export(session, ["PNG", "recipe"], networks, tmp_path / "out", progress=False)
    read = {"two.png", "dragged.safetensors", "mine.safetensors"}
    assert {one.name for one in made} == {"image.png", "again.py", "again.sh", *read}
    monkeypatch.chdir(tmp_path / "out")
    runpy.run_path("again.py")
    assert nearest("again.png", "image.png") <= 1.01


def test_what_was_dragged_from_a_photo_goes_with_its_portrait(networks, portrait, refined, tmp_path):
    face, own = refined
    networks.keep(face, own)
    save_latents(own.ws, tmp_path / "dragged.safetensors")
    dragged = CodeFace(tmp_path / "dragged.safetensors", face)
    assert networks.subject(dragged).portrait is own
    for number in range(4):  # as many as are kept
        networks.keep(PhotoFace(tmp_path / f"{number}.png", 1, RECIPE), portrait)
    with pytest.raises(UserError, match="two.png, face 2 is not open any more: project it again"):
        networks.subject(dragged)


def test_a_queue_goes_on_after_a_bad_photo(networks, direction, photo, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no image")
    paths, steps = [tmp_path / "bad.png", photo], [(direction, 6.0)]
    done = []
    failures = edit_queue(paths, networks, steps, RECIPE, tmp_path / "out", Report(), done)
    assert done == [tmp_path / "out" / "two.png"]
    assert [failure.startswith("bad.png is not an image") for failure in failures] == [True]
    assert load_image(tmp_path / "out" / "two.png").shape == load_image(photo).shape


def test_a_cancelled_projection_goes_on_where_it_was(networks, photo, tmp_path):
    report = Report()
    shown = []

    def show(image):
        shown.append(image)
        report.cancel()

    report.show = show
    with pytest.raises(Cancelled):
        project_face(networks.faces(photo)[0], networks.components, photo_recipe(steps=3), tmp_path, report)
    assert len(shown) == 1
    assert not list(tmp_path.glob("two-1/*"))
