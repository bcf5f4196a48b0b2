"""Regions of a face by its landmarks."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from latentlab.faces.geometry import Array


def mouth_region(landmarks: Array, resolution: int, grow: float = 1.5) -> Tensor:
    """Mark the mouth of `landmarks (68, 2)` in a square image: `(1, 1, resolution, resolution)`, 1 within, else 0.

    The outline of the lips, made larger about its middle by `grow`, so that a mouth that opens or widens stays within.
    """
    lips = landmarks[48:60]  # once around
    middle = lips.mean(axis=0)
    mask = Image.new("1", (resolution, resolution))
    ImageDraw.Draw(mask).polygon([tuple(corner) for corner in middle + grow * (lips - middle)], fill=1)
    return torch.from_numpy(np.array(mask, dtype=np.float32))[None, None]
