"""The expression classifier through the installed `fer` library, for those who want the original."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab.errors import missing_package
from latentlab.images import to_bytes
from latentlab.scorers.crop import FFHQ_FACE, FaceCrop
from latentlab.scorers.expression import EXPRESSIONS, CroppedScorer
from latentlab.scorers.xception import RESOLUTION


class FerLibraryScorer(CroppedScorer):
    """Probabilities of `EXPRESSIONS` as the `fer` library computes them.

    It sees the crops that `ExpressionScorer` sees, and works on the CPU, one image at a time, without gradients.

    Parameters
    ----------
    crop
        Where the face is.

    Raises
    ------
    UserError
        If the library is not installed or cannot start.
    """

    def __init__(self, crop: FaceCrop = FFHQ_FACE) -> None:
        super().__init__(crop)
        self.fingerprint = f"fer-library, mirrored, {crop}"
        self._detector = _detector()

    def classify(self, crops: Tensor) -> Tensor:
        """Classify faces `(b, 3, 64, 64)` in [-1, 1] as they are: probabilities `(b, 7)`."""
        pixels = to_bytes(crops).permute(0, 2, 3, 1).flip(3)  # (b, 64, 64, 3), BGR
        scores = np.zeros((len(pixels), len(EXPRESSIONS)), np.float32)
        for row, face in zip(scores, np.ascontiguousarray(pixels.cpu().numpy()), strict=True):
            self._detector.detect_emotions(face, face_rectangles=[(0, 0, RESOLUTION, RESOLUTION)])
            row[:] = self._detector.probabilities
        return torch.from_numpy(scores).to(crops.device)


def load_fer_library(device: str | torch.device = "cpu") -> FerLibraryScorer:
    """Load the `fer` library's classifier; it works on the CPU, whatever the `device` of the images.

    Raises
    ------
    UserError
        If the library is not installed or cannot start.
    """
    return FerLibraryScorer()


def _detector() -> Any:
    try:
        from fer.fer import FER
    except ImportError as error:
        need = f"the scorer fer-library needs the fer library ({error}); use fer, which needs nothing more, or"
        raise missing_package(
            need, "fer==25.10.3", "tensorflow>=2.16", "setuptools<81", "opencv-contrib-python<5"
        ) from error

    class Detector(FER):  # type: ignore[misc]  # it has no types
        """Keeps the probabilities that `detect_emotions` rounds to two decimals."""

        def _classify_emotions(self, gray_faces: NDArray[Any]) -> Any:
            result = super()._classify_emotions(gray_faces)
            self.probabilities = np.asarray(result)[0]
            return result

    # No margin around the rectangle; the full network, not its 8-bit copy.
    return Detector(use_tflite=False, offsets=(0, 0))
