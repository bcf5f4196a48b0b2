"""How images and scores respond to a small step in a latent space: gradients through the generator.

A point is a flat row of D coordinates: of W, `(w_dim,)`; of W+, `(num_ws · w_dim,)`; of S, the `(C,)` standardised
styles of a `StyleSpace`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from latentlab.directions.direction import Space
from latentlab.directions.style_affines import StyleAffines, style_affines
from latentlab.directions.styles import StyleSpace
from latentlab.errors import UserError
from latentlab.progress import Step
from latentlab.rendering import Renderer, from_styles
from latentlab.scorers import Scorer, logits_of

Region = Callable[[Tensor], Tensor]
"""Images `(b, 3, h, w)` to masks `(b or 1, 1, h, w)`: 1 within the region, 0 outside."""
Images = Callable[[Tensor], Tensor]
"""Points `(b, D)` to images `(b, 3, h, w)`, differentiable."""

_BATCH = 4


def images_at(renderer: Renderer, space: Space, style_space: StyleSpace | None = None) -> Images:
    """The function from the points of a space to their images.

    Styles that the points of S lack, those of layers that make colours, are those of the nearest w: exactly the image's
    own where the point is that of a w. No gradient passes through them, as directions of S leave them alone.

    Parameters
    ----------
    renderer
        Renders the images.
    space
        'w', 'w+' or 's'.
    style_space
        Standardisation of the styles, for space s.

    Raises
    ------
    UserError
        If points of this space have no images, or there is no `style_space` for those of s.
    """
    generator = renderer.generator
    if space == "w":
        return lambda points: renderer({"w": points.to(generator.w_avg)})
    if space == "w+":
        shape = (generator.num_ws, generator.w_dim)
        return lambda points: renderer(points.to(generator.w_avg).reshape(-1, *shape))
    if space != "s":
        raise UserError(f"gradients through the generator are those of w, w+ or s, not of {space}")
    if style_space is None:
        raise UserError("points of the space s are standardised styles: give the style_space that standardised them")
    return _images_of_styles(renderer, style_space)


def _images_of_styles(renderer: Renderer, style_space: StyleSpace) -> Images:
    complete = _completion(style_affines(renderer.generator), style_space)
    to = renderer.generator.w_avg
    mean, scale = (torch.from_numpy(part).to(to) for part in (style_space.mean, style_space.scale))

    def images(points: Tensor) -> Tensor:
        rows = points.to(to) * scale + mean  # (b, C)
        styles = dict(zip(style_space.layers, torch.split(rows, list(style_space.widths), dim=1), strict=True))
        return renderer(from_styles(styles | complete(rows.detach())))

    return images


def _completion(affines: StyleAffines, style_space: StyleSpace) -> Callable[[Tensor], dict[str, Tensor]]:
    """The function from styles `(b, C)` to those of the layers that the space leaves out, by way of the nearest w."""
    inner = [affines[layer] for layer in style_space.layers]
    outer = {layer: affine for layer, affine in affines.items() if layer not in style_space.layers}
    nearest = np.linalg.pinv(np.concatenate([weight for weight, _ in inner]))  # (w_dim, C), least squares
    offset = nearest @ np.concatenate([bias for _, bias in inner])  # (w_dim,)
    maps = {layer: (weight @ nearest, bias - weight @ offset) for layer, (weight, bias) in outer.items()}

    def complete(rows: Tensor) -> dict[str, Tensor]:
        tensors = {layer: [torch.from_numpy(part).to(rows) for part in parts] for layer, parts in maps.items()}
        return {layer: F.linear(rows, weight, bias) for layer, (weight, bias) in tensors.items()}

    return complete


@torch.enable_grad()
def score_gradients(
    points: NDArray[Any], images: Images, scorer: Scorer, attribute: str, step: Step
) -> NDArray[np.float64]:
    """Gradient of the logit of a score with respect to each of `points (n, D)`: `(n, D)`.

    Parameters
    ----------
    points
        Points of the space that `images` takes.
    images
        See `images_at`.
    scorer, attribute
        The score; its scorer must be differentiable.
    step
        Called with the points that are done.

    Raises
    ------
    UserError
        If the scorer passes no gradient, or one that is not finite.
    """
    parts = []
    for batch in _batches(points):
        logits = logits_of(scorer, images(batch), attribute)
        if not logits.requires_grad:
            raise UserError(
                f"the scorer {scorer!r} passes no gradients: directions through the generator take a scorer of torch"
            )
        parts.append(_gradient(logits.sum(), batch))
        step(sum(map(len, parts)), len(points))
    gradients = np.concatenate(parts)
    if not np.isfinite(gradients).all():
        raise UserError(f"the gradient of {attribute} is not finite: the scorer gives scores that are not numbers")
    return gradients


@torch.enable_grad()
def image_gradients(
    points: NDArray[Any], images: Images, region: Region | None, projections: int, seed: int, step: Step
) -> NDArray[np.float64]:
    r"""Gradients of random projections of the image outside a region, at each of `points (n, D)`.

    With J the derivative of the pixels outside the region at a point, :math:`\varepsilon` white noise and P the number
    of pixels of the image, a row is :math:`J^\top \varepsilon / \sqrt{P}`. So the mean outer product C of the rows
    estimates the mean of :math:`J^\top J / P` (Hutchinson 1990), and :math:`d^\top C d` is the mean squared change of
    pixels that a small step d makes outside the region.

    Parameters
    ----------
    points
        Points of the space that `images` takes.
    images
        See `images_at`.
    region
        Region that may change; None if the whole image counts.
    projections
        Projections of each image.
    seed
        Random seed of the projections.
    step
        Called with the points that are done.

    Returns
    -------
    NDArray
        `(n · projections, D)` float64.
    """
    rng = torch.Generator().manual_seed(seed)
    parts, done = [], 0
    for batch in _batches(points):
        pictures = images(batch)  # (b, channels, h, w)
        outside = torch.ones_like(pictures) if region is None else 1 - region(pictures.detach()).to(pictures)
        weight = outside / pictures[0].numel() ** 0.5
        for k in range(projections):
            noise = torch.randn(pictures.shape, generator=rng).to(pictures)
            parts.append(_gradient((weight * noise * pictures).sum(), batch, keep=k + 1 < projections))
        done += len(batch)
        step(done, len(points))
    return np.concatenate(parts)


def _batches(points: NDArray[Any]) -> Iterator[Tensor]:
    """The points a few at a time, as leaves that gradients are taken with respect to."""
    for start in range(0, len(points), _BATCH):
        yield torch.from_numpy(np.array(points[start : start + _BATCH], dtype=np.float32)).requires_grad_()


def _gradient(value: Tensor, points: Tensor, keep: bool = False) -> NDArray[np.float64]:
    (gradient,) = torch.autograd.grad(value, points, retain_graph=keep)
    return gradient.double().cpu().numpy()
