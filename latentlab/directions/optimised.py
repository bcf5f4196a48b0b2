"""The direction that raises a score most for what it costs: in plausibility, and in change outside a region."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from latentlab.directions.finders import check_training
from latentlab.directions.gradients import Region, image_gradients
from latentlab.directions.style_channels import strongest
from latentlab.directions.styles import StyleSpace
from latentlab.directions.through_generator import ThroughGenerator, draw
from latentlab.errors import UserError
from latentlab.faces.regions import mean_region, region_of
from latentlab.mapping import check_square
from latentlab.progress import Stage, stage_of
from latentlab.rendering import Renderer
from latentlab.scorers import Scorer

Spread = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Product with the covariance of the latents: rows `(n, D)` to `(n, D)`."""


@dataclass(eq=False, repr=False)
class Optimised(ThroughGenerator):
    r"""The step that raises the logit most, less what it costs.

    .. math:: d = (\lambda \Sigma^{-1} + C)^{-1} g

    maximises :math:`g \cdot d - \frac12 \lambda\, d^\top \Sigma^{-1} d - \frac12 d^\top C\, d`: the gain of the logit;
    less the squared Mahalanobis distance that it goes, since the generator is sound where its latents usually lie;
    less the mean squared change of the pixels outside the region that may change.

    - g is the mean gradient of the scorer's logit at faces moved part of the way along the mean difference of the
      classes, positive ones back and negative ones forth: where edits pass.
    - :math:`\Sigma` is the covariance of the latents: in W that of the samples; in W+ that of W in each row, rows
      independent of each other, so that they may part; in S the variances of the channels alone, since the full
      covariance of styles is of rank w_dim and would lead back to W.
    - C is the mean outer product of the gradients of random projections of the image outside the region
      (`latentlab.directions.gradients.image_gradients`). It is of low rank, and no matrix of the size of the space is
      ever built (Woodbury's identity): thousands of channels cost no more than w does.
    - :math:`\lambda` is `regularisation` times the mean eigenvalue of :math:`\Sigma^{1/2} C\, \Sigma^{1/2}`, so that it
      means the same for every space, generator and resolution.

    Parameters
    ----------
    space
        'w', 'w+', or 's', for which x is standardised styles.
    region
        Region that may change: 'attribute' for that of the attribute (`latentlab.faces.regions.region_of`), such as the
        mouth of a smile; a name among `latentlab.faces.REGIONS`; or a function of images `(b, 3, h, w)` that gives
        masks `(b or 1, 1, h, w)`, 1 within. Named regions are fixed, for images that are framed as FFHQ is. None if all
        change counts, as it does for an attribute of the whole image.
    regularisation
        Weight of plausibility against change. A large one gives :math:`\Sigma g`, a small one the direction with the
        least change outside the region. For smiles of FFHQ faces, values from 0.1 to 1 did about equally well in W;
        with ten style channels, 1 kept more of a person's identity than 0.1.
    faces
        Faces at which gradients are taken, half of them from either class where there are enough.
    projections
        Random projections of the image of each face.
    channels
        In S, the number of channels that move: those that move furthest in the solution for all, for which the equation
        is solved again. None for all, in S; other spaces take no number.
    start
        Step from the negative to the positive class `(w_dim,)`, in S `(C,)`, along which the faces are moved; None for
        the mean difference.
    renderer, scorer, attribute, style_space
        What the finder looks through: `latentlab.directions.fit` gives them to one that has none.
    seed
        Random seed of faces, places and projections.
    progress
        True for a progress bar, False for none, or a `Stage` of your own.
    """

    space: Literal["w", "w+", "s"] = "w"
    region: str | Region | None = "attribute"
    regularisation: float = 1.0
    faces: int = 64
    projections: int = 4
    channels: int | None = None
    start: NDArray[np.float64] | None = None
    renderer: Renderer | None = None
    scorer: Scorer | None = None
    attribute: str | None = None
    style_space: StyleSpace | None = None
    seed: int = 0
    progress: bool | Stage = True

    def fit(self, x: NDArray[Any], y: NDArray[np.bool_]) -> Optimised:
        """Fit on `x (n, w_dim)`, in S `(n, C)`, and boolean labels `y (n,)`.

        Raises
        ------
        UserError
            If only one class occurs, a parameter is out of range, the finder has nothing to look through, or the
            scorer passes no gradient.
        """
        images = self._images()
        if not self.regularisation > 0 or self.projections < 1 or self.faces < 2:
            raise UserError(
                "the optimised direction takes a regularisation above 0, two faces and one projection at least"
            )
        if self.channels is not None and self.space != "s":
            raise UserError(f"style channels are chosen in space s, not in {self.space}")
        x, y = check_training(x, y)
        points = self._points(self._along(x, y))
        region, stage = self._region(), stage_of(self.progress)
        gradient = self._gradients(points, images, stage).mean(axis=0)
        with stage("change of the image") as step:
            felt = image_gradients(points, images, region, self.projections, self.seed, step)
        self._keep(self._solve(gradient, felt, x), x, y)
        return self

    def _solve(
        self, gradient: NDArray[np.float64], felt: NDArray[np.float64], x: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """The optimal step `(D,)`, with as many channels as wanted."""
        step = optimal_step(gradient, felt, self._spread(x), self.regularisation)
        if self.channels is None:
            return step
        kept = np.flatnonzero(strongest(step, self.channels))
        few = optimal_step(gradient[kept], felt[:, kept], self._spread(x[:, kept]), self.regularisation)
        step = np.zeros_like(step)
        step[kept] = few
        return step

    def _along(self, x: NDArray[np.float64], y: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Faces of either class, each moved part of the way to the other class."""
        step = x[y].mean(axis=0) - x[~y].mean(axis=0) if self.start is None else np.asarray(self.start)
        if step.shape != x.shape[1:]:
            raise UserError(f"the start is a step {x.shape[1:]} in the samples' space, not {step.shape}")
        positive, negative = np.flatnonzero(y), np.flatnonzero(~y)
        ahead = positive[draw(len(positive), self.faces // 2, self.seed)]
        behind = negative[draw(len(negative), self.faces - len(ahead), self.seed)]
        part = np.random.default_rng(self.seed).uniform(size=len(ahead) + len(behind))
        sign = np.repeat([-1.0, 1.0], [len(ahead), len(behind)])
        return np.asarray(x[np.concatenate([ahead, behind])] + (sign * part)[:, None] * step)

    def _region(self) -> Region | None:
        if not isinstance(self.region, str):
            return self.region
        assert self.renderer is not None and self.attribute is not None
        name = region_of(self.attribute.rpartition(":")[2]) if self.region == "attribute" else self.region
        if name is None:
            return None
        check_square(self.renderer.generator, "a region of the face")
        mask = mean_region(name, self.renderer.resolution)
        return lambda images: mask

    def _spread(self, x: NDArray[np.float64]) -> Spread:
        if self.space == "s":
            return lambda rows: np.asarray(rows * x.var(axis=0))
        covariance = np.cov(x, rowvar=False, bias=True)
        return lambda rows: np.asarray(rows.reshape(len(rows), -1, x.shape[1]) @ covariance).reshape(rows.shape)


def optimised_in_w_plus() -> Optimised:
    """An `Optimised` in W+, for the registry."""
    return Optimised(space="w+")


def optimised_in_s() -> Optimised:
    """An `Optimised` of ten style channels, for the registry."""
    return Optimised(space="s", channels=10)


def optimal_step(
    gradient: NDArray[np.float64], felt: NDArray[np.float64], spread: Spread, regularisation: float
) -> NDArray[np.float64]:
    r"""Solve :math:`(\lambda \Sigma^{-1} + C)\, d = g`, for :math:`C = F^\top F / n`, without a large matrix.

    By Woodbury's identity, and with :math:`\lambda` relative to the mean eigenvalue of
    :math:`\Sigma^{1/2} C\, \Sigma^{1/2}`:

    .. math::

        \lambda\, d = \Sigma g - \Sigma F^\top (n \lambda + F \Sigma F^\top)^{-1} F \Sigma g

    so that :math:`\Sigma` need not be invertible.

    Parameters
    ----------
    gradient
        g, `(D,)`.
    felt
        F, `(n, D)`.
    spread
        Product of rows with :math:`\Sigma`.
    regularisation
        :math:`\lambda` as a multiple of that mean eigenvalue, above 0.

    Returns
    -------
    NDArray
        :math:`\lambda\, d`, `(D,)`.
    """
    spread_felt, (spread_gradient,) = spread(felt), spread(gradient[None])
    inner = felt @ spread_felt.T  # (n, n)
    scale = regularisation * np.trace(inner) / felt.shape[1]  # n λ
    if scale == 0:  # nothing outside the region changes
        return np.asarray(spread_gradient)
    weights = np.linalg.solve(inner + scale * np.eye(len(inner)), felt @ spread_gradient)
    return np.asarray(spread_gradient - weights @ spread_felt)
