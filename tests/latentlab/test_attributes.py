"""The attribute classifier: what it learns of pictures with known attributes, its split, its file, its command."""

import csv
import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from latentlab import images
from latentlab.errors import UserError
from latentlab.scorers.attributes.data import Labels, load_faces, load_labels, split
from latentlab.scorers.attributes.network import AttributeNet
from latentlab.scorers.attributes.scorer import AttributeScorer
from latentlab.scorers.attributes.training import TrainingPlan, calibration_error, train
from latentlab.scorers.crop import CELEBA_FRAMING, FaceCrop
from tests.conftest import stage_with
from tests.latentlab.projection.interrupted import kill_at

PLAN = TrainingPlan(epochs=4, batch_size=16, learning_rate=1e-2, base_channels=4)


def toy(count=300, seed=0):
    """Noise in which 'red' is a red square above, 'low' a bright line below; 'chance' cannot be seen."""
    rng = np.random.default_rng(seed)
    values = rng.random((count, 3)) < 0.5
    pictures = rng.integers(80, 160, (count, 3, 72, 72))
    pictures[values[:, 0], 0, 12:28, 20:50] += 70
    pictures[values[:, 1], :, 50:54, 20:50] += 70
    files, persons = (tuple(f"{k}.png" for k in range(count)), tuple(str(k // 2) for k in range(count)))
    return torch.from_numpy(pictures.astype(np.uint8)), Labels(files, persons, ("red", "low", "chance"), values)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    pictures, labels = toy()
    return train(pictures, labels, PLAN, tmp_path_factory.mktemp("state") / "s.state", {"licence": "none"})


def test_it_learns_what_can_be_seen_and_says_what_it_cannot(trained):
    figures = trained.card["held_out"]
    assert figures["red"]["auc"] > 0.95 and figures["low"]["auc"] > 0.95
    assert 0.2 < figures["chance"]["auc"] < 0.8
    assert trained.card["pictures"] == {"train": 240, "calibrate": 30, "held_out": 30}
    assert trained.card["licence"] == "none" and trained.card["plan"]["epochs"] == 4

    fresh, labels = toy(200, seed=1)
    scores = trained(fresh[:, :, 4:-4, 4:-4] / 127.5 - 1).numpy()
    assert scores.shape == (200, 3)
    assert ((scores[:, :2] > 0.5) == labels.values[:, :2]).mean() > 0.9
    assert abs(scores[:, 2].mean() - 0.5) < 0.25, "what is not known is scored about a half"


def test_some_of_its_attributes(trained):
    pictures = toy(4)[0][:, :, 4:-4, 4:-4] / 127.5 - 1
    low, every = trained.of("low"), trained(pictures)
    assert low.names == ("low",) and torch.equal(low(pictures), every[:, 1:2])
    assert torch.equal(torch.sigmoid(trained.of("chance", "red").logits(pictures)), every[:, [2, 0]])
    assert len({trained.fingerprint, low.fingerprint, trained.of("red").fingerprint}) == 3
    with pytest.raises(UserError, match="knows no hat; it knows red, low, chance"):
        trained.of("hat")


def test_its_file_gives_the_same_scores(trained, tmp_path):
    trained.save(tmp_path / "a.safetensors")
    again = AttributeScorer.load(tmp_path / "a.safetensors")
    pictures = toy(8)[0][:, :, 4:-4, 4:-4] / 127.5 - 1
    torch.testing.assert_close(again(pictures), trained(pictures), atol=5e-3, rtol=0)  # half precision
    assert again.names == trained.names and again.card == json.loads(json.dumps(trained.card))
    (tmp_path / "b.safetensors").write_bytes(b"no")
    with pytest.raises(UserError, match="cannot read .*b.safetensors"):
        AttributeScorer.load(tmp_path / "b.safetensors")


@given(st.integers(3, 60), st.integers(0, 100))
def test_no_person_is_in_two_parts(count, seed):
    persons = tuple(str(k % (count // 2 + 1)) for k in range(count))
    try:
        parts = split(persons, (0.5, 0.25, 0.25), seed)
    except UserError:
        assert len(set(persons)) < 8
        return
    assert sorted(np.concatenate(parts)) == list(range(count))
    names = [{persons[row] for row in part} for part in parts]
    assert not (names[0] & names[1] or names[0] & names[2] or names[1] & names[2])


def test_calibration_error_of_known_probabilities():
    truth = np.array([True, False, True, True])
    assert calibration_error(np.array([0.75, 0.75, 0.75, 0.75]), truth) == 0
    assert calibration_error(np.array([1.0, 0.0, 1.0, 1.0]), truth) == 0
    assert calibration_error(np.array([0.25, 0.25, 0.95, 0.95]), truth) == pytest.approx(0.5 * 0.25 + 0.5 * 0.05)


@pytest.mark.parametrize("height", [109, 218])
def test_celebas_framing_becomes_ffhqs(height):
    """Where the eyes are in CelebA's aligned pictures come to lie FFHQ's."""
    width = round(height * 178 / 218)
    for place, expected in ((69.5, 0.378), (108.5, 0.622)):
        picture = torch.full((1, 3, height, width), -1.0)
        picture[:, :, int(0.514 * height), int(place / 178 * width)] = 1
        light = CELEBA_FRAMING.cut(picture, 400)[0, 0] + 1
        rows, columns = (light.sum(dim=k) / light.sum() for k in (1, 0))
        middles = (torch.arange(400) + 0.5) / 400
        assert rows @ middles == pytest.approx(0.475, abs=0.015)
        assert columns @ middles == pytest.approx(expected, abs=0.015)


JOB = """
import sys
from pathlib import Path
from latentlab import cards
from latentlab.scorers.attributes import training
from tests.latentlab.test_attributes import PLAN, toy

write, training.SAVE_SECONDS = cards.write, 0.0

def write_and_wait(path, kind, tensors, card):
    write(path, kind, tensors, card)
    print("steps", card["steps"], flush=True)
    if card["steps"] == 20:
        sys.stdin.read()

cards.write = write_and_wait
training.train(*toy(), PLAN, Path(sys.argv[1]) / "s.state", progress=False)
"""


@pytest.mark.slow
def test_a_killed_training_is_resumed_to_the_same_result(trained, tmp_path):
    kill_at(JOB, tmp_path, "steps 20")
    assert (tmp_path / "s.state").exists()
    with pytest.raises(UserError, match="the state of a training whose plan.epochs is 4, not 1,"):
        train(*toy(), TrainingPlan(epochs=1), tmp_path / "s.state")
    epochs = []
    progress = stage_with(lambda done, total, note="": epochs.append(done))
    torch.manual_seed(5)  # the state of the process's generator does not matter
    before = torch.get_rng_state()
    again = train(*toy(), PLAN, tmp_path / "s.state", {"licence": "none"}, progress=progress)
    assert epochs == [1, 2, 3, 4]
    assert not (tmp_path / "s.state").exists() and torch.equal(torch.get_rng_state(), before)
    for name, scorer in (("again", again), ("trained", trained)):
        scorer.save(tmp_path / f"{name}.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "trained.safetensors").read_bytes()


def write_set(folder, count=120):
    pictures, labels = toy(count)
    for name, picture in zip(labels.files, pictures, strict=True):
        images.save_image(picture[:, 4:-4, 4:-4] / 127.5 - 1, folder / "pictures" / name)
    with open(folder / "labels.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", *labels.names, "identity"])
        for name, row, person in zip(labels.files, labels.values, labels.persons, strict=True):
            writer.writerow([name, *(int(value) for value in row), person])
    return pictures, labels


def test_pictures_and_labels_are_read(tmp_path):
    pictures, labels = write_set(tmp_path, 6)
    table = load_labels(tmp_path / "labels.csv", tmp_path / "pictures")
    assert (table.files, table.persons, table.names) == (labels.files, labels.persons, labels.names)
    assert (table.values == labels.values).all()
    read = load_faces(tmp_path / "pictures", table, FaceCrop(0, 0, 1))
    assert torch.equal(read[:, :, 4:-4, 4:-4], pictures[:, :, 4:-4, 4:-4])
    assert torch.equal(read[:, :, 0, 4:-4], pictures[:, :, 4, 4:-4])


def test_the_command_trains_and_tells(run, refused, tmp_path):
    write_set(tmp_path)
    words = ("scorer", "train", tmp_path / "pictures", tmp_path / "labels.csv", "--base-channels", 2, "--epochs", 1)
    code, out, err = run(*words, "--out", tmp_path / "a.safetensors", "--licence", "mine", "--device", "cpu")
    assert code == 0, err
    assert "| red |" in out and "12 images of persons it was not trained on" in out
    assert AttributeScorer.load(tmp_path / "a.safetensors").card["licence"] == "mine"

    assert ".safetensors" in refused(*words, "--out", tmp_path / "a.pt")
    (tmp_path / "pictures" / "7.png").unlink()
    code, _, err = run(*words, "--out", tmp_path / "b.safetensors")
    assert code == 2 and "7.png" in err.splitlines()[-1] and not (tmp_path / "b.safetensors").exists()
    (tmp_path / "labels.csv").write_text("image,identity,red\n1.png,1,2\n")
    assert "line 2: red is not 0 or 1" in refused(*words, "--out", tmp_path / "b.safetensors")
    (tmp_path / "labels.csv").write_text("file,red\n")
    assert "columns image and identity" in refused(*words, "--out", tmp_path / "b.safetensors")


def test_the_network_halves_four_times():
    assert AttributeNet(5, 2)(torch.zeros(2, 3, 64, 64)).shape == (2, 5)
