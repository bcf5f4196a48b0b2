"""How many images a second a generator's training takes: whole cycles of 16 steps, with all regularisers in their turn.

    python benchmarks/generator_training.py [--resolutions 32 64] [--presets tiny auto] [--batch 8] [--rounds 3]

Real images are noise here, and augmentation has a probability of 0.2. Each round takes every kind of training once;
printed are medians, with the least and the most.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
from machine import describe

from stylegan2.training import GANTraining
from stylegan2.training.presets import PRESETS

CYCLE = 16  # steps after which all regularisers were used as often as they are
PRECISIONS = ("float32", "bfloat16")


def begun(preset: str, resolution: int, precision: str, batch: int) -> GANTraining:
    """A training on its way: one step is taken, which makes what later ones have."""
    chosen = PRESETS[preset](resolution, 10**6, batch_size=batch, augment=0.2, precision=precision)
    training = GANTraining(*chosen.networks(), chosen.settings)
    training.take_step(torch.randn(batch, 3, resolution, resolution).clamp(-1, 1))
    return training


def rate(training: GANTraining) -> float:
    """Images a second of a cycle."""
    batch, side = training.settings.batch_size, training.generator.resolution
    images = torch.randn(batch, 3, side, side).clamp(-1, 1)
    start = time.perf_counter()
    for _ in range(CYCLE):
        training.take_step(images)
    return CYCLE * batch / (time.perf_counter() - start)


def main() -> None:
    """Print the rates."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resolutions", type=int, nargs="+", default=[32, 64])
    parser.add_argument("--presets", nargs="+", choices=list(PRESETS), default=["tiny", "auto"])
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    print(describe("torch"), f"{torch.get_num_threads()} threads", flush=True)
    trainings = {
        (preset, resolution, precision): begun(preset, resolution, precision, arguments.batch)
        for preset in arguments.presets
        for resolution in arguments.resolutions
        for precision in PRECISIONS
    }
    found: dict[tuple[str, int, str], list[float]] = {name: [] for name in trainings}
    for _ in range(arguments.rounds):
        for name, training in trainings.items():
            found[name].append(rate(training))
    for (preset, resolution, precision), rates in found.items():
        spread = f"{min(rates):.1f} to {max(rates):.1f}"
        print(f"{preset}, {resolution} pixels, {precision}: {statistics.median(rates):.1f} images a second ({spread})")


if __name__ == "__main__":
    main()
