"""Latent codes as encoders and projectors save them."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from latentlab import load_latents, save_latents
from latentlab.errors import UserError
from latentlab.latents import match_rows
from tests.latentlab.directions.made_up import make


@pytest.mark.parametrize(
    ("name", "codes"),
    [("code_18x512.npy", 1), ("code_projected_w.npz", 1), ("codes_latents_2x18x512.pt", 2)],
)
def test_codes_load_in_every_form(data, name, codes):
    ws = load_latents(data / "directions" / name)
    assert ws.shape == (codes, 18, 512) and ws.dtype == torch.float32
    if name.endswith(".npy"):
        np.testing.assert_array_equal(ws[0], np.load(data / "directions" / name))


def test_codes_of_w_and_of_projections_load(tmp_path):
    np.save(tmp_path / "w.npy", np.arange(8))
    assert load_latents(tmp_path / "w.npy").tolist() == [[list(range(8))]]
    ws = torch.randn(2, 6, 8)
    save_file({"code.ws": ws, "steps": torch.ones(2), "distances": torch.ones(2)}, tmp_path / "p.safetensors")
    assert torch.equal(load_latents(tmp_path / "p.safetensors"), ws)


@pytest.mark.parametrize("suffix", [".pt", ".npz", ".npy", ".safetensors"])
def test_codes_are_saved_in_forms_that_others_read(tmp_path, suffix):
    ws, path = torch.randn(2, 14, 8), tmp_path / f"latents{suffix}"
    save_latents(ws.requires_grad_(), path)
    assert torch.equal(load_latents(path), ws.detach())
    assert list(tmp_path.iterdir()) == [path], "nothing is left beside it"


def test_the_forms_are_those_of_encoders_and_projectors(tmp_path):
    ws = torch.randn(1, 14, 8)
    save_latents(ws, tmp_path / "latents.pt")
    assert torch.equal(torch.load(tmp_path / "latents.pt", weights_only=True), ws)
    save_latents(ws, tmp_path / "projected_w.npz")
    assert np.array_equal(np.load(tmp_path / "projected_w.npz")["w"], ws.numpy())
    with pytest.raises(UserError, match=r"written as \.pt, .*not as latents.csv"):
        save_latents(ws, tmp_path / "latents.csv")


def test_what_holds_no_codes_is_refused(tmp_path):
    make().save(tmp_path / "direction.safetensors")
    with pytest.raises(UserError, match="holds a direction"):
        load_latents(tmp_path / "direction.safetensors")
    save_file({"code.style.b4": torch.ones(2, 8), "steps": torch.ones(2)}, tmp_path / "s.safetensors")
    with pytest.raises(UserError, match="holds 2 arrays .*w or ws"):
        load_latents(tmp_path / "s.safetensors")
    for bad in (np.full((2, 8), np.nan), np.zeros((0, 8)), np.ones((1, 2, 3, 4)), np.ones(8, dtype=bool)):
        np.save(tmp_path / "bad.npy", bad)
        with pytest.raises(UserError, match="bad.npy holds no latent codes"):
            load_latents(tmp_path / "bad.npy")
    with pytest.raises(UserError, match="missing.npy"):
        load_latents(tmp_path / "missing.npy")


def test_rows_are_cut_or_the_last_one_repeated():
    ws = torch.arange(6.0).reshape(2, 3, 1)
    assert match_rows(ws, 2).tolist() == [[[0], [1]], [[3], [4]]]
    assert match_rows(ws, 5).tolist() == [[[0], [1], [2], [2], [2]], [[3], [4], [5], [5], [5]]]
    assert torch.equal(match_rows(ws, 3), ws)
