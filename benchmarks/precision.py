"""What rendering in bfloat16 changes: images, w, scores and labels, against float32 on the same seeds.

    python benchmarks/precision.py [--samples 2000] [--resolution 256] [--scorers fer attributes]

Prints PSNR and the largest error of the images in [-1, 1], the error of w and of the styles as the renderer gets them,
the errors of the scores, and the shares of labels that agree, with 95 % intervals (Wilson 1927), of every score.
"""

from __future__ import annotations

import argparse
import time

import machine
import numpy as np
import torch
from numpy.typing import NDArray

from latentlab.mapping import ws_of_seeds
from latentlab.metrics import share_interval
from latentlab.metrics.intervals import format_share
from latentlab.pipelines import Components
from latentlab.rendering import Renderer
from latentlab.scorers import score_images, threshold_of
from latentlab.scorers.scores import label_scores
from stylegan2.memory import keep_freed_memory
from stylegan2.protocol import Generator

BATCH = 4
DTYPES = (torch.float32, torch.bfloat16)


def psnr(errors: torch.Tensor) -> torch.Tensor:
    """PSNR in dB of each image, of its errors `(b, 3, h, w)` on a scale of [-1, 1]."""
    return 10 * torch.log10(4 / errors.square().mean(dim=(1, 2, 3)))


class Found:
    """What was found of the samples so far."""

    def __init__(self, scorers: dict[str, Components]) -> None:
        self.psnr: list[torch.Tensor] = []
        self.largest = 0.0
        self.seconds = dict.fromkeys(DTYPES, 0.0)
        self.scores: dict[str, dict[torch.dtype, list[NDArray[np.float32]]]] = {
            name: {dtype: [] for dtype in DTYPES} for name in scorers
        }

    def add(self, images: dict[torch.dtype, torch.Tensor], scorers: dict[str, Components]) -> None:
        """Compare the images of one batch."""
        one, other = (images[dtype] for dtype in DTYPES)
        self.psnr.append(psnr(one.clamp(-1, 1) - other.clamp(-1, 1)))
        self.largest = max(self.largest, float((one - other).abs().max()))
        for name, components in scorers.items():
            for dtype in DTYPES:
                self.scores[name][dtype].append(score_images(components.scorer, images[dtype]))

    def lines(self, scorers: dict[str, Components]) -> list[str]:
        """The results as lines."""
        decibels = torch.cat(self.psnr).double().cpu()
        lines = [
            f"images: PSNR {decibels.mean():.1f} dB on average, {decibels.min():.1f} at the least; largest error "
            f"{self.largest:.3f}",
            f"rendered in {self.seconds[torch.float32]:.0f} s in float32, {self.seconds[torch.bfloat16]:.0f} s in "
            "bfloat16",
        ]
        for name, components in scorers.items():
            lines += self._labels(name, components)
        return lines

    def _labels(self, name: str, components: Components) -> list[str]:
        scorer = components.scorer
        one, other = (np.concatenate(self.scores[name][dtype]) for dtype in DTYPES)
        threshold, lines = threshold_of(scorer), []
        for k, score in enumerate(scorer.names):
            same = label_scores(one, scorer.names, score, threshold) == label_scores(
                other, scorer.names, score, threshold
            )
            error = np.abs(one[:, k] - other[:, k])
            lines.append(
                f"{name}:{score}: labels agree on {format_share(share_interval(same))}; scores differ by "
                f"{error.mean():.4f} on average, {np.quantile(error, 0.99):.4f} in 99 %, {error.max():.3f} at the most"
            )
        return lines


def latent_errors(generator: Generator, seeds: range, psi: float) -> str:
    """Errors of w and of the styles where the mapping, and the affine layers, run within autocast."""
    ws = ws_of_seeds(generator, seeds, psi)
    with torch.autocast(ws.device.type, torch.bfloat16):
        cast = ws_of_seeds(generator, seeds, psi).float()
    told = f"w within autocast: largest error {(ws - cast).abs().max():.2g} of w's deviation {ws.std():.2g}"
    if not hasattr(generator.synthesis, "styles"):
        return told
    plain = generator.synthesis.styles(ws)
    with torch.autocast(ws.device.type, torch.bfloat16):
        rounded = generator.synthesis.styles(ws)
    errors = [float((rounded[name].float() - plain[name]).abs().max()) for name in plain]
    return f"{told}; styles of the same w: largest error {max(errors):.2g}"


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--seed-start", type=int, default=600)
    parser.add_argument("--psi", type=float, default=0.7)
    parser.add_argument("--network", default="mobile-ffhq")
    parser.add_argument("--resolution", type=int, default=256)
    parser.add_argument("--scorers", nargs="+", default=["fer", "attributes"])
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    keep_freed_memory()
    scorers = {name: Components.load(arguments.network, name, device=arguments.device) for name in arguments.scorers}
    generator = next(iter(scorers.values())).generator
    renderers = {dtype: Renderer(generator, arguments.resolution, dtype=dtype) for dtype in DTYPES}
    seeds = range(arguments.seed_start, arguments.seed_start + arguments.samples)
    print(machine.describe("torch", "numpy"))
    print(latent_errors(generator, seeds[:64], arguments.psi), flush=True)
    found, ws = Found(scorers), ws_of_seeds(generator, seeds, arguments.psi)
    for some in torch.split(ws, BATCH):
        images = {}
        for dtype, renderer in renderers.items():
            begun = time.perf_counter()
            images[dtype] = renderer(some)
            found.seconds[dtype] += time.perf_counter() - begun
        found.add(images, scorers)
    print(f"{arguments.samples} samples at {arguments.resolution}x{arguments.resolution}")
    print("\n".join(found.lines(scorers)))


if __name__ == "__main__":
    main()
