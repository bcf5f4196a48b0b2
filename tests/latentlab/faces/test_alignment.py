"""Finding faces and cutting them out, with dlib on generated faces."""

import sys

import numpy as np
import pytest
import torch
from generated import aligned, detector, face, on_grey, psnr, resized
from PIL import Image
from scipy.spatial.transform import Rotation

from latentlab import faces, images
from latentlab.errors import UserError
from latentlab.faces import FaceFound, NoFace, Points, align, align_files, pose_of, quad_of
from latentlab.faces.pose import FACE


class Fixed:
    """Another detector: it knows where the faces are."""

    name = "fixed"

    def __init__(self, *landmarks: np.ndarray) -> None:
        self.landmarks = landmarks

    def __call__(self, photo: torch.Tensor) -> list[FaceFound]:
        return [FaceFound((*points.min(0), *points.max(0)), points, 1.0) for points in self.landmarks]


def turned(yaw: float, pitch: float = 0, roll: float = 0, size: float = 100) -> np.ndarray:
    """68 landmarks of the average face, turned and seen at 300, 300; those it does not have lie between its eyes."""
    model = np.zeros((68, 3))
    for number, position in FACE.items():
        model[number] = position
    for numbers, corners in ((range(36, 42), (36, 39)), (range(42, 48), (42, 45))):
        for number in set(numbers) - set(corners):
            model[number] = (model[corners[0]] + model[corners[1]]) / 2
    return Rotation.from_euler("yxz", [yaw, pitch, roll], degrees=True).apply(model)[:, :2] * size + 300


@pytest.mark.weights
@pytest.mark.parametrize("seed", [600, 604])
@pytest.mark.parametrize("name", ["dlib68", "dlib5"])
def test_a_generated_face_is_framed_as_it_was_generated(seed, name):
    (found,) = detector(name)(face(seed))
    frame = np.array([[0, 0], [0, 1024], [1024, 1024], [1024, 0]])
    assert np.linalg.norm(quad_of(Points.of(found.landmarks)) - frame, axis=1).max() < 0.06 * 1024


@pytest.mark.weights
def test_landmarks_follow_the_face():
    (before,) = detector()(face())
    for side, left, top in ((180, 30, 60), (1400, 500, 20)):
        (after,) = detector()(on_grey(resized(face(), side), 2000, 1500, left, top))
        wanted = before.landmarks * side / 1024 + (left, top)
        assert np.abs(after.landmarks - wanted).max() < 0.02 * side
        assert np.abs(after.landmarks - wanted).mean() < 0.005 * side


@pytest.mark.weights
@pytest.mark.parametrize("side", [60, 180, 4500])
def test_small_and_huge_pictures(side):
    (crop,) = align(resized(face(), side), detector(), 128)
    assert crop.geometry.length == pytest.approx(side, rel=0.04)
    assert ("small" in " ".join(crop.warnings)) == (side == 60)
    assert psnr(crop.image, align(face(), detector(), 128)[0].image) > 22


