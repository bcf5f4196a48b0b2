"""Milliseconds of one step of the projector, by resolution, type and images at once; and of many steps in a row.

    python benchmarks/projection_step.py [--cases 256 1024 1024x4] [--dtypes float32 bfloat16] [--steps 9]
    python benchmarks/projection_step.py --device cuda --optimize --cases 1024 --dtypes bfloat16 --steps 1000

Config F of StyleGAN2 with random weights (`--network` for another generator), W+, LPIPS with VGG16 at 256². The images
are random, too: a step takes as long whatever it sees. Prints the median and the least of the steps after the first
three, and the seconds of all together.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import machine
import numpy as np
import torch

import latentlab as ll
import stylegan2
from latentlab.perceptual import load_perceptual
from latentlab.projection import DEFAULTS, Projector
from stylegan2.memory import keep_freed_memory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", default=["256", "1024"], help="RESOLUTION[xIMAGES]")
    parser.add_argument("--dtypes", nargs="+", choices=("float32", "bfloat16"), default=["float32", "bfloat16"])
    parser.add_argument("--steps", type=int, default=9)
    parser.add_argument("--network", help="a generator by name or path; by default config F with random weights")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--optimize", action="store_true", help="by stylegan2.optimize: compiled on a GPU")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    keep_freed_memory()
    print(f"{machine.describe('torch', 'numpy')}; {arguments.device}, {arguments.threads} threads")
    print("| resolution, images | type | median, ms | least, ms | all steps, s | peak, GB |")
    print("|---|---|---|---|---|---|")
    for case in arguments.cases:
        resolution, _, images = case.partition("x")
        for dtype in arguments.dtypes:
            times = steps_of(int(resolution), int(images or 1), getattr(torch, dtype), arguments)
            middle, least = 1e3 * np.median(times[3:]), 1e3 * min(times[3:])
            peak = machine.peak_bytes() / 2**30
            print(f"| {case} | {dtype} | {middle:.0f} | {least:.0f} | {sum(times):.1f} | {peak:.1f} |", flush=True)


def steps_of(resolution: int, images: int, dtype: torch.dtype, arguments: argparse.Namespace) -> list[float]:
    """Seconds of each step."""
    torch.manual_seed(0)
    if arguments.network:
        generator = ll.load_generator(arguments.network, device=arguments.device)
    else:
        config = stylegan2.GeneratorConfig.preset("config-f", resolution)
        generator = stylegan2.Generator(config).eval().requires_grad_(False).to(arguments.device)
    perceptual = load_perceptual("vgg", arguments.device, dtype)
    if arguments.optimize:
        generator = stylegan2.optimize(generator)
    targets = torch.rand(images, 3, generator.resolution, generator.resolution) * 2 - 1
    phase = replace(DEFAULTS["w+"].phases[-1], steps=arguments.steps + 3)
    settings = replace(DEFAULTS["w+"], phases=(phase,), patience=None)
    start = generator.w_avg.expand(images, generator.num_ws, -1)
    times, begun = [], time.perf_counter()
    for _ in Projector(targets, generator, settings, start, perceptual, batch_size=images).steps():
        times.append(time.perf_counter() - begun)
        begun = time.perf_counter()
    return times


if __name__ == "__main__":
    main()
