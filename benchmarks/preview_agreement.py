"""How well the generator's preview stands for the full image: labels, scores, pixels, and time.

    python benchmarks/preview_agreement.py [--samples 500] [--seed-start 600] [--psi 0.7] [--attribute happy]

Renders the same seeds both ways and scores both with `fer`. Prints the share of equal labels with its 95 %
interval (Wilson 1927), the mean difference of the score, the PSNR against the full image reduced to the
preview's size, and the time per image of each. Goal: labels agree on 97 % of 500.
"""

from __future__ import annotations

import argparse
import sys
import time

import machine
import numpy as np
import torch
from scipy.stats import binomtest

import stylegan2
from latentlab import images, scorers
from latentlab.progress import bar
from latentlab.scorers import is_positive, score_column, score_images
from stylegan2.memory import keep_freed_memory


def psnr(rendered: torch.Tensor, reference: torch.Tensor) -> float:
    """Peak signal-to-noise ratio in dB of images in [-1, 1], both clamped to that."""
    error = (rendered.clamp(-1, 1) - reference.clamp(-1, 1)).square().mean()
    return float(10 * torch.log10(4 / error))


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=500)
    parser.add_argument("--seed-start", type=int, default=600)
    parser.add_argument("--psi", type=float, default=0.7)
    parser.add_argument("--attribute", default="happy")
    parser.add_argument("--network", default="mobile-ffhq")
    arguments = parser.parse_args()
    keep_freed_memory()
    generator, scorer = stylegan2.load(arguments.network), scorers.load_scorer("fer")
    if len(generator.resolutions) < 2:
        sys.exit(f"{arguments.network} has no preview")
    small = generator.resolutions[0]
    times: dict[int, list[float]] = {generator.resolution: [], small: []}
    scores: dict[int, list[np.ndarray]] = {generator.resolution: [], small: []}
    quality = []
    with bar("rendering both ways") as step:
        for k in range(arguments.samples):
            z = stylegan2.z_from_seeds(arguments.seed_start + k, generator.z_dim)
            ws = generator.mapping(z, psi=arguments.psi)
            rendered = {}
            for resolution in times:
                begun = time.perf_counter()
                rendered[resolution] = generator.synthesis(ws, resolution=resolution)
                times[resolution].append(time.perf_counter() - begun)
                scores[resolution].append(score_images(scorer, rendered[resolution]))
            quality.append(psnr(rendered[small], images.reduce(rendered[generator.resolution], small)))
            step(k + 1, arguments.samples)
    full, preview = (np.concatenate(parts) for parts in scores.values())  # (n, 7)
    labels = [is_positive(part, scorer.names, arguments.attribute) for part in (full, preview)]
    columns = [score_column(part, scorer.names, arguments.attribute) for part in (full, preview)]
    agree = int((labels[0] == labels[1]).sum())
    low, high = binomtest(agree, len(full)).proportion_ci(method="wilson")
    print(machine.describe("torch", "numpy"), f"; {torch.get_num_threads()} threads", sep="")
    print(f"{arguments.attribute}: labels agree on {agree}/{len(full)} = {agree / len(full):.1%}", end=" ")
    print(f"[{low:.1%}, {high:.1%}] (goal: 97 %); {labels[0].sum()} in full, {labels[1].sum()} by preview")
    print(f"mean absolute difference of the score: {np.abs(columns[0] - columns[1]).mean():.4f}")
    print(f"PSNR at {small}²: mean {np.mean(quality):.2f} dB, least {np.min(quality):.2f} dB")
    for resolution, seconds in times.items():
        print(f"{resolution}²: median {1e3 * np.median(seconds):.1f} ms an image")


if __name__ == "__main__":
    main()
