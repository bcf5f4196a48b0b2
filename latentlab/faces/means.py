"""Means over generated faces, as measured and shipped with the package.

They were measured by scripts/fit_face_means.py on faces of `mobile-ffhq` at psi 1; how many, and on which
seeds, is in the file's metadata.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load

FILE = "face-means.safetensors"


@cache
def _stored() -> dict[str, NDArray[np.float32]]:
    return load((resources.files("latentlab") / "data" / FILE).read_bytes())


def mean_descriptor() -> NDArray[np.float32]:
    """Mean of `identity.FaceDescriptor` over generated faces, `(128,)`."""
    return _stored()["descriptor"]


def mean_landmarks() -> NDArray[np.float64]:
    """Mean of the 68 landmarks of generated faces in FFHQ's crop, `(68, 2)`, (x, y) in widths of the crop."""
    return _stored()["landmarks"].astype(np.float64)
