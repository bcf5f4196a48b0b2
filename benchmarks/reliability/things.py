"""What the commands are given: a tiny generator, a direction, photos, training sets; the same in every run."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import tiny
import torch

import latentlab as ll
import stylegan2
from latentlab.datasets import NamedImages, make_drawings, make_shapes

NETWORK = "tiny.safetensors"
DIRECTION = "happy.safetensors"


def make(folder: Path) -> None:
    """Write all of it into a folder."""
    network = tiny.generator(tiny.OF_COMMANDS)
    stylegan2.save(network, folder / NETWORK)
    vector = np.random.default_rng(0).normal(size=16).astype(np.float32)
    vector /= np.linalg.norm(vector)
    ll.Direction(
        vector, "happy", "mean", "w", generator=network.fingerprint, sigma=1.0, strength_range=(-2.0, 2.0)
    ).save(folder / DIRECTION)
    with torch.no_grad():
        images = network(stylegan2.z_from_seeds(range(6), network.z_dim))
    (folder / "photos").mkdir()
    for k, image in enumerate(images[:2]):
        ll.save_image(image, folder / "photos" / f"face{k}.png")
    make_shapes(6, folder / "shapes", 32, held_out=0.34, progress=False)
    named = [(f"p{k}", torch.nn.functional.avg_pool2d(image[None], 2)) for k, image in enumerate(images)]
    make_drawings(NamedImages(named, len(named)), folder / "drawings", 32, held_out=0.34, progress=False)
    shutil.copytree(folder / "drawings" / "train", folder / "facades" / "train")
    shutil.copytree(folder / "drawings" / "test", folder / "facades" / "val")
    _labelled(folder, images)


def _labelled(folder: Path, images: torch.Tensor, count: int = 60) -> None:
    """Images of noise with labels, for a scorer."""
    rng = np.random.default_rng(0)
    rows = [(f"{k}.png", f"p{k // 2}", *rng.integers(0, 2, 2)) for k in range(count)]
    for k, (name, *_) in enumerate(rows):
        ll.save_image(images[k % len(images)].roll(k, -1), folder / "labelled" / name)
    with open(folder / "labels.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("image", "identity", "young", "male"))
        writer.writerows(rows)