@pytest.mark.weights
def test_pictures_of_all_kinds_give_the_same_face(tmp_path):
    image = images.to_pil(resized(face(), 400))
    image.save(tmp_path / "plain.png")
    image.convert("RGBA").save(tmp_path / "transparent.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by 90 degrees
    image.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=exif)
    grey = np.asarray(image.convert("L"))
    Image.fromarray(grey).save(tmp_path / "grey.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    names = ["plain.png", "transparent.png", "turned.png", "grey.png", "deep.png"]
    found = {path.name: result[0] for path, result in align_files([tmp_path / n for n in names], detector(), 128)}
    for name, crop in found.items():
        assert crop.geometry.quad == pytest.approx(found["plain.png"].geometry.quad, abs=8), name
    assert torch.equal(found["plain.png"].image, found["turned.png"].image)
    assert torch.equal(found["plain.png"].image, found["transparent.png"].image)
    assert psnr(found["grey.png"].image, found["deep.png"].image) > 60


@pytest.mark.weights
def test_of_several_faces_the_largest_or_all():
    photo = on_grey(resized(face(600), 300), 1000, 600, 20, 100)
    photo[:, :, 50:550, 400:900] = resized(face(604), 500)
    (largest,) = align(photo, detector(), 64)
    assert 400 < largest.face.landmarks[:, 0].mean() < 900
    assert largest.warnings == ("2 faces; the largest was taken",)
    both = align(photo, detector(), 64, which="all")
    assert [round(crop.geometry.length, -2) for crop in both] == [500, 300]
    assert all(crop.warnings == () for crop in both)


@pytest.mark.weights
def test_without_a_face_the_photo_is_named_and_the_batch_goes_on(tmp_path):
    images.save_image(torch.zeros(3, 90, 120), tmp_path / "wall.png")
    (tmp_path / "notes.jpg").write_text("no picture")
    images.save_image(resized(face(), 200), tmp_path / "face.png")
    images.save_image(face().rot90(1, (2, 3)), tmp_path / "lying.png")
    paths = [tmp_path / name for name in ("wall.png", "notes.jpg", "missing.png", "lying.png", "face.png")]
    results = dict(align_files(paths, detector(), 64))
    for path in paths[:4]:
        assert isinstance(results[path], UserError) and str(path) in str(results[path])
    assert isinstance(results[paths[0]], NoFace) and "upright" in str(results[paths[3]])
    assert len(results[paths[4]]) == 1


@pytest.mark.weights
def test_a_face_cut_by_the_border_is_said():
    (cut,) = align(face()[:, :, :, :717], detector(), 64)
    assert "the face is cut by the photo's border" in cut.warnings
    assert "30% of the crop lie beyond the photo and are made up" in cut.warnings


@pytest.mark.parametrize(("yaw", "said"), [(20, False), (-20, False), (50, True), (-50, True)])
def test_a_face_turned_away_is_said(yaw, said):
    (crop,) = align(torch.zeros(1, 3, 600, 600), Fixed(turned(yaw)), 64)
    assert any("turned away by about 50 degrees" in warning for warning in crop.warnings) == said


@pytest.mark.weights
@pytest.mark.parametrize("angles", [(0, 0, 0), (30, 0, 0), (-25, 15, 0), (10, -20, 40), (5, 5, -170)])
def test_the_pose_of_the_average_face(angles):
    landmarks = turned(*angles)
    pose = pose_of(landmarks)
    assert (pose.yaw, pose.pitch, pose.roll) == pytest.approx(angles, abs=0.1)
    five = pose_of(landmarks[[45, 42, 36, 39, 33]])
    assert (five.yaw, five.pitch, five.roll) == pytest.approx(angles, abs=0.1)


@pytest.mark.weights
def test_a_mirrored_face_looks_the_other_way():
    found, mirrored = (detector()(picture)[0] for picture in (face(604), face(604).flip(3)))
    assert pose_of(found.landmarks).yaw == pytest.approx(-pose_of(mirrored.landmarks).yaw, abs=5)


@pytest.mark.weights
def test_what_was_found_survives_json():
    _, crop = aligned()
    again = FaceFound.from_dict(crop.to_dict()["face"])
    assert again.box == crop.face.box and again.score == crop.face.score
    assert np.array_equal(again.landmarks, crop.face.landmarks)


@pytest.mark.weights
def test_without_dlib_its_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(UserError, match="pip install dlib-bin"):
        faces.load_detector()


@pytest.mark.weights
def test_an_unknown_detector_is_refused():
    with pytest.raises(UserError, match="dlib68, dlib5, dlib68-aligned"):
        faces.load_detector("mtcnn")


@pytest.mark.weights
def test_two_photos_at_once_are_refused():
    with pytest.raises(ValueError, match=r"\(1, 3"):
        detector()(torch.zeros(2, 3, 50, 50))
