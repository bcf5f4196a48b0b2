"""Judge by the pixels whether squares became circles, in scenes of plain shapes whose masks are known."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, label
from torch import Tensor

from latentlab.metrics.functional import difference_outside

Region: TypeAlias = NDArray[np.bool_]
"""Pixels of a region, `(h, w)`."""

# A square overlaps the circle of its area and centroid by 0.834, however it is rotated: a circle must overlap more.
_CIRCLE = 0.85
# Shapes differ from the ground by at least 0.6, in one channel of [-1, 1]; half of that is the threshold.
_CONTRAST = 0.3


def shape_pixels(image: Tensor, ground: Tensor) -> Region:
    """Return where `image (3, h, w)` in [-1, 1] differs from its ground `(3, h, w)` by more than 0.3 in a channel."""
    return np.asarray(((image - ground).abs().amax(dim=0) > _CONTRAST).cpu().numpy())


def shapes_of(image: Tensor, ground: Tensor) -> list[Region]:
    """Find the shapes of `image (3, h, w)`, one region each, provided that they do not touch."""
    found, count = label(shape_pixels(image, ground))
    return [found == k + 1 for k in range(count)]


def circle_of(region: Region) -> Region:
    """Return the circle with the area and the centroid of a region that is not empty."""
    dy, dx = _from_centroid(region)
    return np.asarray(dy**2 + dx**2 <= region.sum() / np.pi)


def square_of(region: Region) -> Region:
    """Return the upright square with the area and the centroid of a region that is not empty."""
    dy, dx = _from_centroid(region)
    # The slack is for rounding: an edge may pass through a pixel's centre.
    return np.asarray(np.maximum(np.abs(dy), np.abs(dx)) <= np.sqrt(region.sum()) / 2 + 1e-9)


def _from_centroid(region: Region) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    ys, xs = np.nonzero(region)
    rows, columns = np.indices(region.shape)
    return rows - ys.mean(), columns - xs.mean()


def overlap(one: Region, other: Region) -> float:
    """Return the intersection over union, 0 … 1, of two regions; at least one is not empty."""
    return float((one & other).sum() / (one | other).sum())


def became_circle(before: Region, region: Region) -> bool:
    """Return whether a region is a circle: closer to the circle of its area and centroid than to the square.

    Its area must be between half and twice that of the shape `before`.
    """
    if not before.sum() / 2 <= region.sum() <= before.sum() * 2:
        return False
    round_one = overlap(region, circle_of(region))
    return round_one > _CIRCLE and round_one > overlap(region, square_of(region))


def boxes_of(masks: NDArray[np.bool_], grow: int) -> NDArray[np.bool_]:
    """Return the bounding box of each of `masks (n, h, w)`, none of them empty, `grow` pixels larger on every side."""
    boxes = np.zeros_like(masks)
    for mask, box in zip(masks, boxes, strict=True):
        ys, xs = np.nonzero(mask)
        box[max(ys.min() - grow, 0) : ys.max() + grow + 1, max(xs.min() - grow, 0) : xs.max() + grow + 1] = True
    return boxes


def windows_of(masks: NDArray[np.bool_], grow: int) -> NDArray[np.bool_]:
    """Return `boxes_of` without the pixels that are nearer to another mask: no two have a pixel in common."""
    nearest = np.argmin([distance_transform_edt(~mask) for mask in masks], axis=0)
    return np.asarray(boxes_of(masks, grow) & (nearest == np.arange(len(masks))[:, None, None]))


def judge_scene(before: Tensor, after: Tensor, masks: Tensor, ground: Tensor) -> dict[str, float]:
    """Judge what became of the shapes of a scene, each within a window around it.

    Parameters
    ----------
    before, after
        `(3, h, w)` in [-1, 1].
    masks
        `(n, h, w)` in {-1, 1}: one for each shape before, n at least 1.
    ground
        `(3, h, w)`: the scene without shapes.

    Returns
    -------
    dict
        'changed': share of the shapes that became circles. 'circle_iou': mean overlap with the circles of the areas and
        centroids that the shapes had. 'colour': mean difference of the mean colours, in 0 … 1, of the shapes that
        still exist; NaN if none does. 'size': mean relative difference of the areas. 'ground': mean difference of the
        rest of the image, in 0 … 1; NaN if there is none.
    """
    regions = (masks > 0).cpu().numpy()
    grow = before.shape[-1] // 16
    made = [shape_pixels(after, ground) & window for window in windows_of(regions, grow)]
    near = torch.from_numpy(boxes_of(regions, grow).any(axis=0))[None, None].to(before)
    colours = [
        float((_colour(before, was) - _colour(after, now)).abs().mean() / 2)
        for was, now in zip(regions, made, strict=True)
        if now.any()
    ]
    return {
        "changed": float(np.mean([became_circle(was, now) for was, now in zip(regions, made, strict=True)])),
        "circle_iou": float(np.mean([overlap(now, circle_of(was)) for was, now in zip(regions, made, strict=True)])),
        "colour": float(np.mean(colours)) if colours else float("nan"),
        "size": float(np.mean([abs(now.sum() / was.sum() - 1) for was, now in zip(regions, made, strict=True)])),
        "ground": float(difference_outside(before[None], after[None], near)),
    }


def _colour(image: Tensor, region: Region) -> Tensor:
    return image[:, torch.from_numpy(region).to(image.device)].mean(dim=1)
