"""How near points of faces come to where they are dragged, as a detector of landmarks sees it, and what it costs.

    python benchmarks/dragging.py

Each face of a seed is dragged by its own landmarks, by moves of known size. Then the landmarks are looked for anew in
the dragged image: what is left of a move is how far they are from the targets, all of the move's points together, as a
share of how far they were to go. Beside it stand what the detector leaves of the same move where the image is bent so
that every point is where it should be, below which no drag can be told apart from a perfect one; the tracker's own
opinion, the identity that is left (1: the same person) and the time; at the end, what another detector sees in the same
images.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from machine import describe
from torch import Tensor

import latentlab as ll
from latentlab.dragging import DragSettings
from latentlab.faces import FaceDescriptor, FaceDetector, load_detector
from latentlab.faces.identity import similarity
from latentlab.images import grid, resize
from latentlab.plots.moves import draw_moves
from latentlab.rendering import Renderer
from stylegan2.protocol import Generator

# Landmarks of iBUG 300-W, and how far they go to the right and down, in 1/256 of the image's width. Sizes are one and a
# half to three standard deviations of each landmark's place over generated faces.
MOVES = {
    "mouth corners up and out": {48: (-5, -7), 54: (5, -7)},
    "lips apart": {51: (0, -4), 57: (0, 8)},
    "chin down": {8: (0, 10)},
    "brows up": {19: (0, -6), 24: (0, -6)},
    "nose aside": {30: (12, 0)},
    "head turned": {30: (-12, 0), 27: (-6, 0)},
}

# How far around a point an image is bent, as a share of its width.
_BENT = 0.09


@dataclass(frozen=True)
class Row:
    """One move of one face: shares of the way that are left, by detectors and by the tracker, and the costs."""

    move: str
    left: float
    left_other: float
    floor: float
    tracked: float
    identity: float
    steps: int
    seconds: float


def bent(image: Tensor, points: Tensor, shift: Tensor) -> Tensor:
    """Bend an image `(1, 3, r, r)` smoothly so that each of its points `(n, 2)` goes as far as its `shift` says."""
    side = image.shape[-1]
    width = _BENT * side

    def weights(places: Tensor) -> Tensor:
        return torch.exp(-(places[..., None, :] - points).square().sum(dim=-1) / (2 * width**2))

    amounts = torch.linalg.solve(weights(points), shift)
    line = (torch.arange(256) + 0.5) * side / 256
    goals = torch.stack(torch.meshgrid(line, line, indexing="xy"), dim=-1)
    sources = goals
    for _ in range(8):  # what lies at a source comes to its goal
        sources = goals - weights(sources) @ amounts
    way = F.interpolate((sources - goals).movedim(-1, 0)[None], (side, side), mode="bilinear", align_corners=False)
    line = torch.arange(side) + 0.5
    grid = torch.stack(torch.meshgrid(line, line, indexing="xy"), dim=-1) + way[0].movedim(0, -1)
    return F.grid_sample(image, grid[None] * (2 / side) - 1, padding_mode="reflection", align_corners=False)


class Bench:
    """The networks, and what they find in images."""

    def __init__(self, generator: Generator, settings: DragSettings):
        self.generator, self.settings = generator, settings
        self.renderer = Renderer(generator, generator.resolution)
        self.detectors: tuple[FaceDetector, FaceDetector] = (load_detector("dlib68"), load_detector("dlib68-aligned"))
        self.descriptor = FaceDescriptor()

    @torch.no_grad()
    def image(self, ws: Tensor) -> Tensor:
        """The full image of a latent."""
        return self.renderer(ws).clamp(-1, 1)

    def landmarks(self, image: Tensor, detector: FaceDetector) -> Tensor | None:
        """The landmarks `(68, 2)` of the largest face; None where the detector finds none."""
        found = detector(image)
        return torch.from_numpy(found[0].landmarks).float() if found else None

    def left(
        self, image: Tensor, first: Tensor | None, places: list[int], shift: Tensor, detector: FaceDetector
    ) -> float:
        """Share of the way `shift` of some landmarks that is left in an image; NaN where no face is found in it."""
        assert first is not None  # the detector that searches for no face always answers
        found = self.landmarks(image, detector)
        if found is None:
            return float("nan")
        return float((found - first)[places].sub(shift).norm(dim=1).sum() / shift.norm(dim=1).sum())

    def rows(self, seed: int) -> tuple[list[Row], list[Tensor]]:
        """The moves of one face, and small images of it before and after each."""
        ws = self.generator.mapping(ll.z_from_seeds([seed], self.generator.z_dim), psi=0.7)
        before = self.image(ws)
        marks = [self.landmarks(before, detector) for detector in self.detectors]
        own = marks[0]
        if own is None:
            return [], []
        rows, images = [], [resize(before, 256, 256)]
        for name, move in MOVES.items():
            places = list(move)
            shift = torch.tensor([move[k] for k in places], dtype=torch.float32) * self.generator.resolution / 256
            began, spent = own[places], time.perf_counter()
            if not ((began + shift >= 0) & (began + shift <= self.generator.resolution)).all():
                print(f"{seed} {name}: left out, its target lies beyond the image", flush=True)
                images.append(resize(before, 256, 256))
                continue
            result = ll.drag(ws, began, began + shift, self.generator, self.settings, progress=False)
            spent = time.perf_counter() - spent
            after = self.image(result.ws)
            left = [
                self.left(after, first, places, shift, detector)
                for detector, first in zip(self.detectors, marks, strict=True)
            ]
            floor = self.left(bent(before, began, shift), own, places, shift, self.detectors[0])
            identity = float(similarity(self.descriptor(before), self.descriptor(after)))
            tracked = float(result.distances[-1].sum() / shift.norm(dim=1).sum())
            rows.append(Row(name, *left, floor, tracked, identity, result.steps, spent))
            images.append(resize(draw_moves(after, began, began + shift), 256, 256))
        return rows, images


def line(label: str, rows: Sequence[Row]) -> str:
    def figures(values: Sequence[float], form: str) -> str:
        return form.format(np.nanmedian(values))

    left = [row.left for row in rows]
    cells = (
        f"{np.nanmedian(left):.0%}",
        f"{np.nanpercentile(left, 25):.0%} … {np.nanpercentile(left, 75):.0%}",
        f"{np.mean(np.array(left) <= 0.15):.0%}",
        figures([row.floor for row in rows], "{:.0%}"),
        figures([row.tracked for row in rows], "{:.0%}"),
        figures([row.identity for row in rows], "{:.2f}"),
        figures([row.steps for row in rows], "{:.0f}"),
        figures([row.seconds for row in rows], "{:.1f}"),
    )
    return f"| {label} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="mobile-ffhq")
    parser.add_argument("--first", type=int, default=800, help="first seed")
    parser.add_argument("--faces", type=int, default=32)
    parser.add_argument("--steps", type=int, default=DragSettings().steps)
    parser.add_argument("--images", type=Path, help="also write all faces before and after each move, as one image")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    bench = Bench(ll.load_generator(arguments.network), DragSettings(steps=arguments.steps))
    rows, images = list[Row](), list[Tensor]()
    for seed in range(arguments.first, arguments.first + arguments.faces):
        found, shown = bench.rows(seed)
        rows += found
        images += shown
        if arguments.images is not None and images:
            ll.save_image(grid(torch.cat(images), len(MOVES) + 1), arguments.images)
        for row in found:
            print(f"{seed} {row.move}: {row.left:.0%} left, bent {row.floor:.0%}, "
                  f"tracked {row.tracked:.0%}, identity {row.identity:.2f}, "
                  f"{row.steps} steps, {row.seconds:.1f} s", flush=True)  # fmt: skip
    print(f"\n{describe('torch', 'dlib-bin')}")
    seeds = f"{arguments.first}-{arguments.first + arguments.faces - 1}"
    print(f"\n{len(rows)} drags, seeds {seeds}, at most {arguments.steps} steps\n")
    print("| move | left | half of the faces | 15 % or less | bent | tracked | identity | steps | seconds |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name in MOVES:
        print(line(name, [row for row in rows if row.move == name]))
    print(line("all", rows))
    print(f"\nby landmarks in a box that is known, all: {np.nanmedian([row.left_other for row in rows]):.0%} left")


if __name__ == "__main__":
    main()
