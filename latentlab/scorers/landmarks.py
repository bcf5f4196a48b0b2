"""Base of the scorers that measure a face by its landmarks."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab.errors import UserError
from latentlab.faces.detectors import FaceDetector
from latentlab.images import as_batch


class LandmarkScorer(ABC):
    """A scorer that measures the largest face in each image by 68 landmarks; nothing is trained but these.

    Its scores are not probabilities.

    Parameters
    ----------
    detector
        Face detector that finds 68 landmarks.
    """

    names: tuple[str, ...]
    fingerprint: str
    img_channels = 3
    square = True
    probabilities = False

    def __init__(self, detector: FaceDetector) -> None:
        self.detector = detector

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self.names)}; {self.detector.name})"

    @abstractmethod
    def measure(self, landmarks: NDArray[np.float64]) -> NDArray[np.float64]:
        """Measure a face with `landmarks (68, 2)`, (x, y) in pixels: a value for each name, `(k,)`."""

    def __call__(self, images: Tensor) -> Tensor:
        """Measure the face in each of `images (b, 3, h, w)` in [-1, 1]: `(b, k)`, NaN where there is none.

        Raises
        ------
        UserError
            If the detector finds other landmarks.
        """
        images = as_batch(images)
        rows = [self._of(image[None]) for image in images.detach()]
        return torch.tensor(np.stack(rows), dtype=torch.float32, device=images.device)

    def _of(self, image: Tensor) -> NDArray[np.float64]:
        found = self.detector(image)
        if not found:
            return np.full(len(self.names), np.nan)
        landmarks = found[0].landmarks
        if landmarks.shape != (68, 2):
            raise UserError(f"a face is measured by 68 landmarks; {self.detector.name} finds {len(landmarks)}")
        return self.measure(landmarks)
