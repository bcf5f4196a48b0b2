"""Populations of the generator with known factors."""

import numpy as np
import torch

from latentlab.datasets import KnownFactors
from stylegan2.sampling import z_from_seeds


@torch.no_grad()
def population(generator: KnownFactors, n: int, start: int = 0) -> np.ndarray:
    """w of n seeds, `(n, w_dim)`."""
    return generator.mapping(z_from_seeds(range(start, start + n), generator.z_dim))[:, 0].numpy()
