"""The loop of a drag: supervise, step, track, until all points have arrived.

Two things differ from the paper, so that generators of other kinds than NVIDIA's can be dragged. The paper steps with
Adam, as far along every coordinate of w as along any other. Along most directions images hardly differ, and in a
generator without demodulation such steps change contrast and colours, and end in grey. Here a step goes along the
covariance of w over all images, where the gradient leads in units of w's own spread, by so many standard deviations.
And points are found again by patches, see `latentlab.dragging.tracking`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from latentlab.dragging.features import InnerFeatures
from latentlab.dragging.inputs import Places, checked_mask, checked_moves, checked_ws
from latentlab.dragging.settings import UNITS, DragSettings
from latentlab.dragging.supervision import Kept, motion_loss
from latentlab.dragging.tracking import Tracker
from latentlab.errors import UserError
from latentlab.progress import Stage, stage_of
from latentlab.projection.latents import draw_w
from latentlab.rendering import Renderer
from latentlab.reprs import ShortRepr
from stylegan2.protocol import Generator

# Draws of w for its covariance: several for each of its 512 dimensions.
_DRAWS = 4000
# Share of the step's size that is left at the target: with none, the last points would never arrive.
_LEAST_SHARE = 0.1
_NO_LENGTH = 1e-20


@dataclass(frozen=True, eq=False, repr=False)
class DragStep(ShortRepr):
    """Where a drag is after some steps.

    Attributes
    ----------
    done, total
        Steps taken, and steps at most.
    ws
        `(1, num_ws, w_dim)`: the latent.
    points
        `(n, 2)`: where the points are now, as far as tracking can tell, (x, y) in pixels of the full image.
    distances
        `(n,)`: how far they are from their targets, in these pixels.
    arrived
        Whether all of them are there.
    image
        `(1, 3, preview, preview)`: the image at the resolution that was asked for as `preview`; None without it.
    """

    done: int
    total: int
    ws: Tensor
    points: Tensor
    distances: Tensor
    arrived: bool
    image: Tensor | None


@dataclass(frozen=True, eq=False, repr=False)
class DragResult(ShortRepr):
    """The end of a drag.

    Attributes
    ----------
    ws
        `(1, num_ws, w_dim)`: the latent of the dragged image.
    points
        `(n, 2)`: where the points were last tracked, (x, y) in pixels of the full image.
    distances
        `(steps + 1, n)`: how far the points were from their targets before the first step and after each, in pixels.
    arrived
        Whether all of them are there.
    """

    ws: Tensor
    points: Tensor
    distances: Tensor
    arrived: bool

    @property
    def steps(self) -> int:
        """Steps that were taken."""
        return len(self.distances) - 1


def drag(
    ws: Tensor,
    points: Places,
    targets: Places,
    generator: Generator,
    settings: DragSettings | None = None,
    mask: Tensor | None = None,
    progress: bool | Stage = True,
) -> DragResult:
    """Pull points of a generated image to where they should be.

    Parameters
    ----------
    ws
        `(1, num_ws, w_dim)`, the latent of the image.
    points, targets
        `(n, 2)` each: (x, y) in pixels of the full image, from the upper left corner, and where each is to go. A point
        whose target is its own place is held there.
    generator
        Generator of the image, with W and with blocks of features; it is not changed.
    settings
        How to drag; None for the default.
    mask
        `(r, r)` at the full image's resolution: 1 where it may move, 0 where it should stay as it is.
    progress
        True for a progress bar, False for none, or a `Stage` of your own, whose step is called with
        (steps done, steps at most, the largest distance left).

    Returns
    -------
    DragResult
        The new latent, where the points are, and their distances by step.

    Raises
    ------
    UserError
        If points, targets or the mask do not fit the image or each other, hold numbers that are not finite, or lie
        outside; or the generator has no W, or no features to drag in.

    See Also
    --------
    latentlab.dragging.steps : the same step by step, with a preview of the image; to stop it, stop iterating.
    """
    taken, distances = steps(ws, points, targets, generator, settings, mask), []
    with stage_of(progress)("dragging", "step") as show:
        for step in taken:
            distances.append(step.distances)
            show(step.done, step.total, f"{float(step.distances.max()):.1f} px left")
    return DragResult(step.ws, step.points, torch.stack(distances), step.arrived)


def steps(
    ws: Tensor,
    points: Places,
    targets: Places,
    generator: Generator,
    settings: DragSettings | None = None,
    mask: Tensor | None = None,
    preview: int | None = None,
) -> Iterator[DragStep]:
    """Drag step by step, as `drag` does; yield where the drag is before the first step, and after each.

    What is given is checked at once, before the first step is asked for. Parameters and errors are those of `drag`;
    `preview` is the resolution of each step's image, one of the generator's `resolutions`, or None for no images.
    """
    chosen = DragSettings() if settings is None else settings
    held = None if mask is None else checked_mask(mask, generator)
    renderer = None if preview is None else Renderer(generator, preview)
    first, moves = checked_ws(ws, generator), checked_moves(points, targets, generator)
    return _Drag(first, *moves, generator, chosen, held).steps(renderer)


class _Drag:
    """One image that is dragged: its latent and its points, which are in units."""

    def __init__(
        self,
        ws: Tensor,
        points: Tensor,
        targets: Tensor,
        generator: Generator,
        settings: DragSettings,
        mask: Tensor | None,
    ):
        with torch.inference_mode(False):  # where a caller is in it, what is made could take no gradient
            self._ws, self._points, self._targets = ws.clone(), points.clone(), targets.clone()
        self._settings, self._mask = settings, mask
        self._inner = InnerFeatures(generator, settings.feature_resolution)
        self._covariance = _covariance(generator)
        self._pixels = generator.resolution / UNITS  # of a unit
        self._features: Tensor | None = None
        self._tracker: Tracker | None = None
        self._kept: Kept | None = None

    def steps(self, renderer: Renderer | None) -> Iterator[DragStep]:
        total = self._settings.steps
        for done in range(total + 1):
            # Whoever iterates may do so without gradients; between the steps their choice holds.
            with torch.inference_mode(False), torch.enable_grad():
                self._look()
            distances = (self._targets - self._points).norm(dim=1)
            arrived = bool((distances <= self._settings.arrived).all())
            with torch.no_grad():
                image = None if renderer is None else renderer(self._ws)
            points, left = self._points * self._pixels, distances * self._pixels
            yield DragStep(done, total, self._ws.detach(), points, left, arrived, image)
            if arrived or done == total:
                return
            with torch.inference_mode(False), torch.enable_grad():
                self._move(float(distances.max()))

    def _look(self) -> None:
        """Find out what the features of the latent are, and where the points are in them."""
        self._ws = self._ws.detach().requires_grad_()
        self._features = self._inner(self._ws)
        seen = self._features.detach()
        if self._tracker is None:
            self._tracker = Tracker(seen, self._points, self._targets, self._settings)
            self._kept = None if self._mask is None else Kept(seen, self._mask)
        else:
            self._points = self._tracker(seen, self._points)

    def _move(self, distance: float) -> None:
        """Move the latent by a step, where `distance` is the largest that is left."""
        assert self._features is not None  # `_look` comes first
        loss = motion_loss(self._features, self._points, self._targets, self._settings)
        if self._kept is not None:
            loss = loss + self._settings.mask_weight * self._kept.loss(self._features)
        (gradient,) = torch.autograd.grad(loss, self._ws)
        self._ws = self._ws.detach() + self._step(gradient, distance)

    def _step(self, gradient: Tensor, distance: float) -> Tensor:
        """What a gradient adds to ws, `(1, num_ws, w_dim)`."""
        settings, downhill = self._settings, -gradient
        downhill[:, settings.rows :] = 0
        way = downhill @ self._covariance
        # In standard deviations its length is that of C^½ g, since the way itself is C g.
        length = float((way * downhill).sum().clamp_min(0).sqrt())
        if not math.isfinite(length):
            raise UserError("the generator's features are not finite here: the image cannot be dragged on")
        share = min(max(distance / settings.slow_within, _LEAST_SHARE), 1.0)
        return way * (settings.step_size * share / max(length, _NO_LENGTH))


@torch.no_grad()
def _covariance(generator: Generator) -> Tensor:
    """Covariance `(w_dim, w_dim)` of w over all images."""
    w = draw_w(generator, _DRAWS)
    centred = w - w.mean(dim=0)
    return centred.mT @ centred / len(w)
