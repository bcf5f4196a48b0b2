"""Populations of the generator with known factors."""

import numpy as np
import torch

from latentlab.datasets import KnownFactors
from latentlab.samples import SampleTable
from stylegan2.sampling import z_from_seeds


@torch.no_grad()
def population(generator: KnownFactors, n: int, start: int = 0) -> np.ndarray:
    """w of n seeds, `(n, w_dim)`."""
    return generator.mapping(z_from_seeds(range(start, start + n), generator.z_dim))[:, 0].numpy()


@torch.no_grad()
def known_table(generator: KnownFactors, n: int) -> SampleTable:
    """Samples of n seeds with the scores of all factors."""
    w, scorer = population(generator, n), generator.scorer()
    scores = scorer(generator.synthesis(torch.from_numpy(w)[:, None].repeat(1, generator.num_ws, 1), resolution=32))
    return SampleTable(
        seeds=np.arange(n),
        psi=np.ones(n, np.float32),
        w=w,
        scores=scores.numpy(),
        names=scorer.names,
        generator=generator.fingerprint,
        scorer=scorer.fingerprint,
        threshold=scorer.threshold,
    )
