"""Directions by name, and from files as publications give them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from latentlab.directions import load_direction
from latentlab.editing import edit, from_published
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


@pytest.mark.parametrize("dtype", ["int8", "int64", "uint8", "float16", "float32", ">f8"])
@pytest.mark.parametrize("shape", [(8,), (1, 8), (3, 8), (1, 3, 8)])
def test_numbers_of_every_width_load(tmp_path, dtype, shape):
    numbers = (np.arange(np.prod(shape)) % 5 + 1).reshape(shape).astype(dtype)
    np.save(tmp_path / "a.npy", numbers)
    np.savez_compressed(tmp_path / "a.npz", boundary=numbers)
    torch.save(torch.from_numpy(numbers.astype(numbers.dtype.newbyteorder("="))), tmp_path / "a.PT")
    wanted = np.atleast_2d(numbers.astype(np.float64).reshape(-1, 8))
    for name in ("a.npy", "a.npz", "a.PT"):
        direction = load_direction(tmp_path / name)
        found = direction.rows(3) * direction.length
        np.testing.assert_allclose(found, np.broadcast_to(wanted, (3, 8)), rtol=1e-5, err_msg=name)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64, torch.int32])
def test_tensors_load_from_safetensors_without_a_card_and_from_dictionaries(tmp_path, dtype):
    tensor = torch.tensor([3.0, 0.0, -4.0]).to(dtype)
    save_file({"smile": tensor}, tmp_path / "a.safetensors")
    torch.save({"smile": tensor}, tmp_path / "a.pt")
    torch.save(tensor, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    torch.save(torch.nn.Parameter(tensor.float()), tmp_path / "parameter.pt")
    for name in ("a.safetensors", "a.pt", "old.pt", "parameter.pt"):
        direction = load_direction(tmp_path / name, generator="g")
        np.testing.assert_allclose(direction.vector, [0.6, 0, -0.8], atol=1e-6, err_msg=name)
        assert direction.length == pytest.approx(5) and direction.generator == "g"


def test_the_published_strength_makes_the_published_edit(data):
    published = torch.from_numpy(np.load(data / "directions" / "row_1x512.npy"))
    direction = load_direction(data / "directions" / "row_1x512.npy")
    ws = torch.randn(2, 18, 512, generator=torch.Generator().manual_seed(0))
    moved = edit(ws, direction, from_published(direction, -0.25))
    torch.testing.assert_close(moved, ws - 0.25 * published, atol=1e-5, rtol=1e-5)
    with pytest.raises(UserError, match="no published array"):
        from_published(make(), 1.0)


def test_other_arrays_are_refused(tmp_path):
    path = tmp_path / "a.npy"
    rng = np.random.default_rng(0)
    bad = [np.zeros(8), np.full(8, np.inf), np.full((3, 8), np.nan), np.zeros((0, 8)), np.float64(1)]
    for array in [*bad, rng.standard_normal((2, 2, 2)), np.array([{}], dtype=object), np.ones(4, dtype=bool)]:
        np.save(path, array)
        with pytest.raises(UserError, match="a.npy"):
            load_direction(path, "smile")
    for content in (b"\x93NUMPY\x01\x00\x10\x00", b"", b"PK\x03\x04", b"\x80\x02"):
        for name in ("a.npy", "a.npz", "a.pt", "a.safetensors"):
            (tmp_path / name).write_bytes(content)
            with pytest.raises(UserError, match=name):
                load_direction(tmp_path / name, "smile")
    np.savez(tmp_path / "a.npz", one=np.ones(4), two=np.ones(4))
    with pytest.raises(UserError, match="holds 2 arrays"):
        load_direction(tmp_path / "a.npz")
    torch.save(["smile"], tmp_path / "a.pt")
    with pytest.raises(UserError, match="a.pt"):
        load_direction(tmp_path / "a.pt")


def test_damage_within_a_compressed_file_is_told(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, smile=np.random.default_rng(0).standard_normal((4, 512)))
    whole = path.read_bytes()
    index = whole.rindex(b"PK\x01\x02")
    for place in [*range(60, index, 97), index + 10]:  # the data, and the method of compression
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        with pytest.raises(UserError, match="a.npz"):
            load_direction(path)


@pytest.mark.parametrize("name", ["code_projected_w.npz", "codes_latents_2x18x512.pt"])
def test_latent_codes_are_no_directions(data, name):
    with pytest.raises(UserError, match="holds latent codes.*--latents"):
        load_direction(data / "directions" / name)


def test_what_lies_in_the_folder_does_not_hide_a_shipped_direction(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "smile").mkdir()
    assert load_direction("smile").attribute == "smile"
    with pytest.raises(UserError, match="is a folder"):
        load_direction("./smile")
    (tmp_path / "smile").rmdir()
    make(attribute="grin").save(tmp_path / "smile")
    assert load_direction("smile").attribute == "smile"
    for file in ("./smile", Path("smile")):
        assert load_direction(file).attribute == "grin"
    with pytest.raises(UserError, match="has a card"):
        load_direction("./smile", attribute="frown")


def test_an_unknown_direction_gets_the_nearest():
    with pytest.raises(UserError, match="no file smlie, .*did you mean smile?"):
        load_direction("smlie")
    with pytest.raises(UserError, match="come with the package: .*smile"):
        load_direction("out/direction.safetensors")


def test_files_of_before_load():
    """A direction that an earlier version wrote."""
    direction = load_direction("smile-w")
    assert direction.space == "w" and direction.vector.shape == (512,) and direction.layers is None
    assert direction.statistics["n_train"] == 1506


@pytest.mark.parametrize("name", ["smile", "smile-w"])
def test_shipped_directions_know_how_far_to_go(name):
    smile = load_direction(name)
    away, towards = (strength / smile.sigma for strength in smile.strength_range)
    assert -8 < away < -1 and 1 < towards < 8


def test_channels_that_nothing_moves_are_no_direction(tmp_path):
    save_file({"b4.conv1": torch.zeros(1, 8), "b8.conv0": torch.zeros(1, 8)}, tmp_path / "none.safetensors")
    with pytest.raises(UserError, match=r"none\.safetensors is not a direction: it moves no channel"):
        load_direction(tmp_path / "none.safetensors")
