"""What is written again is the same, byte for byte: in another process, at another time, with other hashes."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import stylegan2
from latentlab import cards
from latentlab.directions.exporting import _write
from latentlab.images import save_image
from latentlab.latents import save_latents
from latentlab.plots import response_figure, save_figure
from latentlab.samples import SampleSettings, SampleStore, SampleTable
from latentlab.translation.networks import ResNetConfig, initialise_
from latentlab.translation.published import save as save_published
from latentlab.video import write_gif, write_mp4
from stylegan2.checkpoints.serialising import to_safetensors

KIND = cards.Kind("latentlab.test", 1, "a test", "remove it")


def write_all(folder: Path) -> None:
    """Write a file of each form."""
    draw = torch.Generator().manual_seed(0)
    codes, image = torch.rand(2, 3, 4, generator=draw), torch.rand(1, 3, 32, 32, generator=draw)
    cards.write(folder / "card.safetensors", KIND, {"b": codes, "a": -codes}, {"name": "é", "none": None})
    config = stylegan2.GeneratorConfig(8, z_dim=4, w_dim=4, mapping_layers=1, channel_base=64, channel_max=8)
    torch.manual_seed(0)
    stylegan2.save(stylegan2.Generator(config), folder / "generator.safetensors")
    network = ResNetConfig(1, 4).build()
    initialise_(network)
    save_published(network, folder / "published.pth")
    for suffix in (".pt", ".npz", ".npy", ".safetensors"):
        save_latents(codes, folder / f"latents{suffix}")
        _write(folder / f"direction{suffix}", {"": np.ones(4, np.float32)})
    for suffix in (".png", ".jpg", ".webp"):
        save_image(image, folder / f"image{suffix}")
    for suffix in (".png", ".pdf", ".svg"):
        save_figure(response_figure({"svm": ([0.0, 1.0], np.zeros((3, 2)))}), folder / f"figure{suffix}")
    write_gif(torch.cat([image, -image]), folder / "walk.gif", 10)
    write_mp4(torch.cat([image, -image]), folder / "walk.mp4", 10)
    store = SampleStore.open(folder / "samples", SampleSettings("g", "s", ("smile",), 0.7, 0, 2, 8))
    numbers = np.arange(2, dtype=np.float32)
    store.write(0, SampleTable(np.arange(2), numbers, numbers[:, None], numbers[:, None], ("smile",), "g", "s"))


@pytest.mark.slow
def test_files_are_the_same_in_another_process_and_time_zone(tmp_path):
    code = "import pathlib, sys; from tests.test_same_bytes import write_all; write_all(pathlib.Path(sys.argv[1]))"
    begun = []
    for name, zone in (("one", "UTC"), ("other", "Asia/Tokyo")):
        environment = {**os.environ, "PYTHONHASHSEED": str(len(begun)), "TZ": zone, "OMP_NUM_THREADS": "1"}
        (tmp_path / name).mkdir()
        begun.append(subprocess.Popen([sys.executable, "-c", code, str(tmp_path / name)], env=environment))
    assert [process.wait(300) for process in begun] == [0, 0]
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file())
    assert len(files) == 21
    assert [f for f in files if (tmp_path / "one" / f).read_bytes() != (tmp_path / "other" / f).read_bytes()] == []


def test_the_entries_of_metadata_have_one_order_and_tensors_stay_aligned(tmp_path):
    from safetensors import safe_open

    wide = {str(k): "x" * k for k in range(9)}
    tensors = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.ones(1, dtype=torch.uint8), "none": torch.zeros(0, 2)}
    for length in range(8):
        metadata = {**wide, "fill": "é" * length}
        content = to_safetensors(tensors, metadata)
        backwards = dict(reversed(metadata.items()))
        assert content == to_safetensors(tensors, backwards)
        assert int.from_bytes(content[:8], "little") % 8 == 0
        (tmp_path / "x.safetensors").write_bytes(content)
        with safe_open(tmp_path / "x.safetensors", "pt") as file:
            assert file.metadata() == metadata
            assert all(torch.equal(file.get_tensor(name), value) for name, value in tensors.items())
