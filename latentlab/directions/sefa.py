"""SeFa: the directions of W that move the styles most, from the generator's weights alone.

Shen & Zhou 2021, "Closed-Form Factorization of Latent Semantics in GANs".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from latentlab.directions.direction import Space
from latentlab.directions.finders import Target
from latentlab.directions.style_affines import style_affines
from latentlab.directions.styles import is_colour
from latentlab.errors import UserError
from latentlab.rendering import Renderer, check_has_styles


class SeFa(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    r"""Eigenvectors of :math:`A^\top A`, largest eigenvalue first.

    The rows of A are the weights of the styles' affine maps, a row for each style channel of the layers, scaled to
    unit length (Shen & Zhou 2021, equation 8). The layers that make colours are left out, as in the space S. No samples
    or labels are used: what a component changes is for the eye, or for a scorer, to say. Its sign is arbitrary; here
    the largest entry is positive.

    Parameters
    ----------
    count
        Number of components.
    layers
        Rows of ws whose styles count and which the components move; None for all.
    renderer
        Renderer of the generator; its resolution does not matter.

    Attributes
    ----------
    components_
        `(count, w_dim)` float64 of unit length; with `layers`, `(count, num_ws, w_dim)` with zeros in the other rows.
    eigenvalues_
        `(count,)`, descending: the squared length of what a step of 1 does to the scaled styles.
    """

    target: Target = None
    space: Space = "w"

    def __init__(self, count: int = 10, layers: Sequence[int] | None = None, renderer: Renderer | None = None) -> None:
        self.count, self.layers, self.renderer = count, layers, renderer

    def fit(self, w: NDArray[Any] | None = None, y: Any = None) -> SeFa:
        """Factorise the generator's weights; `w` and `y` are not used.

        Raises
        ------
        UserError
            If there is no renderer, its generator has no space S or no such layer, or fewer components than `count`.
        """
        if self.renderer is None:
            raise UserError("SeFa reads the weights of a generator: give it a renderer")
        generator = self.renderer.generator
        check_has_styles(generator)
        if not 1 <= self.count <= generator.w_dim:
            raise UserError(f"SeFa gives 1 to {generator.w_dim} components of this generator, not {self.count}")
        affines = style_affines(generator, self.layers)
        weights = np.concatenate([weight for layer, (weight, _) in affines.items() if not is_colour(layer)])
        lengths = np.linalg.norm(weights, axis=1, keepdims=True)
        rows = np.divide(weights, lengths, out=np.zeros_like(weights), where=lengths > 1e-6 * lengths.max())
        values, vectors = np.linalg.eigh(rows.T @ rows)  # ascending
        components = vectors.T[::-1][: self.count]
        largest = np.take_along_axis(components, np.abs(components).argmax(axis=1)[:, None], axis=1)
        self.eigenvalues_ = values[::-1][: self.count]
        self.components_ = components * np.sign(largest)
        if self.layers is not None:
            spread = np.zeros((self.count, generator.num_ws, generator.w_dim))
            spread[:, list(self.layers)] = self.components_[:, None]
            self.components_ = spread
        return self
