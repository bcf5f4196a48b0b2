"""`latentlab align`: the files it writes, and what it says of photos that fail."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import stylegan2
from latentlab import images
from latentlab.cli import app as app_module
from latentlab.cli import main
from latentlab.faces import CropGeometry, FaceFound
from latentlab.faces.cropping import cut


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs `latentlab align …`; gives exit code, standard output and standard error."""
    # A setting of the whole process, which the suite is not to have.
    monkeypatch.setattr(app_module, "keep_freed_memory", lambda: True)

    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["latentlab", "align", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return ended.value.code or 0, out, err

    return call


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """A folder with one face, two faces, none, and a file that is no picture."""
    folder = tmp_path_factory.mktemp("photos")
    generator = stylegan2.load("mobile-ffhq")
    with torch.inference_mode():
        one, other = (
            images.reduce(generator(stylegan2.z_from_seeds([seed], generator.z_dim), psi=0.7), side)
            for seed, side in ((600, 256), (604, 200))
        )
    pair = torch.zeros(1, 3, 300, 500)
    pair[:, :, 20:276, 10:266], pair[:, :, 50:250, 280:480] = one, other
    images.save_image(one, folder / "one.png")
    images.save_image(pair, folder / "pair.png")
    images.save_image(torch.zeros(3, 80, 80), folder / "wall.png")
    (folder / "notes.png").write_text("no picture")
    return folder


@pytest.mark.weights
def test_the_files_hold_the_face_and_the_way_back(run, photos, tmp_path):
    code, out, err = run(photos / "one.png", "--out", tmp_path, "--resolution", 128)
    assert code == 0, err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.json", "one.png"]
    data = json.loads((tmp_path / "one.json").read_text())
    assert (data["detector"], data["photo"], data["warnings"]) == ("dlib68", str(photos / "one.png"), [])
    assert abs(data["pose"]["roll"]) < 5
    assert FaceFound.from_dict(data["face"]).landmarks.shape == (68, 2)
    geometry = CropGeometry.from_dict(data["geometry"])
    again = images.to_bytes(cut(images.load_image(photos / "one.png"), geometry))
    assert torch.equal(again, images.to_bytes(images.load_image(tmp_path / "one.png")))
    assert ": 1, of 1 photos" in out


@pytest.mark.weights
def test_all_faces_are_numbered(run, photos, tmp_path):
    code, out, _ = run(
        photos / "pair.png", photos / "one.png", "--out", tmp_path, "--resolution", 64, "--faces", "all",
        "--detector", "dlib5",
    )  # fmt: skip
    assert code == 0
    assert {path.name for path in tmp_path.glob("*.png")} == {"pair-1.png", "pair-2.png", "one-1.png"}
    assert FaceFound.from_dict(json.loads((tmp_path / "pair-2.json").read_text())["face"]).landmarks.shape == (5, 2)
    assert ": 3, of 2 photos" in out


@pytest.mark.weights
def test_a_face_is_chosen_by_its_number_as_elsewhere(run, photos, tmp_path):
    words = ["--resolution", 64, "--show"]
    code, out, err = run(photos / "pair.png", photos / "one.png", "--out", tmp_path, "--face", 2, *words)
    assert code == 2 and "one.png has 1 face, and the face 2 is asked for" in err
    assert {path.name for path in tmp_path.glob("*.png")} == {"pair.png", "pair-found.png"}
    assert "pair.png: face 2: " in out and ": 1, of 2 photos; 1 failed" in out
    run(photos / "pair.png", "--out", tmp_path / "all", "--face", "all", *words)
    second = json.loads((tmp_path / "all" / "pair-2.json").read_text())
    assert json.loads((tmp_path / "pair.json").read_text())["geometry"] == second["geometry"]
    code, _, err = run(photos / "pair.png", "--face", "0")
    assert code == 2 and "a face is all, largest, or its number from 1" in err


@pytest.mark.weights
def test_bad_photos_are_named_after_the_good_ones_are_done(run, photos, tmp_path):
    names = ["wall.png", "notes.png", "pair.png", "missing.png"]
    code, out, err = run(*(photos / name for name in names), "--out", tmp_path, "--resolution", 64)
    assert code == 2
    lines = [line for line in err.splitlines() if line.startswith("latentlab: ")]
    assert len(lines) == 3
    assert all(
        str(photos / name) in line for name, line in zip(["wall.png", "notes.png", "missing.png"], lines, strict=True)
    )
    assert (tmp_path / "pair.png").exists() and ": 1, of 4 photos; 3 failed" in out
    assert f"{photos / 'pair.png'}: pair: 2 faces; the largest was taken" in out


@pytest.mark.weights
def test_photos_of_one_name_are_refused_before_anything_is_written(run, photos, tmp_path):
    code, _, err = run("a/x.jpg", "b/X.png", "--out", tmp_path / "out")
    assert code == 2 and "a/x.jpg and b/X.png would both" in err
    assert not (tmp_path / "out").exists()


def test_the_other_commands_do_not_need_dlib():
    code = "import sys, latentlab.cli; sys.exit('dlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
