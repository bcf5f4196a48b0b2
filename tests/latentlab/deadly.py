"""What ends the process that works on it: scorers, detectors and functions for tests of workers."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from latentlab.faces.detectors import FaceFound


@dataclass
class Deadly:
    """Kills its process, if that is none of the safe ones, so many times in all."""

    folder: Path
    times: int
    safe: int = field(default_factory=os.getpid)

    def __call__(self) -> None:
        for k in range(self.times if os.getpid() != self.safe else 0):
            try:
                (self.folder / f"killed-{k}").touch(exist_ok=False)
            except FileExistsError:
                continue
            os.kill(os.getpid(), signal.SIGKILL)

    @property
    def deaths(self) -> int:
        return len(list(self.folder.glob("killed-*")))


class DeadlyScorer:
    """Brightness; a known image kills."""

    names, fingerprint = ("bright", "dark"), "deadly"

    def __init__(self, deadly: Deadly, image: torch.Tensor) -> None:
        self.deadly, self.image = deadly, image

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        if bool(((images - self.image).abs().amax(dim=(1, 2, 3)) < 1e-4).any()):
            self.deadly()
        bright = torch.sigmoid(3 * images.mean(dim=(1, 2, 3)))
        return torch.stack([bright, 1 - bright], dim=1)


class DeadlyDetector:
    """Finds a face that fills the photo; black ones kill."""

    name = "deadly"

    def __init__(self, deadly: Deadly) -> None:
        self.deadly = deadly

    def __call__(self, photo: torch.Tensor) -> list[FaceFound]:
        if float(photo.max()) < -0.99:
            self.deadly()
        height, width = photo.shape[2:]
        quad = np.array([[0, 0], [0, height], [width, height], [width, 0]], dtype=np.float64)
        five = np.array([[0.7, 0.45], [0.6, 0.45], [0.3, 0.45], [0.4, 0.45], [0.5, 0.6]]) * [width, height]
        return [FaceFound((0.0, 0.0, float(width), float(height)), five, 1.0, quad)]
