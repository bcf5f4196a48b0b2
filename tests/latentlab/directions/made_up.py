"""Made-up populations and directions for the tests."""

import numpy as np

from latentlab.directions import Direction

DIM = 24


def population(n: int, seed: int = 0, dim: int = DIM, noise: float = 0.0):
    """w with very unequal axes and an offset, and a score that grows along one known direction."""
    rng = np.random.default_rng(seed)
    w = rng.standard_normal((n, dim)) * np.geomspace(2, 0.1, dim) + 3
    truth = np.random.default_rng(99).standard_normal(dim)
    truth /= np.linalg.norm(truth)
    distance = (w - 3) @ truth + noise * rng.standard_normal(n)
    return w.astype(np.float32), 1 / (1 + np.exp(-4 * distance)), truth


def make(**changes) -> Direction:
    vector = np.zeros(DIM, dtype=np.float32)
    vector[3] = 1
    card = {
        "attribute": "happy", "method": "LinearSVM", "sigma": 0.6, "intercept": -0.25,
        "statistics": {"auc": 0.93, "n": 500}, "generator": "abc", "scorer": "def",
    }  # fmt: skip
    return Direction(vector, **{**card, **changes})


def unequal(num_ws: int = 3, dim: int = DIM, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).standard_normal((num_ws, dim))
    return (rows / np.linalg.norm(rows, axis=1).max()).astype(np.float32)


def unit(vector, attribute="x", **changes):
    vector = np.asarray(vector, dtype=np.float64)
    return Direction((vector / np.linalg.norm(vector)).astype(np.float32), attribute, "made up", **changes)
