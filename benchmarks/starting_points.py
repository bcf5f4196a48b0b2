"""Where a projection may start: LPIPS of the start, and its milliseconds, for w_avg, best of 64 seeds and the encoder.

    python benchmarks/starting_points.py [--samples 24] [--photos FOLDER] [--limit 12]

On images of `mobile-ffhq` that the encoder was not trained on, and on aligned photos if there is a folder of them.
The start is rendered at 256² and compared with the image there by LPIPS-VGG. Milliseconds are for one image.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import machine
import torch
from torch import Tensor

import stylegan2
from latentlab import images, perceptual
from latentlab.precision import fast_dtype
from latentlab.projection.encoder import load_encoder
from latentlab.projection.starts import CANDIDATES, nearest
from stylegan2.memory import keep_freed_memory
from stylegan2.protocol import Generator

FIRST_SEED = 700_000
RESOLUTION = 256
TIMED = 3  # images, one at a time; the least time counts

Start = Callable[[Tensor], Tensor]


def resized(image: Tensor) -> Tensor:
    """Resize an image `(1, 3, h, h)` to 256²."""
    mode, corners = ("area", None) if image.shape[2] > RESOLUTION else ("bilinear", False)
    return torch.nn.functional.interpolate(image, (RESOLUTION, RESOLUTION), mode=mode, align_corners=corners)


def generated(generator: Generator, count: int) -> list[Tensor]:
    """Images of unseen seeds, half of them at psi 1 and half at 0.7."""
    found = []
    for seed in range(FIRST_SEED, FIRST_SEED + count):
        z = stylegan2.z_from_seeds([seed], generator.z_dim)
        found.append(generator.synthesis(generator.mapping(z, psi=1.0 if seed % 2 else 0.7), resolution=RESOLUTION))
    return found


def starts_of(generator: Generator, distance: perceptual.PerceptualDistance) -> dict[str, Start]:
    """The ways to start, by name."""
    encoder = load_encoder(generator)
    if encoder is None:
        raise SystemExit("the package has no encoder for mobile-ffhq")
    average = generator.w_avg.expand(1, generator.num_ws, generator.w_dim)
    return {
        "w_avg": lambda image: average,
        f"best of {CANDIDATES}": lambda image: nearest(image, generator, distance, CANDIDATES, seed=0),
        "encoder": encoder,
    }


@torch.inference_mode()
def report(title: str, targets: list[Tensor], generator: Generator) -> None:
    """Print a line for each way to start."""
    exact, fast = (
        perceptual.load_perceptual("vgg"),
        perceptual.load_perceptual("vgg", dtype=fast_dtype("cpu")),
    )
    pyramids = [exact.pyramid(target) for target in targets]
    print(f"{title}, {len(targets)}")
    for name, start in starts_of(generator, fast).items():
        seconds = []
        for target in targets[:TIMED]:
            begun = time.perf_counter()
            start(target)
            seconds.append(time.perf_counter() - begun)
        ws = start(torch.cat(targets)).expand(len(targets), -1, -1)
        rendered = (generator.synthesis(row, resolution=RESOLUTION) for row in torch.split(ws, 1))
        distances = [float(exact(image, pyramid)) for image, pyramid in zip(rendered, pyramids, strict=True)]
        mean = sum(distances) / len(distances)
        print(f"{name:>12}: LPIPS-VGG {mean:.3f}, {1e3 * min(seconds):.0f} ms", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=24, help="generated images")
    parser.add_argument("--photos", type=Path, help="a folder of aligned photos (see `latentlab align`)")
    parser.add_argument("--limit", type=int, default=12, help="photos at most")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    keep_freed_memory()
    print(f"{machine.describe('torch', 'lpips')}; {arguments.threads} threads")
    generator = stylegan2.load("mobile-ffhq")
    report("generated images", generated(generator, arguments.samples), generator)
    if arguments.photos:
        paths = sorted(arguments.photos.glob("*.png"))[: arguments.limit]
        report("photos", [resized(images.load_image(path)) for path in paths], generator)


if __name__ == "__main__":
    main()
