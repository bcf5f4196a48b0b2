"""Directions by name, and from files as publications give them."""

import numpy as np
import pytest
import torch

from latentlab.directions import load_direction
from latentlab.editing import edit
from latentlab.errors import UserError
from tests.latentlab.directions.made_up import make


@pytest.mark.parametrize(
    "name",
    ["row_512.npy", "row_1x512.npy", "float64.npy", "npz.npz", "rows_equal_18x512.npy", "batch_1x18x512.npy"],
)
def test_one_published_vector_loads_in_every_form(data, name):
    vector = np.load(data / "directions" / "row_512.npy").astype(np.float64)
    direction = load_direction(data / "directions" / name, "smile", generator="g")
    assert (direction.attribute, direction.method, direction.space) == ("smile", "published", "w")
    assert direction.generator == "g"
    np.testing.assert_allclose(direction.vector * direction.statistics["length"], vector, rtol=1e-5)


def test_a_published_torch_file_loads(data):
    path = data / "directions" / "e4e_kind_1x512.pt"
    expected = torch.load(path, weights_only=True)[0].numpy()
    direction = load_direction(path)
    assert direction.attribute == "e4e_kind_1x512" and direction.generator is None
    np.testing.assert_allclose(direction.vector * direction.statistics["length"], expected, rtol=1e-5)


@pytest.mark.parametrize("name", ["rows_differ_18x512.npy", "rows_zero_18x512.npy"])
def test_rows_that_differ_move_each_its_own_way(data, name):
    rows = torch.from_numpy(np.load(data / "directions" / name))
    direction = load_direction(data / "directions" / name)
    assert direction.space == "w+" and direction.vector.shape == (18, 512)
    ws = torch.randn(2, 18, 512, generator=torch.Generator().manual_seed(0))
    moved = edit(ws, direction, 0.5 * float(direction.statistics["length"]))
    torch.testing.assert_close(moved, ws + 0.5 * rows, atol=1e-5, rtol=1e-5)
    still = rows.abs().sum(1) == 0
    assert torch.equal(moved[:, still], ws[:, still])
    assert ("| layers | all |" in direction.card()) == (not still.any())


def test_other_arrays_are_refused(tmp_path):
    path = tmp_path / "a.npy"
    rng = np.random.default_rng(0)
    bad = [np.zeros(8), np.arange(8), np.full(8, np.inf), np.full((3, 8), np.nan), np.zeros((0, 8)), np.float64(1)]
    for array in [*bad, rng.standard_normal((2, 2, 2)), np.array([{}], dtype=object)]:
        np.save(path, array)
        with pytest.raises(UserError, match="a.npy"):
            load_direction(path, "smile")
    for content in (b"\x93NUMPY\x01\x00\x10\x00", b"", b"PK\x03\x04"):
        for name in ("a.npy", "a.npz", "a.pt"):
            (tmp_path / name).write_bytes(content)
            with pytest.raises(UserError, match=name):
                load_direction(tmp_path / name, "smile")
    np.savez(tmp_path / "a.npz", one=np.ones(4), two=np.ones(4))
    with pytest.raises(UserError, match="holds 2 arrays"):
        load_direction(tmp_path / "a.npz")
    torch.save({"direction": torch.ones(4)}, tmp_path / "a.pt")
    with pytest.raises(UserError, match="a.pt"):
        load_direction(tmp_path / "a.pt")


def test_a_folder_does_not_hide_a_shipped_direction(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "smile").mkdir()
    assert load_direction("smile").method == "LinearSVM"
    with pytest.raises(UserError, match="is a folder"):
        load_direction(str(tmp_path))
    (tmp_path / "smile").rmdir()
    make(attribute="grin").save(tmp_path / "smile")
    assert load_direction("smile").attribute == "grin"
    with pytest.raises(UserError, match="has a card"):
        load_direction("smile", attribute="frown")


def test_an_unknown_direction_gets_the_nearest():
    with pytest.raises(UserError, match="no file smlie, .*did you mean smile?"):
        load_direction("smlie")
    with pytest.raises(UserError, match="come with the package: smile"):
        load_direction("out/direction.safetensors")


def test_files_of_before_load():
    """A direction that an earlier version wrote."""
    direction = load_direction("smile")
    assert direction.space == "w" and direction.vector.shape == (512,) and direction.layers is None
    assert direction.statistics["n_train"] == 1506
