"""The SVM's direction, restricted to the style channels that the score follows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from latentlab.directions.direction import Space
from latentlab.directions.finders import LinearSVM, check_training
from latentlab.directions.style_affines import style_affines
from latentlab.directions.styles import StyleSpace
from latentlab.directions.through_generator import ThroughGenerator, draw
from latentlab.errors import UserError
from latentlab.progress import Stage, stage_of
from latentlab.rendering import Renderer
from latentlab.scorers import Scorer


@dataclass(eq=False, repr=False)
class StyleSVM(ThroughGenerator):
    r"""The normal of a linear SVM in W, carried to S and cut down to the channels by which it raises the score.

    A direction of W moves all style channels. Channel j moves by :math:`m_j`, in standard deviations, and raises the
    logit by about :math:`m_j\,g_j`, with g the mean gradient of the logit at training faces. The channels with the
    largest gains are kept with the moves that the SVM gives them; what the others change in the image is spared.

    It is for attributes that no small set of channels carries, such as gender and age: there, many channels have to
    move together, by amounts that the SVM knows and the gradient does not.

    Parameters
    ----------
    channels
        Number of channels that move.
    C
        See `LinearSVM`.
    faces
        Training faces at which gradients are taken.
    renderer, scorer, attribute, style_space
        What the finder looks through: `latentlab.directions.fit` gives them to one that has none.
    seed
        Random seed of the choice of faces.
    progress
        True for a progress bar, False for none, or a `Stage` of your own.

    Attributes
    ----------
    moves_, gradient_
        `(C,)`: moves of all channels along the SVM's normal, and the mean gradient.
    """

    space: Space = field(default="s", init=False)
    channels: int = 300
    C: float | Literal["cv"] = 0.3
    faces: int = 192
    renderer: Renderer | None = None
    scorer: Scorer | None = None
    attribute: str | None = None
    style_space: StyleSpace | None = None
    seed: int = 0
    progress: bool | Stage = True

    def fit(self, x: NDArray[Any], y: NDArray[np.bool_]) -> StyleSVM:
        """Fit on standardised styles `x (n, C)` and boolean labels `y (n,)`.

        Raises
        ------
        UserError
            If only one class occurs, the finder has nothing to look through, the scorer passes no gradient, or fewer
            channels than asked for raise the score.
        """
        images = self._images()
        x, y = check_training(x, y)
        space, weights = self._affine()
        # Styles are affine in w, and there are more of them: w is what gives them, exactly.
        w = np.linalg.lstsq(weights, (x * space.scale).T, rcond=None)[0].T  # (n, w_dim), less the mean
        normal = LinearSVM(self.C).fit(w, y).direction_
        self.moves_ = np.divide(weights @ normal, space.scale, out=np.zeros(len(space)), where=space.scale > 0)
        points = x[draw(len(x), self.faces, self.seed)]
        self.gradient_ = self._gradients(points, images, stage_of(self.progress)).mean(axis=0)
        gains = self.moves_ * self.gradient_
        if not 1 <= self.channels <= (gains > 0).sum():
            raise UserError(
                f"channels are chosen from the {(gains > 0).sum()} that raise the score, not {self.channels}"
            )
        kept = np.zeros(len(space))
        chosen = np.argsort(-gains, kind="stable")[: self.channels]
        kept[chosen] = self.moves_[chosen]
        self._keep(kept, x, y)
        return self

    def _affine(self) -> tuple[StyleSpace, NDArray[np.float64]]:
        """The style space, and the weights `(C, w_dim)` of its channels' affine maps."""
        assert self.renderer is not None and self.style_space is not None  # or `_images` had refused
        affines = style_affines(self.renderer.generator)
        return self.style_space, np.concatenate([affines[layer][0] for layer in self.style_space.layers])
