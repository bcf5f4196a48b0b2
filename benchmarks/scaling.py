"""How time grows: with the resolution, the batch, the seeds that are labelled, the photos projected at once.

    python benchmarks/scaling.py --out docs/images/scaling.png

Config F of StyleGAN2 with random weights for the first two and the last, `mobile-ffhq` by preview and the `fer` network
for the labels. Every point is the median of seven runs; one process, freed memory kept. It takes a quarter of an hour.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import machine
import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from synthesis import WARM_UP, load, times_of

import latentlab as ll
import stylegan2
from latentlab.perceptual import load_perceptual
from latentlab.projection import DEFAULTS, Projector

RUNS = 7
DTYPES = {"float32": None, "bfloat16": torch.bfloat16}


@torch.inference_mode()
def seconds_an_image(resolution: int, batch: int, dtype: torch.dtype | None) -> float:
    """Seconds of an image of config F."""
    generator = load("config-f", resolution, "cpu")
    generator.synthesis.compute_dtype = dtype
    ws = generator.mapping(stylegan2.z_from_seeds(range(batch), generator.z_dim))
    return float(np.median(times_of(lambda: generator.synthesis(ws), RUNS, "cpu"))) / batch


def seconds_of_labels(components: ll.Components, samples: int, precision: str) -> float:
    """Seconds to draw and score so many seeds by preview."""
    times = []
    for _ in range(RUNS):
        with tempfile.TemporaryDirectory() as scratch:
            settings = ll.LabelSettings(samples=samples, resolution=256, precision=precision)
            begun = time.perf_counter()
            ll.sample(components, settings, Path(scratch, "samples"), progress=False)
            times.append(time.perf_counter() - begun)
    return float(np.median(times))


def seconds_a_step(images: int, dtype: torch.dtype | None) -> float:
    """Seconds of a projector's step for each image, at 256², so many at once."""
    generator = load("config-f", 256, "cpu")
    perceptual = load_perceptual("vgg", "cpu", dtype or torch.float32)
    settings = replace(
        DEFAULTS["w+"], phases=(replace(DEFAULTS["w+"].phases[-1], steps=RUNS + WARM_UP),), patience=None
    )
    start = generator.w_avg.expand(images, generator.num_ws, -1)
    targets = torch.rand(images, 3, 256, 256, generator=torch.Generator().manual_seed(0)) * 2 - 1
    times, begun = [], time.perf_counter()
    for _ in Projector(targets, generator, settings, start, perceptual, batch_size=images).steps():
        times.append(time.perf_counter() - begun)
        begun = time.perf_counter()
    return float(np.median(times[WARM_UP:])) / images


def draw(axes: Axes, values: list[int], found: dict[str, list[float]], title: str, unit: str) -> None:
    """One panel: a line a type, in milliseconds or seconds."""
    for name, times in found.items():
        axes.plot(values, times, "o-", label=name)
    axes.set_xscale("log", base=2)
    axes.set_xticks(values, [str(value) for value in values])
    axes.minorticks_off()
    axes.set_ylim(bottom=0)
    axes.set_xlabel(title)
    axes.set_ylabel(unit)
    axes.legend(frameon=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="PNG to write")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    ll.keep_freed_memory()
    print(machine.describe("torch", "numpy"))
    components = ll.Components.load()
    panels = (
        ("resolution", "ms an image", [64, 128, 256, 512, 1024], lambda r, t: 1e3 * seconds_an_image(r, 1, DTYPES[t])),
        ("images at once, 256²", "ms an image", [1, 2, 4, 8], lambda b, t: 1e3 * seconds_an_image(256, b, DTYPES[t])),
        ("seeds labelled", "s", [32, 64, 128, 256], lambda n, t: seconds_of_labels(components, n, t)),
        ("photos at once, 256²", "ms a step and photo", [1, 2, 4], lambda n, t: 1e3 * seconds_a_step(n, DTYPES[t])),
    )
    figure, grid = plt.subplots(2, 2, figsize=(9, 6.5), layout="constrained")
    for axes, (title, unit, values, measure) in zip(grid.flat, panels, strict=True):
        found = {name: [measure(value, name) for value in values] for name in DTYPES}
        draw(axes, values, found, title, unit)
        for name, times in found.items():
            print(f"{title}, {name}, {unit}:", dict(zip(values, (round(t, 2) for t in times), strict=True)), flush=True)
    figure.savefig(arguments.out, dpi=110)


if __name__ == "__main__":
    main()
