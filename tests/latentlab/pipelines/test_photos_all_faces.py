"""All faces of a photo: each with a folder of its own, and the photo with all of them edited."""

import json
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch

import stylegan2
from latentlab import images
from latentlab.cli.photos import parse_face
from latentlab.directions import Direction
from latentlab.errors import UserError
from latentlab.latents import load_latents
from latentlab.perceptual import load_perceptual
from latentlab.pipelines import Components, PhotoEditSettings, PhotoSettings, edit_photo, edit_photos
from latentlab.projection import DEFAULTS, Projection
from latentlab.scorers import FunctionScorer
from tests.conftest import TINY, make_tiny

pytestmark = pytest.mark.weights

SETTINGS = PhotoEditSettings(DEFAULTS["w+"].shortened(2), None, face="all", attribute="bright")
SCORER = FunctionScorer(("bright",), lambda pictures: torch.sigmoid(pictures[:, 0].mean((1, 2))))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Photos: of two persons, the second so small that its resolution is poor, and of nobody."""
    path = tmp_path_factory.mktemp("photos")
    generator = stylegan2.load("mobile-ffhq")
    ws = generator.mapping(stylegan2.z_from_seeds([641, 613], generator.z_dim), psi=0.7)
    made = generator.synthesis(ws, resolution=256)
    photo = torch.linspace(-0.5, 0.5, 500).expand(1, 3, 280, 500).clone()
    photo[..., 10:266, 10:266] = made[:1]
    photo[..., 90:200, 350:460] = images.reduce(made[1:], 110)
    images.save_image(photo, path / "group.png")
    images.save_image(torch.zeros(1, 3, 200, 200), path / "blank.png")
    return path


@pytest.fixture(scope="module")
def tiny():
    return make_tiny(replace(TINY, resolution=32))


@pytest.fixture(scope="module")
def components(tiny):
    return Components.load(tiny, SCORER, perceptual=load_perceptual("alex"))


@pytest.fixture(scope="module")
def direction(tiny):
    return Direction(np.eye(32, dtype=np.float32)[0], "bright", "m", generator=tiny.fingerprint)


def stage_noting(steps):
    """A stage that notes the steps of the projection."""

    def stage(title, unit="image"):
        def step(done, total, note=""):
            if title == "projecting":
                steps.append((done, total))

        return nullcontext(step)

    return stage


@pytest.fixture(scope="module")
def edited(components, direction, folder):
    paths = [folder / "blank.png", folder / "group.png"]
    return list(edit_photos(paths, direction, [-2.0, 2.0], components, SETTINGS, folder / "out", progress=False))


def test_every_face_has_a_folder_and_the_photo_has_them_all(edited, folder):
    (blank, failed), *done = edited
    assert blank == folder / "blank.png" and "finds no face" in str(failed)
    assert [path for path, _ in done] == [folder / "group.png"] * 2
    assert [result.folder.name for _, result in done] == ["group-1", "group-2"]
    assert [result.portrait.title for _, result in done] == [f"{folder / 'group.png'}, face {k}" for k in (1, 2)]
    assert sorted(path.name for path in (folder / "out" / "group").iterdir()) == ["photo_+2.png", "photo_-2.png"]
    photo = images.load_image(folder / "group.png")
    both = images.load_image(folder / "out" / "group" / "photo_+2.png")
    first, second = (images.load_image(folder / "out" / f"group-{k}" / "photo_+2.png") for k in (1, 2))
    assert torch.equal(both[..., :280], first[..., :280]) and not torch.equal(first[..., :280], photo[..., :280])
    assert torch.equal(both[..., 300:], second[..., 300:]) and not torch.equal(second[..., 300:], photo[..., 300:])
    assert torch.equal(first[..., 300:], photo[..., 300:]) and torch.equal(second[..., :280], photo[..., :280])


def test_reports_say_which_face_it_is(edited, folder):
    own = folder / "out" / "group-2"
    assert json.loads((own / "report.json").read_text())["face"] == 2
    assert (own / "report.md").read_text().startswith("# group.png, face 2: bright\n")
    names = [check.name for check in edited[-1][1].portrait.before]
    assert "resolution" in names and "faces in the photo" not in names, "that there are several is no doubt here"


def test_done_faces_are_found_again(edited, components, direction, folder):
    steps = []
    again = edit_photos(
        [folder / "group.png"], direction, [-2.0, 2.0], components, SETTINGS, folder / "out", stage_noting(steps)
    )
    for (_, one), (_, other) in zip(again, edited[1:], strict=True):
        assert torch.equal(one.portrait.ws, other.portrait.ws)
    assert steps == [(2, 4), (4, 4)], "a face at a time, with no step between"


def test_a_face_that_is_left_out_is_named_and_stays_as_it_is(components, direction, folder, tmp_path):
    settings = replace(SETTINGS, strict=True)
    results = list(edit_photos([folder / "group.png"], direction, [2.0], components, settings, tmp_path, False))
    (_, failed), (_, done) = results
    assert str(failed).startswith(f"{folder / 'group.png'}, face 2 is left out: resolution")
    assert done.folder == tmp_path / "group-1" and not (tmp_path / "group-2").exists()
    photo, finished = images.load_image(folder / "group.png"), images.load_image(tmp_path / "group" / "photo_+2.png")
    assert torch.equal(finished[..., 300:], photo[..., 300:]) and not torch.equal(finished, photo)


def test_edits_have_their_latents(edited, direction):
    for _, result in edited[1:]:
        for edit in result.edits:
            wanted = result.portrait.ws + edit.strength * torch.from_numpy(direction.vector)
            torch.testing.assert_close(edit.ws, wanted)


def test_photos_that_are_called_like_a_face_are_refused(components, direction, folder, tmp_path):
    paths = [folder / "group.png", folder / "Group-1.png"]
    with pytest.raises(UserError, match=r"Group-1\.png and face 1 of .*group\.png would both be written as Group-1"):
        list(edit_photos(paths, direction, [1.0], components, SETTINGS, tmp_path, False))
    with pytest.raises(UserError, match="edit_photo edits one face"):
        edit_photo(folder / "group.png", direction, [1.0], components, SETTINGS, tmp_path)
    with pytest.raises(UserError, match="all, or counted from 1, the largest, not 'most'"):
        PhotoSettings(face="most")


def test_faces_are_named_on_the_command_line():
    assert [parse_face(text) for text in ("all", "largest", "1", "12")] == ["all", 1, 1, 12]
    for text in ("0", "-1", "both", "1.5", ""):
        with pytest.raises(UserError, match="all, largest, or its number"):
            parse_face(text)


def test_commands_take_all_faces_and_save_all_latents(run, tiny, direction, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stylegan2.save(tiny, "tiny.safetensors")
    direction.save("bright.safetensors")
    words = [folder / "group.png", "--network", "tiny.safetensors", "--steps", 2, "--no-tune", "--face", "all"]
    code, out, err = run("project", *words, "--out", "out", "--save-latents", "codes.npz")
    assert code == 0, err
    assert f"{folder / 'group.png'}, face 2: resolution" in out and f"\n{folder / 'group.png'}, face 1\n" in out
    assert out.endswith("latents are in codes.npz, in the order group-1, group-2\n")
    codes = load_latents("codes.npz")
    for k in (1, 2):
        kept = Projection.load(f"out/group-{k}/projection.safetensors").ws(tiny)
        assert torch.equal(codes[[k - 1]], kept)
    more = ["--direction", "bright.safetensors", "--strengths=0.5,1", "--out", "out", "--save-latents", "edited.pt"]
    code, out, err = run("edit", "--photo", *words, *more)
    assert code == 0, err
    assert f"{folder / 'group.png'} with 2 faces edited is in out/group\n" in out
    assert out.endswith("latents are in edited.pt, in the order group-1 +0.5, group-1 +1, group-2 +0.5, group-2 +1\n")
    moved = codes.repeat_interleave(2, dim=0) + torch.tensor([0.5, 1] * 2)[:, None, None] * torch.eye(32)[0]
    torch.testing.assert_close(load_latents("edited.pt"), moved)
