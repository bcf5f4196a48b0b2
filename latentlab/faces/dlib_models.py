"""Import of dlib, and images as it takes them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from latentlab import images
from latentlab.errors import missing_package


def import_dlib() -> ModuleType:
    """Import the module `dlib`; UserError if it is not installed."""
    try:
        import dlib
    except ImportError as error:
        raise missing_package("faces are found and compared with dlib, which is not installed", "dlib-bin") from error
    module: ModuleType = dlib
    return module


@cache
def load_predictor(path: Path) -> Any:
    """Load a predictor of landmarks, once: it is 100 MB, never changes, and serves detector and descriptor alike."""
    return import_dlib().shape_predictor(str(path))


def to_array(image: Tensor) -> NDArray[np.uint8]:
    """Bytes `(h, w, 3)` of an image `(1, 3, h, w)` in [-1, 1]."""
    array: NDArray[np.uint8] = images.to_bytes(image)[0].permute(1, 2, 0).contiguous().cpu().numpy()
    return array
