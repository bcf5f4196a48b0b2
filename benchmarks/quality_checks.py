"""Values of the quality checks on generated faces and on photos, from which their limits come.

    python benchmarks/quality_checks.py [--faces 200] [--psi 1] [--photos FOLDER] [--projections FOLDER]

Faces of `mobile-ffhq`, at psi 1 unless another is given, are taken for photos: reduced to 512 pixels, continued by
reflection to leave space around them, found and aligned. Of each crop, the detail is also taken of a copy reduced to 64
pixels. Projections are those that projection.py leaves in `OUT/latents`: the spread of their rows is printed.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from latentlab import faces, images
from latentlab.errors import UserError
from latentlab.pipelines.checks import check_mesh, check_photo, detail, spread_of_rows
from latentlab.projection import Projection, w_statistics
from stylegan2 import load, z_from_seeds
from stylegan2.memory import keep_freed_memory

FIRST_SEED = 500_000
SHARES = (1, 5, 50, 95, 99)


def generated(count: int, psi: float) -> Iterator[Tensor]:
    generator = load("mobile-ffhq")
    statistics = w_statistics(generator)
    z = torch.randn(2000, generator.z_dim, generator=torch.Generator().manual_seed(1))
    w = generator.mapping(z)[:, 0]
    print(line("distance from w_avg", ((w - statistics.mean).norm(dim=1) / statistics.sigma).tolist()))
    unseen: dict[str, list[float]] = {}
    for seed in range(FIRST_SEED, FIRST_SEED + count):
        with torch.inference_mode():
            drawn = generator(z_from_seeds(seed, generator.z_dim), psi=psi).clamp(-1, 1)
        for one in check_mesh(drawn):
            unseen.setdefault(one.name, []).append(one.value)
        yield F.pad(images.reduce(drawn, 512), (128, 128, 128, 128), mode="reflect")
    for name, values in unseen.items():
        print(line(name, values))


def line(name: str, values: Iterable[float]) -> str:
    return f"| {name} | " + " | ".join(f"{value:.3g}" for value in np.percentile(list(values), SHARES)) + " |"


def table(photos: Iterable[Tensor]) -> None:
    detector = faces.load_detector()
    values: dict[str, list[float]] = {}
    missed = 0
    for photo in photos:
        try:
            face = faces.align(photo, detector, 512)[0]
        except UserError:
            missed += 1
            continue
        for one in check_photo(face):
            values.setdefault(one.name, []).append(one.value)
        values.setdefault("detail at 64 px", []).append(detail(images.reduce(face.image, 64)))
    for name, column in values.items():
        print(line(name, np.abs(column) if name in ("yaw", "pitch", "roll") else column))
    print(f"no face found in {missed}\n")


def spreads(folder: Path) -> None:
    """Print the spread of the rows of stored projections, by the recipe that found them."""
    statistics = w_statistics(load("mobile-ffhq"))
    for recipe in sorted(path for path in folder.iterdir() if path.is_dir()):
        found = [Projection.load(path) for path in sorted(recipe.glob("*.safetensors"))]
        rows = [one.latents["ws"] for one in found if "ws" in one.latents]
        if rows:
            values = [spread_of_rows(ws[0], statistics.sigma) for ws in rows]
            print(line(f"spread of the rows, {len(rows)} of {found[0].settings.steps} steps", values))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, default=200)
    parser.add_argument("--psi", type=float, default=1.0)
    parser.add_argument("--photos", type=Path, help="a folder of .jpg files")
    parser.add_argument("--projections", type=Path, help="latents of projection.py")
    arguments = parser.parse_args()
    keep_freed_memory()
    if arguments.projections:
        spreads(arguments.projections)
        return
    head = "".join(f" {share} % |" for share in SHARES)
    print(f"| {arguments.faces} generated faces |{head}\n|{'---|' * (len(SHARES) + 1)}")
    table(generated(arguments.faces, arguments.psi))
    if arguments.photos:
        print(f"| photos |{head}\n|{'---|' * (len(SHARES) + 1)}")
        table(images.load_image(path) for path in sorted(arguments.photos.glob("*.jpg")))


if __name__ == "__main__":
    main()
