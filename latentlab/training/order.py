"""Order of the samples in a training: a function of the seed alone, wherever the training resumes."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray


def place_in_order(number: int, count: int, seed: int) -> int:
    """Return which of `count` samples comes at a place, from 0: shuffled epochs without a break between them."""
    epoch, k = divmod(number, count)
    return int(_order(count, seed, epoch)[k])


@lru_cache(maxsize=2)
def _order(count: int, seed: int, epoch: int) -> NDArray[Any]:
    return np.random.default_rng((seed, 0, epoch)).permutation(count)
