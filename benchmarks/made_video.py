"""A video with a known truth: a generated face that moves along a known path before a textured ground."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import stylegan2
from latentlab.directions import load_direction
from latentlab.editing import move
from latentlab.faces import CropGeometry, paste_back
from latentlab.rendering import Renderer
from latentlab.video import write_mp4
from stylegan2.protocol import Generator

SIZE = 640, 512  # width and height of a frame
WIDTH = 430.0  # of the crop, in pixels of the frame; the face itself is some 300 wide
FPS = 25.0


@dataclass(frozen=True, eq=False)
class MadeVideo:
    """Frames `(t, 3, h, w)` in [-1, 1], the latents that drew them, and the corners `(t, 4, 2)` of their crops."""

    frames: Tensor
    ws: Tensor
    quads: NDArray[np.float64]

    def write(self, path: Path) -> None:
        """Write the frames as MP4."""
        write_mp4(self.frames, path, FPS)


@torch.no_grad()
def make_video(generator: Generator, seed: int = 613, count: int = 24, psi: float = 0.7) -> MadeVideo:
    """Draw the frames: the head turns, the mouth opens and closes, and the whole sways, tilts and comes nearer."""
    t = np.arange(count) / FPS
    yaw, mouth = load_direction("yaw"), load_direction("mouth-open")
    ws = generator.mapping(stylegan2.z_from_seeds([seed], generator.z_dim), psi=psi)
    turned = torch.cat([move(ws, [(yaw, s)], generator)["ws"] for s in 2.0 * np.sin(2 * np.pi * 0.35 * t)])
    opened = 2.5 * np.sin(2 * np.pi * 0.7 * t + 0.5)
    quads = np.stack([_quad(second) for second in t])
    ground, render, frames = _ground(), Renderer(generator, generator.resolution), []
    for k in range(count):
        face = render(move(turned[[k]], [(mouth, float(opened[k]))], generator)).clamp(-1, 1)
        geometry = CropGeometry.plan(quads[k], generator.resolution, SIZE)
        frames.append(paste_back(face, geometry, ground, match_colour=False))
    return MadeVideo(torch.cat(frames), turned, quads)


def _quad(t: float) -> NDArray[np.float64]:
    """Corners of the crop at a time in seconds."""
    middle = np.array([320 + 24 * np.sin(2 * np.pi * 0.3 * t), 262 + 8 * np.sin(2 * np.pi * 0.5 * t + 1)])
    half = WIDTH / 2 * (1 + 0.03 * np.sin(2 * np.pi * 0.3 * t))
    angle = np.radians(4 * np.sin(2 * np.pi * 0.35 * t + 0.7))
    along = half * np.array([np.cos(angle), np.sin(angle)])
    down = along[::-1] * [-1, 1]
    return np.stack([middle - along - down, middle - along + down, middle + along + down, middle + along - down])


def _ground() -> Tensor:
    """A still ground with texture: waves of several lengths, and grain."""
    width, height = SIZE
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width] / 100
    waves = np.sin(3 * x + np.sin(2 * y)) + 0.5 * np.sin(7 * y + 2 * x) + 0.3 * np.sin(19 * x - 11 * y)
    grey = 0.15 * waves + 0.05 * rng.standard_normal((height, width))
    colours = np.array([-0.1, 0.0, 0.12])[:, None, None] + grey
    return torch.from_numpy(colours[None]).float().clamp(-1, 1)
