"""A scorer: how bright an image is."""

import torch
from torch import Tensor

from latentlab import FunctionScorer


def brightness(images: Tensor) -> Tensor:
    """Probabilities of bright and dark, `(b, 2)`."""
    bright = torch.sigmoid(20 * images.mean(dim=(1, 2, 3)))
    return torch.stack([bright, 1 - bright], dim=1)


def load_brightness(device: str | torch.device = "cpu") -> FunctionScorer:
    """Return the scorer."""
    return FunctionScorer(("bright", "dark"), brightness)
