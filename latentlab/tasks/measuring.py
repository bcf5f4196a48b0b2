"""What measuring takes everywhere: pictures large enough to know faces in, and tensors as arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from latentlab import images
from latentlab.faces.identity import MIN_RESOLUTION


def enlarged(pictures: Tensor) -> Tensor:
    """Pictures at a size in which faces can be described: small ones are enlarged, before and after alike."""
    side = max(MIN_RESOLUTION, pictures.shape[3])
    return images.resize(pictures, side, side)


def as_array(values: Tensor) -> NDArray[np.float64]:
    """Figures of pictures, `(n,)`."""
    return values.detach().double().cpu().numpy()
