"""Faces that are known: aligned crops, and landmarks or boxes out of files."""

import json

import numpy as np
import pytest
import torch
from generated import aligned, detector, face, on_grey, resized

from latentlab import images
from latentlab.errors import UserError
from latentlab.faces import Points, align, align_files, quad_of
from latentlab.faces.given import GivenFaces

pytestmark = pytest.mark.weights


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    """A photo with a face, and what a detector finds of it."""
    path = tmp_path_factory.mktemp("given") / "photo.png"
    images.save_image(aligned()[0], path)
    return path, align(images.load_image(path), detector(), 256)[0]


def taken(path, faces):
    ((_, found),) = align_files([path], GivenFaces(faces), 256)
    if isinstance(found, UserError):
        raise found
    return found


def five_of(landmarks):
    """The five points that most detectors give."""
    points = Points.of(landmarks)
    return np.stack([points.eye_left, points.eye_right, landmarks[30], landmarks[48], landmarks[54]])


@pytest.mark.parametrize("form", ["points", "named", "list", "stem"])
def test_68_landmarks_frame_the_face_as_the_detector_that_found_them(photo, tmp_path, form):
    path, found = photo
    points = found.face.landmarks.tolist()
    data = {"points": points, "named": {"landmarks": points}, "list": [{"landmarks": points}], "stem": points}[form]
    name = "photo" if form == "stem" else "photo.png"
    (tmp_path / "faces.json").write_text(json.dumps({name: data}))
    (again,) = taken(path, tmp_path / "faces.json")
    assert torch.equal(again.image, found.image)
    assert np.array_equal(again.face.landmarks, found.face.landmarks)


def test_five_points_give_the_crop_and_the_other_landmarks_are_predicted(photo, tmp_path):
    path, found = photo
    cells = ",".join(f"{value:.3f}" for value in five_of(found.face.landmarks).ravel())
    (tmp_path / "faces.csv").write_text(f"image,x1,y1\nphoto.png,{cells}\n")
    (again,) = taken(path, tmp_path / "faces.csv")
    torch.testing.assert_close(again.geometry.quad, found.geometry.quad, atol=0.01, rtol=0)
    assert np.abs(again.face.landmarks - found.face.landmarks).mean() < 0.01 * found.geometry.length


def test_a_box_is_where_landmarks_are_looked_for(photo, tmp_path):
    path, found = photo
    (tmp_path / "faces.json").write_text(json.dumps({"photo.png": {"box": found.face.box}}))
    (again,) = taken(path, tmp_path / "faces.json")
    assert np.abs(again.face.landmarks - found.face.landmarks).max() < 1


def test_what_align_writes_beside_a_face_is_read(photo, tmp_path):
    path, found = photo
    (tmp_path / "face.json").write_text(json.dumps({"photo": str(path), "detector": "dlib68", **found.to_dict()}))
    (again,) = taken(path, tmp_path / "face.json")
    assert torch.equal(again.image, found.image)


def test_several_faces_come_the_largest_first(photo, tmp_path):
    path, found = photo
    left, top, right, bottom = found.face.box
    small = [left, top, left + 40, top + 40]
    (tmp_path / "faces.csv").write_text(
        "\n".join(["photo.png," + ",".join(map(str, box)) for box in (small, (left, top, right, bottom))])
    )
    ((_, both),) = align_files([path], GivenFaces(tmp_path / "faces.csv"), 64, "all")
    assert len(both) == 2 and both[0].face.area > both[1].face.area


def test_a_face_that_the_detector_misses_is_taken(tmp_path):
    """Lying on its side: dlib looks for upright faces."""
    upright = on_grey(resized(face(), 640), 700, 700, 30, 30)
    (known,) = detector()(upright)
    lying = torch.rot90(upright, 1, (2, 3))
    images.save_image(lying, tmp_path / "lying.png")
    assert not detector()(lying)
    points = five_of(known.landmarks)[:, ::-1] * [1, -1] + [0, 700]
    (tmp_path / "faces.json").write_text(json.dumps({"lying.png": points.tolist()}))
    (found,) = taken(tmp_path / "lying.png", tmp_path / "faces.json")
    quad = quad_of(Points.of(known.landmarks))
    assert np.allclose(found.geometry.quad, quad[:, ::-1] * [1, -1] + [0, 700], atol=0.01)
    turned_back = images.resize(found.image, 64, 64), images.resize(align(upright, detector(), 256)[0].image, 64, 64)
    torch.testing.assert_close(*turned_back, atol=0.05, rtol=0)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.json", "{}", "has no faces by the names of their photos"),
        ("a.json", '{"photo.png": [[1, 2], [3, 4]]}', r"5 or 68 points \(x, y\), not \(2, 2\)"),
        ("a.json", '{"photo.png": {"box": [5, 5, 1, 1]}}', "left, top, right, bottom"),
        ("a.json", '{"photo.png": "here"}', "a face has landmarks or a box"),
        ("a.json", '{"photo.png": [[1, 2], [3, 4], [5, "x"], [1, 1], [2, 2]]}', "these are no numbers"),
        ("a.json", '{"photo.png": [[1, 1], [9, 1], [5, 1], [2, 1], [8, 1]]}', "mouth and eyes lie in one place"),
        ("a.csv", "photo.png,1,2,3\n", "line 1: a face has 4, 10 or 136 numbers"),
        ("a.csv", "image,left\n", "has no faces"),
        ("a.csv", "image,left\nphoto.png,a,b,c,d\n", "line 2"),
        ("a.json", '{"other.png": {"box": [1, 1, 5, 5]}}', "has no face of photo.png; it has those of .other.png"),
    ],
)
def test_files_of_other_content_are_refused(photo, tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=message):
        taken(photo[0], tmp_path / name)


def test_an_aligned_face_is_not_cropped_again():
    image = resized(face(), 256)
    (found,) = align(image, detector("dlib68-aligned"), 256)
    torch.testing.assert_close(found.image, image, atol=1e-5, rtol=0)
    assert np.allclose(found.geometry.quad, [[0, 0], [0, 256], [256, 256], [256, 0]])
    with pytest.raises(UserError, match=r"wide\.png: an aligned face is a square .* not 300x256"):
        align(on_grey(image, 300, 256, 0, 0), detector("dlib68-aligned"), 256, name="wide.png")
