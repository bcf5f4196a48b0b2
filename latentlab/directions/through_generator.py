"""Finders that look through the generator: the gradient of a scorer's logit, for many faces or for one.

They need no more labels than a scorer gives, and the scorer may be any differentiable function of images.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from latentlab.directions.direction import Direction, Space, longest_row
from latentlab.directions.finders import Target, check_training
from latentlab.directions.gradients import Images, images_at, score_gradients
from latentlab.directions.style_channels import strongest
from latentlab.directions.styles import StyleSpace
from latentlab.errors import UserError
from latentlab.progress import Stage, silent, stage_of
from latentlab.rendering import Renderer
from latentlab.scorers import Scorer


class ThroughGenerator(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Base of the finders that look through the generator: what they look at, and the hyperplane of their direction.

    Attributes
    ----------
    direction_
        `(w_dim,)`, `(num_ws, w_dim)` in W+, or `(C,)` in S, float64.
    intercept_
        The hyperplane, halfway between the means of the classes.
    """

    target: ClassVar[Target] = "labels"
    space: Space
    renderer: Renderer | None
    scorer: Scorer | None
    attribute: str | None
    style_space: StyleSpace | None
    direction_: NDArray[np.float64]
    intercept_: float

    def decision_function(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """Signed distance `(n,)` of `x (n, w_dim)`, in S `(n, C)`, from the hyperplane."""
        check_is_fitted(self, "direction_")
        return self._coordinates(x) + self.intercept_

    def _images(self) -> Images:
        """Images at the points of the space; UserError if the finder has not been given what it looks through."""
        missing = [name for name in ("renderer", "scorer", "attribute") if getattr(self, name) is None]
        if missing:
            raise UserError(
                f"{type(self).__name__} looks through the generator and needs {', '.join(missing)}: give the renderer "
                "and the scorer to latentlab.directions.fit, or to the finder itself"
            )
        assert self.renderer is not None
        return images_at(self.renderer, self.space, self.style_space)

    def _points(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points of the space at `x (n, w_dim)`, in S `(n, C)`."""
        assert self.renderer is not None
        return np.tile(x, (1, self.renderer.generator.num_ws)) if self.space == "w+" else x

    def _gradients(self, points: NDArray[np.float64], images: Images, stage: Stage) -> NDArray[np.float64]:
        """Gradients of the logit at `points (n, D)`: `(n, D)`."""
        assert self.scorer is not None and self.attribute is not None
        with stage("gradients of the score") as step:
            return score_gradients(points, images, self.scorer, self.attribute, step)

    def _keep(self, slope: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.bool_]) -> None:
        """Keep the direction of a slope `(D,)`, and the hyperplane halfway between the classes of `x` and `y`."""
        assert self.renderer is not None
        rows = slope.reshape(self.renderer.generator.num_ws, -1) if self.space == "w+" else slope
        length = longest_row(rows)
        if not (np.isfinite(length) and length > 0):
            raise UserError(f"the gradient of {self.attribute} is zero: no step in latent space changes the score")
        self.direction_ = rows / length
        coordinates = self._coordinates(x)
        self.intercept_ = -float(coordinates[y].mean() + coordinates[~y].mean()) / 2

    def _coordinates(self, x: NDArray[Any]) -> NDArray[np.float64]:
        x, vector = np.asarray(x, dtype=np.float64), self.direction_
        found: NDArray[np.float64] = x @ vector if vector.ndim == 1 else x @ vector.sum(axis=0) / (vector**2).sum()
        return found


class MeanGradient(ThroughGenerator):
    """Mean gradient of the scorer's logit at many faces: the direction along which it grows fastest on average.

    Parameters
    ----------
    space
        'w', or 'w+' for one row per layer.
    faces
        Rows of x, drawn at random, at which the gradient is taken.
    renderer, scorer, attribute
        What the finder looks through: `latentlab.directions.fit` gives them to one that has none.
    seed
        Random seed of the faces.
    progress
        True for a progress bar, False for none, or a `Stage` of your own.
    """

    style_space = None

    def __init__(
        self,
        space: Literal["w", "w+"] = "w",
        faces: int = 64,
        renderer: Renderer | None = None,
        scorer: Scorer | None = None,
        attribute: str | None = None,
        seed: int = 0,
        progress: bool | Stage = True,
    ) -> None:
        self.space, self.faces, self.seed, self.progress = space, faces, seed, progress
        self.renderer, self.scorer, self.attribute = renderer, scorer, attribute

    def fit(self, w: NDArray[Any], y: NDArray[np.bool_]) -> MeanGradient:
        """Fit on `w (n, w_dim)`; the labels `y (n,)` only place the hyperplane.

        Raises
        ------
        UserError
            If only one class occurs, the finder has no renderer, scorer or attribute, or the scorer passes no gradient.
        """
        images = self._images()
        w, y = check_training(w, y)
        points = self._points(w[draw(len(w), self.faces, self.seed)])
        self._keep(self._gradients(points, images, stage_of(self.progress)).mean(axis=0), w, y)
        return self


class StyleGradient(ThroughGenerator):
    """The style channels in which the scorer's logit grows fastest on average, each moved by its mean gradient.

    Gradients are with respect to standardised styles, so that a channel counts by what its usual spread does.

    Parameters
    ----------
    channels
        Number of channels that move.
    faces
        Rows of x, drawn at random, at which the gradient is taken.
    renderer, scorer, attribute, style_space
        What the finder looks through: `latentlab.directions.fit` gives them to one that has none.
    seed
        Random seed of the faces.
    progress
        True for a progress bar, False for none, or a `Stage` of your own.

    Attributes
    ----------
    gradient_
        `(C,)`: mean gradient.
    """

    space: Space = "s"

    def __init__(
        self,
        channels: int = 10,
        faces: int = 64,
        renderer: Renderer | None = None,
        scorer: Scorer | None = None,
        attribute: str | None = None,
        style_space: StyleSpace | None = None,
        seed: int = 0,
        progress: bool | Stage = True,
    ) -> None:
        self.channels, self.faces, self.seed, self.progress = channels, faces, seed, progress
        self.renderer, self.scorer, self.attribute, self.style_space = renderer, scorer, attribute, style_space

    def fit(self, x: NDArray[Any], y: NDArray[np.bool_]) -> StyleGradient:
        """Fit on standardised styles `x (n, C)`; the labels `y (n,)` only place the hyperplane.

        Raises
        ------
        UserError
            If only one class occurs, the finder has nothing to look through, or the scorer passes no gradient.
        """
        images = self._images()
        x, y = check_training(x, y)
        points = x[draw(len(x), self.faces, self.seed)]
        self.gradient_ = self._gradients(points, images, stage_of(self.progress)).mean(axis=0)
        self._keep(strongest(self.gradient_, self.channels), x, y)
        return self


def mean_gradient_in_w_plus() -> MeanGradient:
    """A `MeanGradient` in W+, for the registry."""
    return MeanGradient(space="w+")


def face_direction(
    ws: Tensor, renderer: Renderer, scorer: Scorer, attribute: str, space: Literal["w", "w+"] = "w"
) -> Direction:
    """Direction along which the logit of one face grows fastest, at the face itself.

    It holds for this face and its neighbourhood. Long steps along it change the scorer's mind rather than the face:
    what a gradient of one face finds, a mean over many faces averages out.

    Parameters
    ----------
    ws
        The face: `(1, num_ws, w_dim)` or `(num_ws, w_dim)`.
    renderer
        Renders the image that is scored.
    scorer, attribute
        The score; the scorer must be differentiable.
    space
        'w' for one step in all rows of ws, or 'w+' for one row per layer.

    Raises
    ------
    UserError
        If ws is of several faces, the scorer passes no gradient, or the gradient is zero.
    """
    generator = renderer.generator
    if ws.numel() != generator.num_ws * generator.w_dim:
        raise UserError(f"the direction of one face takes its ws, (1, num_ws, w_dim), not {tuple(ws.shape)}")
    point = ws.detach().reshape(1, -1).double().cpu().numpy()
    with silent("") as step:
        gradient = score_gradients(point, images_at(renderer, "w+"), scorer, attribute, step)[0]
    rows = gradient.reshape(generator.num_ws, -1)
    vector = rows if space == "w+" else rows.sum(axis=0)
    length = longest_row(vector)
    if length == 0:
        raise UserError(f"the gradient of {attribute} is zero at this face: the score is saturated or ignores it")
    return Direction(
        vector=(vector / length).astype(np.float32),
        attribute=attribute,
        method="face_direction",
        space=space,
        generator=generator.fingerprint,
        scorer=scorer.fingerprint,
    )


def draw(rows: int, count: int, seed: int) -> NDArray[np.intp]:
    """Draw `count` of so many rows, or all if there are fewer; UserError if `count` is below 1."""
    if count < 1:
        raise UserError(f"gradients are taken at one face at least, not at {count}")
    return np.random.default_rng(seed).permutation(rows)[:count]
