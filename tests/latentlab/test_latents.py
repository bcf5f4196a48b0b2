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


def test_lists_and_files_of_rosinalitys_projector_load(tmp_path):
    codes = [torch.randn(4, 8) for _ in range(3)]
    torch.save(codes, tmp_path / "list.pt")
    assert torch.equal(load_latents(tmp_path / "list.pt"), torch.stack(codes))
    torch.save([code[:1] for code in codes], tmp_path / "w.pt")
    assert torch.equal(load_latents(tmp_path / "w.pt"), torch.stack(codes)[:, :1])
    torch.save([code[0] for code in codes], tmp_path / "flat.pt")
    assert torch.equal(load_latents(tmp_path / "flat.pt"), torch.stack(codes)[:, :1]), "codes of W, not rows of one"
    images = {f"{k}.png": {"img": torch.ones(3, 8, 8), "latent": code, "noise": [torch.ones(1, 1, 4, 4)]}
              for k, code in enumerate(codes)}  # fmt: skip
    torch.save(images, tmp_path / "projected.pt")
    assert torch.equal(load_latents(tmp_path / "projected.pt"), torch.stack(codes))
    torch.save([torch.ones(4, 8), torch.ones(3, 8)], tmp_path / "ragged.pt")
    with pytest.raises(UserError, match="those of one list have one shape"):
        load_latents(tmp_path / "ragged.pt")
    for k, bad in enumerate(([], ["w"], {"a": {"img": torch.ones(2)}}, {"a": {"latent": "w"}})):
        torch.save(bad, tmp_path / f"bad{k}.pt")
        with pytest.raises(UserError, match=f"bad{k}.pt"):
            load_latents(tmp_path / f"bad{k}.pt")


def test_a_pickle_in_an_array_is_explained_and_not_read(tmp_path):
    np.save(tmp_path / "dict.npy", {"w": np.ones((18, 512))})
    with pytest.raises(UserError, match=r"dict\.npy: it holds Python objects.* by np\.save"):
        load_latents(tmp_path / "dict.npy")


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
